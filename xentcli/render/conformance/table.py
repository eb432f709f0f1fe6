"""The report for reading: one screen of verdicts, then the worst case of each family that fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from xentcli.render.conformance.grids import counted, failures, notes, offence, verdicts
from xentcli.render.drawing import colored, draw, entries, fitting_gap, grid_width, heading, table
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, ImplementationResult
    from xentcli.render.cells import Grid
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

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
    yield [heading(title, width), *entries(legend, width), table(grid, left, _style, fitting_gap(grid, width))]
    for result in report.implementations:
        yield from _failures(result, width)
        yield entries(notes(result), width)
    if not alone:
        yield [colored(f"{each.name}: {each.summary}", OF_VERDICT[each.verdict], width)
               for each in report.implementations]  # fmt: skip
    yield [colored(f"{report.verdict}: {report.summary}", OF_VERDICT[report.verdict], width)]


def _fitted(grid: Grid, width: int) -> tuple[Grid, list[Entry]]:
    """Numbers for the implementations, and what they stand for, where their names do not fit side by side."""
    if grid_width(grid, 1) <= width:
        return grid, []
    numbers = tuple(map(str, range(1, len(grid.head))))
    legend = list(zip(numbers, grid.head[1:], strict=True))
    return replace(grid, head=(grid.head[0], *numbers)), legend


def _failures(result: ImplementationResult, width: int) -> Iterator[Section]:
    """Each family's worst case; the first with the lines to paste, the others' are in the other formats."""
    for number, (family, case) in enumerate(failures(result)):
        word = "fails" if family.verdict == "fails" else "convention"
        head = colored(f"{word}: {result.name}, {case.name}", OF_VERDICT[family.verdict], width)
        told = entries([("what", offence(case)), ("known", ", ".join(case.reports[:1]))], width, "  ")
        lines = [Text(f"    {line}") for line in case.reproduction] if not number else []
        yield [head, *told, *lines]


def _style(_column: str, cell: str) -> str:
    return COLORS.get(cell.partition(" ")[0], "")
