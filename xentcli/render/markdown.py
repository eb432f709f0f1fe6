"""The report for a pull request's comment: the verdict first, tables in GitHub's Markdown, the samples folded away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xentcli.render.cells import LEFT, Grid, inputs, losses, notes, tabled, totals
from xentcli.render.metrics import metric_sections
from xentcli.render.wording import (
    SEVERITIES,
    byte_claim,
    byte_claim_details,
    changed_options,
    claim,
    claim_details,
    facts,
    finding_details,
    left_out,
    scope,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import Finding, Report
    from xentcli.render.page import Page


def render(report: Report, page: Page) -> Iterator[str]:
    """The report in GitHub-flavoured Markdown."""
    yield "\n\n".join(filter(None, _blocks(tabled(report, page.rows)))) + "\n"


def _blocks(report: Report) -> Iterator[str]:
    yield f"### xent: {report.verdict}"
    yield escaped(report.summary)
    yield f"**{scope(report)}**"
    yield _table(totals(report))
    yield _list(facts(report))
    yield from (_table(grid) for _, grid in metric_sections(report))
    yield from (_finding(SEVERITIES[finding.severity], finding) for finding in report.findings)
    if report.expectation:
        yield f"**claim**: {escaped(claim(report))}\n{_list(claim_details(report))}".rstrip()
    if report.byte_claim:
        details = _list(byte_claim_details(report.byte_claim))
        yield f"**claim**: {escaped(byte_claim(report.byte_claim))}\n{details}"
    yield _table(inputs(report))
    yield _list([*notes(report), ("options", changed_options(report)), ("settings", settings(report))])
    yield from _samples(report)


def _samples(report: Report) -> Iterator[str]:
    if report.samples:
        yield f"<details><summary>Losses of {len(report.samples):,} samples, in nats</summary>"
        yield _table(losses(report))
        yield escaped(left_out(report))
        yield "</details>"


def _table(grid: Grid) -> str:
    rule = (":--" if name in LEFT else "--:" for name in grid.head)
    lines = (grid.head, rule, *(map(escaped, row) for row in grid.rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {word}: {escaped(text)}" for word, text in entries if text)


def _finding(word: str, finding: Finding) -> str:
    return f"**{word}**: {escaped(finding.message)}\n{_list(finding_details(finding))}".rstrip()


def escaped(text: str) -> str:
    """The text with a backslash before every sign that Markdown or HTML would read, the table's `|` too."""
    return re.sub(r"[\\`*_\[\]<>&|~#]", r"\\\g<0>", text)
