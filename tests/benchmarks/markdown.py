"""Markdown, to print and for the page on speed."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from race import Spread

BEGIN, END = "<!-- benchmarks: python tests/benchmarks/compare.py --save -->", "<!-- end of benchmarks -->"
TITLE = re.compile(r"^\*\*(.+?)\.\*\*", re.MULTILINE)  # what a section begins with
SECTION = re.compile(rf"(?={TITLE.pattern.replace('(', '(?:')})", re.MULTILINE)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows, the first of them the heads, in columns as wide as their cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    head, *rest = ([f"{row[0]:<{widths[0]}}", *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rest)]


def into(page: str, text: str, start: str = BEGIN, stop: str = END) -> str:
    """The page with the text between its two marks; ValueError where they are missing."""
    before, _, after = _cut(page, start, stop)
    return f"{before}{start}\n{text}\n{stop}{after}"


def placed(page: str, sections: Iterable[str]) -> str:
    """The page with these sections, each in the place of the one with its title; a new one is put behind the last."""
    results = _cut(page, BEGIN, END)[1]
    lead, *pieces = (piece.strip() for piece in SECTION.split(results))
    titled = {_title(piece): piece for piece in (*pieces, *sections)}
    return into(page, "\n\n".join(filter(None, (lead, *titled.values()))))


def number(value: float) -> str:
    """A share; what the imports' own scatter hides is no number."""
    if math.isnan(value):
        return ""
    return f"{value:.2f}" if value > 0 else "≤ 0"


def quartiles(spread: Spread) -> str:
    """What half of the ratios lie between; nothing where they are all one."""
    return f"{spread.lower:.2f} to {spread.upper:.2f}" if spread.lower < spread.upper else ""


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.2g} GB"


def _cut(page: str, start: str, stop: str) -> tuple[str, str, str]:
    """What stands before, between and behind the marks."""
    before, begin, rest = page.partition(start)
    text, end, after = rest.partition(stop)
    if not begin or not end:
        raise ValueError(f"the page has no place for the results: it wants {start} and {stop}")
    return before, text, after


def _title(section: str) -> str:
    found = TITLE.match(section)
    assert found, section
    return found[1]
