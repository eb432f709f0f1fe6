"""Who waits for a battery sees which case is asked: on a terminal, or in a log."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

import click

from xentcli.cli.terminal import can_animate

if TYPE_CHECKING:
    from types import TracebackType

INTERVAL = 5.0  # seconds between two lines of a log


class Telling:
    """What is being asked, on standard error: in one line that is overwritten, or a line every few seconds."""

    def __init__(self, *, quiet: int = 0) -> None:
        self._told, self._animated, self._last = not quiet, can_animate(sys.stderr), monotonic()

    def __call__(self, text: str) -> None:
        if not self._told or sys.stderr is None:
            return
        if self._animated:
            click.echo(f"\r\x1b[2K{text[:100]}", nl=False, err=True)
        elif monotonic() - self._last >= INTERVAL:
            self._last = monotonic()
            click.echo(text, err=True)

    def __enter__(self) -> Telling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._animated:
            self("")
