"""The comparison as tables for reading: the answer first, then the numbers, then the rows that differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render.comparison.cells import blocks, dialect_lines, gate_line, percentiles, worst_rows
from xentcli.render.drawing import COLORS, colored, draw, entries, filled, heading, table
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Compared, Comparison, Dialect
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page

LEFT = ("", "percentile", "gate")


def render(comparison: Comparison, page: Page) -> str:
    """For reading; tables are as wide as their numbers, sentences as wide as the page."""
    return draw(_sections(comparison, page.width), page)


def _sections(comparison: Comparison, width: int) -> Iterator[Section]:
    for one in comparison.comparisons:
        yield [Text(filled(one.summary, width), "bold")]
        yield [*entries(_said(comparison, one), width)]
        for gate in one.gates:
            yield [colored(f"{gate.verdict}: {gate_line(gate)}", COLORS[gate.verdict], width)]
        if one.dialect:
            yield from _dialect(one.dialect, width)
            continue
        if not one.statistics:
            continue
        for title, grid in blocks(one):
            yield [heading(title, width), table(grid, LEFT, _plain)]
        yield [heading("Percentiles of rows", width), table(percentiles(one), LEFT, _plain, gap=1)]
        if one.rows:
            yield [heading("Rows with the greatest KL", width), table(worst_rows(one), LEFT, _plain)]


def _dialect(dialect: Dialect, width: int) -> Iterator[Section]:
    """The lines as the other tool prints them, and between what they were before its roundings."""
    if not dialect.lines:
        yield [Text(filled(f"{dialect.tool} prints no statistics of fewer than 100 rows", width))]
        return
    yield [Text(dialect.text.rstrip())]
    yield [heading(f"Before the 16 bits of {dialect.tool}", width), table(dialect_lines(dialect), LEFT, _plain)]
    yield [Text(filled(dialect.statement, width))]


def _said(comparison: Comparison, one: Compared) -> Iterator[tuple[str, str]]:
    counts = one.counts
    yield "base", f"{comparison.base.path}, {comparison.base.dtype}"
    yield "other", f"{one.other.path}, {one.other.dtype}"
    ignored = f", {counts.ignored:,} ignored" if counts.ignored else ""
    groups = f", {plural(counts.groups, 'group')}" if counts.groups else ""
    yield "rows", f"{counts.rows:,} × {plural(counts.classes, 'class').replace('classs', 'classes')}{ignored}{groups}"
    if comparison.part:
        share = f", share {comparison.part.share}" if comparison.part.share else ""
        yield "part", f"{comparison.part.rows} of {comparison.part.samples:,} alone{share}"
    if one.identity.same_rows:
        yield "same", f"{plural(one.identity.same_rows, 'row')} exactly, but for a constant"


def _plain(_column: str, _cell: str) -> str:
    return ""
