"""How far long work is, at the foot of a terminal; it is drawn over and over, and goes without a trace."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.progress import Progress

    Part = Text | ProgressBar

BAR = 20  # columns
GAP = 2  # columns between the parts
MARGIN = 3  # columns at the end of a line: for the ^C that the terminal shows, so that it makes no line of its own
HEIGHT = 10  # lines; there are never so many


class Bar:
    """A bar with its numbers beside it, in as many lines as the terminal's width makes of them."""

    def __init__(self, terminal: TextIO, *, color: bool) -> None:
        self._console = Console(
            file=terminal,
            width=80,
            height=HEIGHT,
            force_terminal=True,
            color_system="standard" if color else None,
            no_color=not color,
            legacy_windows=False,
            highlight=False,
        )
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def show(self, progress: Progress, seconds: float, width: int) -> None:
        """Draw this over what was drawn before; the work has taken so many seconds."""
        self._console.width = width
        self._live.update(_drawn(progress, seconds, width - MARGIN))
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor()  # a process that is killed or stopped cannot bring it back
        self._live.refresh()

    def close(self) -> None:
        """Take it away."""
        self._live.stop()


def _drawn(progress: Progress, seconds: float, width: int) -> Group:
    return Group(*(_line(parts) for parts in flowed(_parts(progress, seconds), width)))


def flowed(parts: Iterable[Part], width: int) -> list[list[Part]]:
    """The parts in lines; none is broken or left out, however narrow the lines are."""
    lines: list[list[Part]] = [[]]
    for part in parts:
        if lines[-1] and sum(columns(each) + GAP for each in lines[-1]) + columns(part) > width:
            lines.append([])
        lines[-1].append(part)
    return lines


def columns(part: Part) -> int:
    """How wide a part is."""
    return part.cell_len if isinstance(part, Text) else BAR


def _parts(progress: Progress, seconds: float) -> Iterator[Part]:
    yield Text(progress.doing)
    yield ProgressBar(progress.total, progress.done, width=BAR)
    yield from map(Text, filter(None, words(progress, seconds)))


def words(progress: Progress, seconds: float) -> Iterator[str]:
    """How much is done, how fast, how long it will take, and what is known so far."""
    yield progress.amount()
    if progress.bytes and seconds:
        yield _speed(progress.bytes / seconds)
    yield _time(progress, seconds)
    yield progress.so_far()


def _speed(rate: float) -> str:
    """A rate in bytes a second, in the greatest unit that leaves a digit before the point."""
    unit, size = next(((unit, size) for unit, size in (("GB", 1e9), ("MB", 1e6)) if rate >= size), ("kB", 1e3))
    return f"{rate / size:.1f} {unit}/s"


def _time(progress: Progress, seconds: float) -> str:
    """The time left at the same pace; where nobody can know that, the time it has taken."""
    if not progress.done or progress.total is None:
        return f"{_clock(seconds)} so far"
    return f"{_clock(seconds * (progress.total - progress.done) / progress.done)} left"


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def _line(parts: list[Part]) -> Table:
    line = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for part in parts:
        line.add_column(no_wrap=True, min_width=columns(part), max_width=columns(part))
    line.add_row(*parts)
    return line
