"""The report for reading: first a screen that answers, then the tables that it stands on and, last, the verdict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render.answer import answer
from xentcli.render.cells import LEFT, LOSSES, TRUE, Grid, claimed_rows, files, inputs, losses, notes, tabled, totals
from xentcli.render.drawing import COLORS, colored, draw, entries, filled, fitted_table, heading, table
from xentcli.render.fitting import NARROWEST_GAP, grid_width
from xentcli.render.metrics import METRIC_LEFT, metric_sections
from xentcli.render.probabilities import probability_grid
from xentcli.render.sparks import pictures
from xentcli.render.wording import (
    SEVERITIES,
    byte_claim,
    byte_claim_details,
    cause_details,
    changed_options,
    claim,
    claim_details,
    details,
    finding_details,
    left_out,
    row_claims,
    scope,
    settings,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rich.table import Table

    from xentcli.records.report import Finding, Report
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page

HELD = {True: "green", False: "red", None: "yellow"}  # a claim


def render(report: Report, page: Page) -> Iterator[str]:
    """The report for reading; tables of as many columns as fit the page, sentences as wide as it is."""
    yield draw(_sections(tabled(report, page.rows), page), page)


def _sections(report: Report, page: Page) -> Iterator[Section]:
    width = page.width
    yield [_verdict(report, width), *entries(answer(report, page.explaining), width)]
    yield from _judged(report, width)
    yield from _inputs(report, width)
    yield from _sample_sections(report, width)
    yield [heading(scope(report), width), _table(_totals(report, width), width)]
    yield entries(details(report), width)
    yield entries(pictures(report.pictures, plain=page.plain), width)
    for title, grid in metric_sections(report):
        yield [heading(title, width), _table(grid, width)]
    yield [_verdict(report, width)]


def _judged(report: Report, width: int) -> Iterator[Section]:
    """What was noticed, and what becomes of each claim."""
    for finding in report.findings:
        yield _finding(SEVERITIES[finding.severity], finding, width)
    if report.row_claims:
        claimed = _claim("claims", row_claims(report.row_claims), report.row_claims.holds, width)
        rows = [_table(claimed_rows(report.row_claims), width)] if report.row_claims.rows else []
        yield [claimed, *rows]
        if report.row_claims.cause:
            yield entries(cause_details(report.row_claims.cause), width, "  ")
    if report.expectation:
        claimed = _claim("claim", claim(report), report.expectation.holds, width)
        yield [claimed, *entries(claim_details(report), width, "  ")]
    if report.byte_claim:
        claimed = _claim("claim", byte_claim(report.byte_claim), report.byte_claim.holds, width)
        yield [claimed, *entries(byte_claim_details(report.byte_claim), width, "  ")]


def _inputs(report: Report, width: int) -> Iterator[Section]:
    """What was read, and how; names that make the table too wide stand on lines of their own."""
    grid, said = inputs(report), [*notes(report), ("options", changed_options(report)), ("settings", settings(report))]
    if grid_width(grid, NARROWEST_GAP) > width:
        yield [_table(grid.without("file"), width), *entries(files(report), width)]
        yield entries(said, width)
    else:
        yield [_table(grid, width), *entries(said, width)]


def _totals(report: Report, width: int) -> Grid:
    """Without the true value where its digits take the room of the others' columns: the answer has it."""
    grid = totals(report)
    fits = grid_width(grid, NARROWEST_GAP) <= width
    return grid if fits else Grid(grid.head, tuple(row for row in grid.rows if row[0] != TRUE)).without_blanks()


def _table(grid: Grid, width: int, flagged: Collection[str] = ()) -> Table:
    return fitted_table(grid, (*METRIC_LEFT, *LEFT), _cell_style, width, flagged)


def _claim(word: str, said: str, holds: bool | None, width: int) -> Text:
    return colored(f"{word}: {said}", HELD[holds], width)


def _verdict(report: Report, width: int) -> Text:
    return colored(verdict(report), COLORS[report.verdict], width)


def _sample_sections(report: Report, width: int) -> Iterator[Section]:
    if report.samples:
        title, grid = probability_grid(report, width)
        yield [heading(title, width), table(grid, LEFT, _cell_style, gap=1)]
        flagged = {str(row) for finding in report.findings if finding.severity != "info" for row in finding.rows}
        yield [
            heading("Losses in nats", width),
            _table(_aligned(losses(report).without("p(label)")), width, flagged),
        ]
        if hidden := left_out(report):
            yield [Text(filled(hidden, width), "dim")]


def _cell_style(column: str, cell: str) -> str:
    if column == "status":
        return COLORS.get(cell, "")
    return "bold" if cell.startswith("*") else "dim" if cell == "ignored" else ""


def _aligned(grid: Grid) -> Grid:
    """The same table with the decimal points of the losses below each other."""
    columns = zip(*grid.rows, strict=True)
    aligned = (
        _points_aligned(column) if name in LOSSES else column for name, column in zip(grid.head, columns, strict=True)
    )
    return Grid(grid.head, tuple(zip(*aligned, strict=True)))


def _points_aligned(column: tuple[str, ...]) -> tuple[str, ...]:
    whole = [len(re.split(r"[.e]", cell)[0]) if cell[-1:].isdigit() else 0 for cell in column]
    return tuple(" " * (max(whole) - length) * bool(length) + cell for cell, length in zip(column, whole, strict=True))


def _finding(word: str, finding: Finding, width: int) -> Section:
    return [
        colored(f"{word}: {finding.message}", COLORS[word], width),
        *entries(finding_details(finding), width, "  "),
    ]
