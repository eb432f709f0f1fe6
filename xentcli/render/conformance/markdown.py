"""The report for a pull request's comment, every failing family with the lines to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import counted, failures, notes, offence, verdicts
from xentcli.render.markdown import escaped
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, ImplementationResult
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """The report in GitHub-flavoured Markdown."""
    return "\n\n".join(_blocks(printable(report))) + "\n"


def _blocks(report: ConformanceReport) -> Iterator[str]:
    yield f"### xent conform: {report.verdict}"
    yield f"{escaped(report.summary)} ({counted(report)})"
    grid = verdicts(report)
    lines = (map(escaped, grid.head), ("---" for _ in grid.head), *(map(escaped, row) for row in grid.rows))
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    for result in report.implementations:
        yield from _implementation(result)


def _implementation(result: ImplementationResult) -> Iterator[str]:
    for family, case in failures(result):
        yield f"**{family.verdict}**: {escaped(result.name)}, {escaped(case.name)}: {escaped(offence(case))}"
        if case.reports:
            yield f"known: {', '.join(case.reports)}"
        if case.reproduction:
            yield "\n".join(("```python", *case.reproduction, "```"))
    said = [f"- {word}: {escaped(text)}" for word, text in notes(result)]
    if said:
        yield "\n".join(said)
