"""Results as Markdown, to print and for the page on speed."""

from __future__ import annotations

import math
import os
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from race import Result, Spread, Standing

BEGIN, END = "<!-- benchmarks: python tests/benchmarks/compare.py --save -->", "<!-- end of benchmarks -->"
HEAD = ("", "time", "quartiles", "less imports", "peak memory")


def conditions(rounds: int) -> str:
    """Where and how the ratios were taken."""
    runs = "one run" if rounds == 1 else f"medians of {rounds} interleaved runs"
    return f"Whole processes, {runs} on {os.cpu_count()} cores with torch {version('torch')}, page cache warm."


def section(result: Result, *, goals: bool) -> str:
    """One race: its title, its table, which says or not what xent is meant to take, and who did not run."""
    first = result.standings[0]
    yardstick = f"Times are shares of the first line's, which took {_seconds(first.seconds)}."
    rows = [HEAD, *map(_row, result.standings)]
    if goals:
        rows = [(*row, goal) for row, goal in zip(rows, ("goal", *map(_goal, result.standings)), strict=True)]
    lines = [f"**{result.title}.** {yardstick}", "", *table(rows)]
    if result.absent:
        lines += ["", f"Not run: {'; '.join(result.absent)}."]
    return "\n".join(lines)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows, the first of them the heads, in columns as wide as their cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    head, *rest = ([f"{row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rest)]


def into(page: str, text: str, start: str = BEGIN, stop: str = END) -> str:
    """The page with the text between its two marks; ValueError where they are missing."""
    before, begin, rest = page.partition(start)
    _, end, after = rest.partition(stop)
    if not begin or not end:
        raise ValueError(f"the page has no place for the results: it wants {start} and {stop}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _row(standing: Standing) -> tuple[str, ...]:
    return (
        standing.name,
        _number(standing.ratio.median),
        _quartiles(standing.ratio),
        "" if standing.net is None else _number(standing.net.median),
        f"{standing.peak / 2**20:,.0f} MiB",
    )


def _number(value: float) -> str:
    """A share; what the imports' own scatter hides is no number."""
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if value > 0 else "≤ 0"


def _quartiles(spread: Spread) -> str:
    """What half of the ratios lie between; nothing where they are all one."""
    return f"{spread.lower:.2f} to {spread.upper:.2f}" if spread.lower < spread.upper else ""


def _goal(standing: Standing) -> str:
    ratio = "" if standing.goal_ratio is None else f"{standing.goal_ratio:.2f}"
    peak = "" if standing.goal_peak is None else f"{standing.goal_peak / 2**20:.0f} MiB"
    return ", ".join(filter(None, (ratio, peak)))


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
