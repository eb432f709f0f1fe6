"""The page of a conformance report: each fault once, and the verdict on every family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import counted, details, headline, notes, verdicts
from xentcli.render.html.document import Document, Notice, Section, Table, cut
from xentcli.render.html.said import made_by
from xentcli.render.html.write import page
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, ImplementationResult
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """The report as one HTML page."""
    return page(document(report))


def document(report: ConformanceReport) -> Document:
    """The report as sections."""
    bounded: ConformanceReport = cut(report)
    shown: ConformanceReport = printable(bounded)
    grid = verdicts(shown)
    return Document(
        title=f"xent conform: {', '.join(each.name for each in shown.implementations)}",
        verdict=shown.verdict,
        sentence=shown.summary,
        content=bounded.to_dict(),
        sections=(
            Section("Faults", notices=tuple(_faults(shown))),
            Section("Families", counted(shown), tables=Table.of(grid, left=grid.head[:1])),
            *map(_said, shown.implementations),
        ),
        made_by=made_by(shown.tool),
    )


def _faults(report: ConformanceReport) -> Iterator[Notice]:
    """Each fault of each implementation, the gravest first, with the lines that show it."""
    several = len(report.implementations) > 1
    for result in report.implementations:
        for fault in result.faults:
            said = f"{result.name}: {headline(fault)}" if several else headline(fault)
            yield Notice(fault.outcome, said, tuple(details(fault)), fault.worst.reproduction)


def _said(result: ImplementationResult) -> Section:
    return Section(result.name, entries=tuple(notes(result)))
