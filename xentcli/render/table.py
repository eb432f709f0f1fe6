"""The report as tables for reading: what was read, the samples, the totals, the findings and, last, the verdict."""

from __future__ import annotations

import io
import re
import textwrap
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xentcli.render.cells import LEFT, LOSSES, Grid, inputs, losses, totals
from xentcli.render.probabilities import probability_grid
from xentcli.render.wording import (
    SEVERITIES,
    changed_options,
    claim,
    claim_details,
    facts,
    finding_details,
    left_out,
    printable,
    scope,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records import Finding, Report
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

    Section = list[Table | Text]

ENDLESS = 1_000_000  # columns: rich cuts what does not fit, and a number that is cut is a wrong number
NARROWEST = 20  # columns that a sentence gets at least
COLORS = {
    "agrees": "green",
    "differs": "red",
    "undecided": "yellow",
    "within": "green",
    "underflow": "yellow",
    "overflow": "yellow",
    "wrong": "red",
    "nan": "red",
    "note": "cyan",
    "warning": "yellow",
    "error": "red",
}
HELD = {True: "green", False: "red", None: "yellow"}  # a claim


def render(report: Report, page: Page) -> str:
    """The report for reading; tables are as wide as their numbers, sentences as wide as the page."""
    text = io.StringIO()
    console = _console(text, color=page.color)
    for number, section in enumerate(filter(None, _sections(printable(report), page.width))):
        for part in [Text()] * bool(number) + section:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _console(text: io.StringIO, *, color: bool) -> Console:
    """A console that asks neither the terminal nor the environment."""
    return Console(
        file=text,
        width=ENDLESS,
        height=1,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _sections(report: Report, width: int) -> Iterator[Section]:
    yield [_table(inputs(report)), *_entries([("options", changed_options(report))], width)]
    yield from _sample_sections(report, width)
    yield [_heading(scope(report)), _table(totals(report))]
    yield _entries(facts(report), width)
    for finding in report.findings:
        yield _finding(SEVERITIES[finding.severity], finding, width)
    if report.expectation:
        claimed = _colored(f"claim: {claim(report)}", HELD[report.expectation.holds], width)
        yield [claimed, *_entries(claim_details(report), width, "  ")]
    yield [_colored(verdict(report), COLORS[report.verdict], width)]


def _sample_sections(report: Report, width: int) -> Iterator[Section]:
    if report.samples:
        title, grid = probability_grid(report, width)
        yield [_heading(_filled(title, width)), _table(grid, gap=1)]
        flagged = {str(row) for finding in report.findings if finding.severity != "info" for row in finding.rows}
        yield [_heading("Losses in nats"), _table(_aligned(losses(report).without("p(label)")), flagged=flagged)]
    if hidden := left_out(report):
        yield [Text(_filled(hidden, width), "dim")]


def _heading(title: str) -> Text:
    return Text(title, "bold")


def _table(grid: Grid, gap: int = 2, flagged: Iterable[str] = ()) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),  # the box adds one column
        header_style="dim",
        border_style="dim",
    )
    for name in grid.head:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    for row in grid.rows:
        cells = (Text(cell, _cell_style(name, cell)) for name, cell in zip(grid.head, row, strict=True))
        table.add_row(*cells, style="yellow" if row[0] in flagged else "")
    return table


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


def _entries(entries: Iterable[Entry], width: int, indent: str = "") -> Section:
    """Words in one column, what there is to say in the next."""
    said = [(word, text) for word, text in entries if text]
    column = max((len(word) for word, _ in said), default=0) + 2
    starts = [f"{indent}{word:<{column}}" for word, _ in said]
    lines = [_filled(text, width, start) for start, (_, text) in zip(starts, said, strict=True)]
    return [
        Text.assemble((line[: len(start)], "dim"), line[len(start) :])
        for start, line in zip(starts, lines, strict=True)
    ]


def _finding(word: str, finding: Finding, width: int) -> Section:
    return [
        _colored(f"{word}: {finding.message}", COLORS[word], width),
        *_entries(finding_details(finding), width, "  "),
    ]


def _colored(sentence: str, color: str, width: int) -> Text:
    """A sentence whose first word, up to the colon, stands out."""
    word, colon, said = _filled(sentence, width).partition(":")
    return Text.assemble((word, f"bold {color}"), colon, said)


def _filled(text: str, width: int, start: str = "") -> str:
    """`start` and the text in lines of `width`, broken between words only and hanging below the text's beginning."""
    return textwrap.fill(
        text,
        max(width, NARROWEST, 2 * len(start)),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
