"""The standard streams: what they show, what is printed there, and what becomes of it when nobody reads."""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from typing import TextIO


def has_color(stream: TextIO | None) -> bool:
    """Colour only on a terminal, unless NO_COLOR or FORCE_COLOR decide; a closed stream is None."""
    if os.environ.get("NO_COLOR"):
        return False
    terminal = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    return terminal or bool(os.environ.get("FORCE_COLOR"))


def prepare_streams() -> None:
    """Make both standard streams take every character, and standard output every byte."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign shows its code, no traceback
    if isinstance(sys.stdout, TextIOWrapper) and isinstance(sys.stdout.buffer, RawIOBase):
        # PYTHONUNBUFFERED: what the system does not take in one write would be lost without a word
        sys.stdout = TextIOWrapper(BufferedWriter(sys.stdout.buffer), sys.stdout.encoding, sys.stdout.errors)


def say(text: str) -> None:
    """Print to standard output as it is; by click's own choice an ASCII stream would be taken for one of UTF-8."""
    click.echo(text, file=sys.stdout, nl=False, color=True)


def complain(message: str) -> None:
    """An error, on standard error."""
    word = click.style("error", fg="red", bold=True)
    click.echo(f"{word}: {message}", file=sys.stderr, err=True, color=has_color(sys.stderr))


def remark(message: str) -> None:
    """What is worth knowing beside the report, on standard error."""
    click.echo(f"note: {message}", file=sys.stderr, err=True, color=has_color(sys.stderr))


def end_echo() -> None:
    """Leave the line on which a terminal shows ^C."""
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(err=True)


def discard_unwritten() -> None:
    """Give what a stream could not write somewhere to go, else the interpreter tries again when it ends, and fails."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
