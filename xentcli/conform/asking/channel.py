"""A program in a process of its own that answers JSON Lines: started, asked, watched and, if need be, ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from xentcli.conform.asking.family import Tree
from xentcli.conform.asking.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

LONGEST_LINE = 1 << 16  # an answer names files; what is longer is no answer
WAITING_LINES = 16  # that nobody asked for; who says more waits until it is read
POLL_SECONDS = 0.1
TAIL_BYTES = 2000


class FatalError(Exception):
    """The program did not answer, and is no more: `str()` says what became of it."""


class GarbledError(Exception):
    """The program said something that is no answer."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may take; seconds are those that it works or idles, as `patience` counts them."""

    start_seconds: float = 120.0  # until the first answer: frameworks take their time to be imported
    case_seconds: float = 20.0
    memory_bytes: int = 4 << 30


class Channel:
    """A running program; `with` ends it, whatever it is doing."""

    def __init__(self, command: Sequence[str], limits: Limits, environment: Mapping[str, str] | None = None) -> None:
        self._limits = limits
        self._errors = _scratch()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        except OSError:
            self._errors.close()
            raise
        self._tree = Tree(self._process.pid)
        self._lines: queue.Queue[bytes] = queue.Queue(WAITING_LINES)
        self.answered = 0
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, request: dict[str, Any], patience: float = 1.0) -> dict[str, Any]:
        """The answer, within so many time limits; FatalError when none comes, GarbledError when what comes is none."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone; what became of it is found below
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        answer = _parsed(self._next_line(patience))
        if answer.get("id") != request["id"]:
            raise GarbledError(f"the answer has the id {answer.get('id')!r}, the request {request['id']!r}")
        self.answered += 1
        return answer

    def finish(self) -> str:
        """Close its input and wait for the end; what was wrong with that end, or nothing."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "it does not end when its input does"
        return f"it ends with {_ending(code)}" if code else ""

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError, ValueError):
                if stream:
                    stream.close()

    def _read(self) -> None:
        """Runs in a thread, as no other way of waiting for a pipe works on every system."""
        stream = self._process.stdout
        assert stream is not None
        with suppress(OSError, ValueError):
            while line := stream.readline(LONGEST_LINE):
                self._lines.put(line)
        self._lines.put(b"")

    def _next_line(self, patience: float) -> bytes:
        limit = patience * self._limits.case_seconds if self.answered else self._limits.start_seconds
        waiting = Patience(limit, time.monotonic(), None)
        while True:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=POLL_SECONDS)
                if not line:
                    raise FatalError(self._obituary())
                return line
            if self._tree.held_bytes() > self._limits.memory_bytes:
                self._kill()
                raise FatalError(f"takes more than {self._limits.memory_bytes / 2**30:.3g} GiB of memory")
            waiting.look(time.monotonic(), self._tree.work())
            if waiting.ended:
                self._kill()
                raise FatalError(f"hangs: {waiting.ended}")

    def _obituary(self) -> str:
        try:
            code = self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            return "closes its output"
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - TAIL_BYTES))
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"ends with {_ending(code)}" + (f": {said[-1]}" if said else "")

    def _kill(self) -> None:
        """End the program and all that it started."""
        self._tree.kill()
        with suppress(OSError):
            self._process.kill()
        self._process.wait()


def _scratch() -> IO[bytes]:
    """Where it complains; a file cannot fill up and stop it, as a pipe that nobody reads would."""
    return tempfile.TemporaryFile()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise GarbledError(f"says {line[:60]!r}, which is no JSON") from None
    if not isinstance(answer, dict):
        raise GarbledError(f"says {line[:60]!r}, which is no JSON object")
    return answer


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
