"""The comparison as tables for reading: the answer first, then the numbers, then the rows that differ most."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.records.pairs import shown_of
from xentcli.render.comparison.beside import blocks_beside, short_names
from xentcli.render.comparison.cells import blocks, dialect_lines, gate_line, percentiles, turned, worst_rows
from xentcli.render.comparison.claims import claim_details, shown_name, verdict
from xentcli.render.comparison.parts import sections
from xentcli.render.comparison.said import said_of, said_of_part
from xentcli.render.drawing import (
    COLORS,
    colored,
    draw,
    entries,
    filled,
    fitted_table,
    heading,
)
from xentcli.render.fitting import grid_width
from xentcli.render.wording import SEVERITIES, finding_details, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Compared, Comparison, Dialect
    from xentcli.render.cells import Grid
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page

LEFT = ("", "percentile", "gate")


def render(comparison: Comparison, page: Page) -> str:
    """For reading; tables are as wide as their numbers, sentences as wide as the page."""
    return draw(_sections(_shown(_printable(comparison), page.rows), page.width), page)


def _printable(comparison: Comparison) -> Comparison:
    """Nothing in it steers a terminal; the text of a dialect is numbers of ours, whose lines remain lines."""
    found: Comparison = printable(comparison)
    pairs = zip(found.comparisons, comparison.comparisons, strict=True)
    return replace(found, comparisons=tuple(replace(one, dialect=own.dialect) for one, own in pairs))


def _shown(comparison: Comparison, most: int | None) -> Comparison:
    """With at most so many rows."""
    compared = (replace(one, rows=shown_of(one.rows)[:most]) for one in comparison.comparisons)
    return replace(comparison, comparisons=tuple(compared))


def _sections(comparison: Comparison, width: int) -> Iterator[Section]:
    if len(comparison.comparisons) > 1:
        yield from _several(comparison, width)
        return
    for one in comparison.comparisons:
        yield [_answer(one, width)]
        yield from _judged(one, width)
        yield [*entries(_said(comparison, one), width)]
        if one.dialect:
            yield from _dialect(one.dialect, width)
        elif one.statistics:
            yield from (_drawn(title, grid, width) for title, grid in blocks(one))
            yield from _rest(comparison, one, width)
        yield [_answer(one, width)]


def _answer(one: Compared, width: int) -> Text:
    """What was found, after the verdict on limits and claims where there are some."""
    word = verdict(one)
    return colored(f"{word}: {one.summary}", COLORS.get(word, ""), width)


def _judged(one: Compared, width: int) -> Iterator[Section]:
    """What the two sides are to each other, and what becomes of claims and limits."""
    for finding in one.findings:
        word = SEVERITIES[finding.severity]
        message = colored(f"{word}: {finding.message} ({finding.code})", COLORS[word], width)
        yield [message, *entries(finding_details(finding), width, "  ")]
    for claimed in one.expectations:
        said = colored(f"{claimed.verdict}: {shown_name(claimed)} {claimed.claimed}", COLORS[claimed.verdict], width)
        yield [said, *entries(claim_details(claimed), width, "  ")]
    for gate in one.gates:
        yield [colored(f"{gate.verdict}: {gate_line(gate)}", COLORS[gate.verdict], width)]


def _several(comparison: Comparison, width: int) -> Iterator[Section]:
    """The answers, the numbers of all sides beside each other, and then what has rows of its own, side by side."""
    compared = comparison.comparisons
    for one in compared:
        yield [_answer(one, width), *(line for lines in _judged(one, width) for line in lines)]
    yield [*entries(_said_of_all(comparison), width)]
    yield from (_drawn(title, grid, width) for title, grid in blocks_beside(compared, width) if not compared[0].dialect)
    for one, name in zip(compared, short_names(compared), strict=True):
        yield [heading(f"{name}:", width)]
        yield from _dialect(one.dialect, width) if one.dialect else _rest(comparison, one, width)
    yield [_answer(one, width) for one in compared]


def _rest(comparison: Comparison, one: Compared, width: int) -> Iterator[Section]:
    """Beside the floor, part by part, and row by row; tables that the page is too narrow for stand upright."""
    if not one.statistics:
        return
    for title, grid in sections(one, int(comparison.options["rows"])):
        yield _drawn(title, grid, width)
    found = percentiles(one)
    yield _drawn("Percentiles of rows", found if grid_width(found, 1) <= width else turned(found), width)
    if shown_of(one.rows):
        grids = worst_rows(one), worst_rows(one, with_tops=False)
        fitting = (grid for grid in grids if grid_width(grid, 1) <= width)
        yield _drawn("Rows with the greatest KL", next(fitting, grids[1]), width)


def _drawn(title: str, grid: Grid, width: int) -> Section:
    left = (*LEFT, grid.head[0])
    return [heading(title, width), fitted_table(grid, left, _plain, width)]


def _dialect(dialect: Dialect, width: int) -> Iterator[Section]:
    """The lines as the other tool prints them, and between what they were before its roundings."""
    if not dialect.lines:
        yield [Text(filled(f"{dialect.tool} prints no statistics of fewer than 100 rows", width))]
        return
    yield [Text(dialect.text.rstrip())]
    yield [
        heading(f"Before the 16 bits of {dialect.tool}", width),
        fitted_table(dialect_lines(dialect), LEFT, _plain, width),
    ]
    yield [Text(filled(dialect.statement, width))]


def _said_of_all(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "base", f"{comparison.base.path}, {comparison.base.dtype}"
    told = [dict(said_of(one)) for one in comparison.comparisons]
    yield from (("other", each["other"]) for each in told)
    yield "rows", told[0]["rows"]
    yield from said_of_part(comparison)


def _said(comparison: Comparison, one: Compared) -> Iterator[tuple[str, str]]:
    yield "base", f"{comparison.base.path}, {comparison.base.dtype}"
    yield from said_of(one)
    yield from said_of_part(comparison)


def _plain(_column: str, _cell: str) -> str:
    return ""
