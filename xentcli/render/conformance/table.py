"""The report for reading: the faults in a sentence each, a screen of verdicts, then each fault with lines to paste."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render.conformance.grids import counted, details, headline, notes, verdicts
from xentcli.render.drawing import colored, draw, entries, fitted_table, heading
from xentcli.render.fitting import grid_width
from xentcli.render.numbers import plural
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, FamilyVerdict, Fault, ImplementationResult
    from xentcli.render.cells import Grid
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

NAMED = 4  # faults before the table of families: what answers fits a few lines
LEFT = frozenset({"family", "verdict", "grade"})
COLORS = {
    "conforms": "green",
    "in": "green",
    "fails": "red",
    "convention": "yellow",
    "unsupported": "dim",
    "not": "dim",
}
OF_VERDICT = {
    "conforms": "green", "conforms in part": "green", "unsupported": "yellow",
    "differs by convention": "yellow", "fails": "red",
}  # fmt: skip


def render(report: ConformanceReport, page: Page) -> str:
    """Tables as wide as their numbers, sentences as wide as the page."""
    return draw(_sections(printable(report), page.width), page)


def _sections(report: ConformanceReport, width: int) -> Iterator[Section]:
    alone = len(report.implementations) == 1
    grid, legend = _fitted(verdicts(report), width) if not alone else (verdicts(report), [])
    left = LEFT | set(grid.head if not alone else ())
    title = f"{report.implementations[0].name}: {counted(report)}" if alone else counted(report)
    yield [_verdict_line(report, width), *_headlines(report, width)]
    yield [heading(title, width), *entries(legend, width), fitted_table(grid, left, _style, width)]
    for result in report.implementations:
        yield from _faults(result, width)
        yield entries(notes(result), width)
    if not alone:
        yield [colored(f"{each.name}: {each.summary}", OF_VERDICT[each.verdict], width)
               for each in report.implementations]  # fmt: skip
    yield [_verdict_line(report, width)]


def _verdict_line(report: ConformanceReport, width: int) -> Text:
    return colored(f"{report.verdict}: {report.summary}", OF_VERDICT[report.verdict], width)


def _fitted(grid: Grid, width: int) -> tuple[Grid, list[Entry]]:
    """Numbers for the implementations, and what they stand for, where their names do not fit side by side."""
    if grid_width(grid, 1) <= width:
        return grid, []
    numbers = tuple(map(str, range(1, len(grid.head))))
    legend = list(zip(numbers, grid.head[1:], strict=True))
    return replace(grid, head=(grid.head[0], *numbers)), legend


def _headlines(report: ConformanceReport, width: int) -> Section:
    """The gravest faults in a sentence each, and how many more there are."""
    alone = len(report.implementations) == 1
    every = [(result, fault) for result in report.implementations for fault in result.faults]
    said = [_headline("" if alone else f"{result.name}: ", fault, width) for result, fault in every[:NAMED]]
    more = len(every) - NAMED
    return [*said, *([Text(f"and {plural(more, 'fault')} more, below")] if more > 0 else [])]


def _headline(whose: str, fault: Fault, width: int) -> Text:
    return colored(f"{_word(fault)}: {whose}{headline(fault)}", OF_VERDICT[_verdict(fault)], width)


def _faults(result: ImplementationResult, width: int) -> Iterator[Section]:
    """Each fault, with the lines to paste."""
    for fault in result.faults:
        head = colored(f"{_word(fault)}: {result.name}: {headline(fault)}", OF_VERDICT[_verdict(fault)], width)
        lines = [Text(f"    {line}") for line in fault.worst.reproduction]
        yield [head, *entries(details(fault, 1), width, "  "), *lines]


def _word(fault: Fault) -> str:
    return "fails" if fault.outcome == "fails" else "convention"


def _verdict(fault: Fault) -> FamilyVerdict:
    return "fails" if fault.outcome == "fails" else "differs by convention"


def _style(_column: str, cell: str) -> str:
    return COLORS.get(cell.partition(" ")[0], "")
