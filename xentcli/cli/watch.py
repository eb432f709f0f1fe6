"""Who waits at a terminal sees how far the work is; who ends it is told how far it came."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

import click

from xentcli.cli.terminal import can_animate, columns, has_color, spelled
from xentcli.errors import XentError
from xentcli.sources.files import is_address, split_key
from xentcli.sources.names import is_elsewhere, local_names

if TYPE_CHECKING:
    from types import TracebackType

    from xentcli.records.progress import Progress

MARGIN = 3  # columns for the ^C that the terminal shows
PATIENCE = 1.0  # seconds, before which nobody wonders
LARGE = 64 << 20  # bytes of input that take longer than that, with torch to load
INTERVAL = 0.2  # seconds between two drawings, each of which takes about a millisecond from the work


class Watch:
    """A watcher of long work, for a `with` block: whoever works calls it, as often as it likes, and is not kept.

    A thread of its own draws on standard error, if that is a terminal, from the second second on and until the block
    ends.  An exception that ends the work from outside gets a note of how far it came.
    """

    def __init__(self, *, quiet: int = 0) -> None:
        self._told, self._drawn = quiet < 2, not quiet and can_animate(sys.stderr)
        self._last: tuple[Progress, float] | None = None  # with the time at which this piece of work began
        self._announced = False
        self._ended = Event()
        self._thread = Thread(target=self._draw, name="xent-progress", daemon=True)

    def __call__(self, progress: Progress) -> None:
        same = self._last and self._last[0].doing == progress.doing
        self._last = progress, self._last[1] if self._last and same else monotonic()
        if self._drawn and not self._thread.ident:
            self._thread.start()

    def announce(self, what: str, size: int) -> None:
        """Say at once what is begun, where it is large: long before torch is there, and a bar with it."""
        if self._drawn and size >= LARGE:
            room = columns(sys.stderr) - MARGIN
            click.echo(f"{what}, {spelled(size)}; loading torch"[:room], nl=False, err=True)
            self._announced = True

    def _clear(self) -> None:
        if self._announced:
            self._announced = False
            with suppress(OSError):  # the terminal was closed
                click.echo("\r\x1b[2K", nl=False, err=True, color=True)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.ident:
            self._thread.join()
        self._clear()
        if self._told and self._last and isinstance(error, KeyboardInterrupt | SystemExit):
            error.add_note(_note(self._last[0]))

    def _draw(self) -> None:
        if self._ended.wait(PATIENCE):
            return
        from xentcli.render.progress import Bar

        self._clear()
        bar = Bar(sys.stderr, color=has_color(sys.stderr))
        with suppress(OSError):  # the terminal was closed: the work goes on
            try:
                while self._last and not self._ended.wait(INTERVAL):
                    progress, began = self._last
                    bar.show(progress, monotonic() - began, columns(sys.stderr))
            finally:
                bar.close()


def sizes(*names: str | None) -> int:
    """The bytes of the files that these names stand for, as far as they are here and can be told."""
    total = 0
    for name in names:
        with suppress(XentError, OSError):
            files = [] if not name or is_elsewhere(name) else local_names(name).files
            total += sum(Path(split_key(file)[0]).stat().st_size for file in files if not is_address(file))
    return total


def _note(progress: Progress) -> str:
    """What was done so far, as such."""
    done, found = progress.amount().lstrip(), progress.so_far()
    first = f"interrupted while {progress.doing}" + (f": {done} done" if done else "")
    return f"{first}\n  so far    {found}" if found else first
