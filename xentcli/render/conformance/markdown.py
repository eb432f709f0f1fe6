"""The report for a pull request's comment, every fault with the lines to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import counted, details, headline, notes, verdicts
from xentcli.render.markdown import escaped
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, Fault, ImplementationResult
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """The report in GitHub-flavoured Markdown."""
    return "\n\n".join(_blocks(printable(report))) + "\n"


def _blocks(report: ConformanceReport) -> Iterator[str]:
    yield f"### xent conform: {report.verdict}"
    yield f"{escaped(report.summary)} ({counted(report)})"
    faults = [(result, fault) for result in report.implementations for fault in result.faults]
    if faults:
        yield "\n".join(f"- {_sentence(*each)}" for each in faults)
    grid = verdicts(report)
    lines = (map(escaped, grid.head), ("---" for _ in grid.head), *(map(escaped, row) for row in grid.rows))
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    for each in faults:
        yield from _fault(*each)
    for result in report.implementations:
        said = [f"- {word}: {escaped(text)}" for word, text in notes(result)]
        if said:
            yield "\n".join(said)


def _sentence(result: ImplementationResult, fault: Fault) -> str:
    return f"**{fault.outcome}**: {escaped(result.name)}: {escaped(headline(fault))}"


def _fault(result: ImplementationResult, fault: Fault) -> Iterator[str]:
    yield _sentence(result, fault)
    yield "\n".join(f"- {word}: {text if word == 'known' else escaped(text)}" for word, text in details(fault))
    if fault.worst.reproduction:
        yield "\n".join(("```python", *fault.worst.reproduction, "```"))
