"""The report as workflow commands, which GitHub Actions shows as annotations; the verdict is the last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.report import is_at_fault
from xentcli.render.metrics import carried
from xentcli.render.wording import (
    byte_claim,
    byte_claim_details,
    claim,
    claim_details,
    finding_details,
    path_failure,
    paths,
    printable,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Report
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

LEVELS = {"info": "notice", "warning": "warning", "error": "error"}
OF_VERDICT = {"holds": "notice", "undecided": "error", "fails": "error"}


def render(report: Report, _page: Page) -> Iterator[str]:
    """A line for everything that does not hold, for every finding, and for the verdict."""
    yield from (f"{line}\n" for line in _commands(printable(report)))


def _commands(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield command(
            LEVELS[finding.severity], f"xent: {finding.code}", _message(finding.message, finding_details(finding))
        )
    for name, result in paths(report):
        if result.status not in {"within", None}:
            level = "error" if is_at_fault(name, result.status) else "warning"
            yield command(level, f"xent: {name}", path_failure(result, report))
    for by, parts in (report.groups or {}).items():
        if parts:
            yield command("notice", f"xent: by {by}", carried(by, parts))
    if report.expectation:
        level = "notice" if report.expectation.holds else "error"
        yield command(level, "xent: claim", _message(claim(report), claim_details(report)))
    if report.byte_claim:
        level = "notice" if report.byte_claim.holds else "error"
        details = byte_claim_details(report.byte_claim)
        yield command(level, "xent: claim", _message(byte_claim(report.byte_claim), details))
    yield command(OF_VERDICT[report.verdict], "xent", verdict(report))


def command(level: str, title: str, message: str) -> str:
    """One workflow command, escaped as in command.ts of https://github.com/actions/toolkit."""
    title = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _message(first: str, details: list[Entry]) -> str:
    return "\n".join([first, *map(": ".join, details)])
