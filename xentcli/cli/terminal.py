"""The standard streams: what they show, what is printed there, and what becomes of it when nobody reads."""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from typing import TextIO


SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
COLORS = ("auto", "always", "never")


def use_color(when: str) -> None:
    """Decide for this run and the programs it starts what NO_COLOR and FORCE_COLOR decide otherwise."""
    if when == "never":
        os.environ["NO_COLOR"] = "1"
    elif when == "always":
        os.environ.pop("NO_COLOR", None)
        os.environ["FORCE_COLOR"] = "1"


def has_color(stream: TextIO | None) -> bool:
    """Colour only on a terminal, unless NO_COLOR or FORCE_COLOR decide; a closed stream is None."""
    if os.environ.get("NO_COLOR"):
        return False
    return can_animate(stream) or bool(os.environ.get("FORCE_COLOR"))


def can_animate(stream: TextIO | None) -> bool:
    """Whether what was printed there can be printed over; FORCE_COLOR does not make a log a terminal."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def can_draw(stream: TextIO | None) -> bool:
    """Whether its encoding has the signs that tables and pictures are drawn with; a closed stream has no reader."""
    try:
        "─▁█".encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def spelled(size: int) -> str:
    """Bytes in the greatest unit that leaves a digit before the point, with three digits at most."""
    unit, one = next(((unit, one) for unit, one in SIZES if size >= one), ("bytes", 1.0))
    return f"{size / one:.3g} {unit}"


def columns(terminal: TextIO) -> int:
    """The width of a terminal, which may change while something is drawn there; 80 where it does not say."""
    return os.get_terminal_size(terminal.fileno()).columns or 80


def prepare_streams() -> None:
    """Make both standard streams take every character, and standard output every byte."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign shows its code, no traceback
    if isinstance(sys.stdout, TextIOWrapper) and isinstance(sys.stdout.buffer, RawIOBase):
        # PYTHONUNBUFFERED: what the system does not take in one write would be lost without a word
        sys.stdout = TextIOWrapper(BufferedWriter(sys.stdout.buffer), sys.stdout.encoding, sys.stdout.errors)


def say(text: str | bytes) -> None:
    """Print to standard output as it is; by click's own choice an ASCII stream would be taken for one of UTF-8."""
    click.echo(text, file=sys.stdout, nl=False, color=True)


def complain(message: str) -> None:
    """An error, on standard error."""
    word = click.style("error", fg="red", bold=True)
    click.echo(f"{word}: {message}", file=sys.stderr, err=True, color=has_color(sys.stderr))


def remark(note: str) -> None:
    """A remark, on standard error; on a terminal it takes the place of the ^C that this shows."""
    if sys.stderr is not None:
        click.echo(f"\r{note}" if sys.stderr.isatty() else note, err=True)


def discard_unwritten() -> None:
    """Give what a stream could not write somewhere to go, else the interpreter tries again when it ends, and fails."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
