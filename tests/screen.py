"""A terminal: what somebody sees on it after a program has printed this and that."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from process import end, start

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

CODE = re.compile(r"\x1b\[(\??)(\d*(?:;\d+)*)([A-Za-z])|([\r\n])|([^\x00-\x1f])")
# a program of its own session, whose terminal is the one at its standard error: Ctrl-C there ends it
ITS_OWN = "import fcntl, os, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass
class Screen:
    """The few codes that our program prints, obeyed as a VT100 does; another one is an error."""

    columns: int
    lines: list[list[str]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    cursor: bool = True
    wrapped: int = 0  # how often a line was too long

    def feed(self, text: str) -> Screen:
        """Obey; returns itself."""
        at = 0
        while at < len(text):
            match = CODE.match(text, at)
            assert match, repr(text[at : at + 20])
            private, number, code, control, letter = match.groups()
            if letter:
                self._write(letter)
            else:
                self._obey(private or "", number or "", code or control)
            at = match.end()
        return self

    def text(self) -> str:
        """What stands there, down to the cursor."""
        lines = ["".join(line).rstrip() for line in self.lines]
        assert not any(lines[self.row + 1 :])  # what is below the cursor is overwritten by what comes next
        return "\n".join(lines[: self.row + 1])

    def _write(self, letter: str) -> None:
        if self.column == self.columns:
            self.wrapped += 1
            self._obey("", "", "\r")
            self._obey("", "", "\n")
        line = self.lines[self.row]
        line += " " * (self.column + 1 - len(line))
        line[self.column] = letter
        self.column += 1

    def _obey(self, private: str, number: str, code: str) -> None:
        match private, code:
            case "", "\r":
                self.column = 0
            case "", "\n":
                self.row += 1
                self.lines += [[]] * (self.row == len(self.lines))
            case "", "A":
                self.row = max(0, self.row - int(number or 1))
            case "", "K":
                assert number == "2"
                self.lines[self.row] = []
            case "", "m":
                pass
            case "?", "l" | "h":
                assert number == "25"
                self.cursor = code == "h"
            case _:
                raise AssertionError((private, number, code))


@dataclass(frozen=True)
class Seen:
    """What a program printed on its terminal, and how it ended."""

    code: int
    printed: str
    columns: int

    @property
    def screen(self) -> Screen:
        return Screen(self.columns).feed(self.printed)


@dataclass
class Session:
    """A program at a terminal: what it has printed until now, and a keyboard."""

    process: subprocess.Popen[bytes]
    columns: int
    _terminal: int
    _seen: list[bytes]
    _reading: threading.Thread

    def printed(self) -> str:
        return b"".join(self._seen).decode(errors="replace")

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def end(self) -> Seen:
        code = end(self.process).code
        self._reading.join()
        return Seen(code, self.printed(), self.columns)


@contextmanager
def session(*arguments: str, columns: int, cwd: Path, **settings: Any) -> Iterator[Session]:
    """The program at a terminal of this width, which all streams are that the settings do not name; see `start`."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    settings["program"] = (sys.executable, "-c", ITS_OWN, *settings["program"])
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    process = start(*arguments, cwd=cwd, start_new_session=True, **(streams | settings))
    os.close(terminal)
    seen: list[bytes] = []
    reading = threading.Thread(target=_read_all, args=(keyboard, seen))
    reading.start()
    try:
        yield Session(process, columns, keyboard, seen, reading)
    finally:
        process.kill()
        process.wait()
        reading.join()
        os.close(keyboard)


def _read_all(reader: int, seen: list[bytes]) -> None:
    try:
        while part := os.read(reader, 4096):
            seen.append(part)
    except OSError:  # how Linux says that a terminal has no other end any more
        return
