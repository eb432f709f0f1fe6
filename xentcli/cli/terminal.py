"""Where people read: whether a stream shows colours, and errors on the one that is for them."""

from __future__ import annotations

import os
import sys
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


def complain(message: str) -> None:
    """An error, on standard error."""
    word = click.style("error", fg="red", bold=True)
    click.echo(f"{word}: {message}", err=True, color=has_color(sys.stderr))


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
