"""The report as tables for reading: what was read, the samples, the totals, the findings and, last, the verdict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render.cells import LEFT, LOSSES, Grid, claimed_rows, inputs, losses, notes, tabled, totals
from xentcli.render.drawing import COLORS, colored, draw, entries, filled, heading, table
from xentcli.render.metrics import METRIC_LEFT, metric_sections
from xentcli.render.probabilities import probability_grid
from xentcli.render.wording import (
    SEVERITIES,
    byte_claim,
    byte_claim_details,
    cause_details,
    changed_options,
    claim,
    claim_details,
    facts,
    finding_details,
    left_out,
    row_claims,
    scope,
    settings,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Finding, Report
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page

HELD = {True: "green", False: "red", None: "yellow"}  # a claim


def render(report: Report, page: Page) -> Iterator[str]:
    """The report for reading; tables are as wide as their numbers, sentences as wide as the page."""
    yield draw(_sections(tabled(report), page.width), page)


def _sections(report: Report, width: int) -> Iterator[Section]:
    said = [*notes(report), ("options", changed_options(report)), ("settings", settings(report))]
    yield [table(inputs(report), LEFT, _cell_style), *entries(said, width)]
    yield from _sample_sections(report, width)
    yield [Text(scope(report), "bold"), table(totals(report), LEFT, _cell_style)]
    yield entries(facts(report), width)
    for title, grid in metric_sections(report):
        yield [heading(title, width), table(grid, (*METRIC_LEFT, *LEFT), _cell_style)]
    for finding in report.findings:
        yield _finding(SEVERITIES[finding.severity], finding, width)
    if report.row_claims:
        claimed = colored(f"claims: {row_claims(report.row_claims)}", HELD[report.row_claims.holds], width)
        yield [
            claimed,
            *([table(claimed_rows(report.row_claims), LEFT, _cell_style)] if report.row_claims.rows else []),
        ]
        if report.row_claims.cause:
            yield entries(cause_details(report.row_claims.cause), width, "  ")
    if report.expectation:
        claimed = colored(f"claim: {claim(report)}", HELD[report.expectation.holds], width)
        yield [claimed, *entries(claim_details(report), width, "  ")]
    if report.byte_claim:
        claimed = colored(f"claim: {byte_claim(report.byte_claim)}", HELD[report.byte_claim.holds], width)
        yield [claimed, *entries(byte_claim_details(report.byte_claim), width, "  ")]
    yield [colored(verdict(report), COLORS[report.verdict], width)]


def _sample_sections(report: Report, width: int) -> Iterator[Section]:
    if report.samples:
        title, grid = probability_grid(report, width)
        yield [heading(title, width), table(grid, LEFT, _cell_style, gap=1)]
        flagged = {str(row) for finding in report.findings if finding.severity != "info" for row in finding.rows}
        yield [
            heading("Losses in nats", width),
            table(_aligned(losses(report).without("p(label)")), LEFT, _cell_style, flagged=flagged),
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
