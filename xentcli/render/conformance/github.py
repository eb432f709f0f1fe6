"""The report as workflow commands, which GitHub Actions shows as annotations; the verdict is the last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import details, headline
from xentcli.render.github import command
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.conformance import ConformanceReport, Fault
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """A line for every fault, for every stale expectation, and for the verdict."""
    report = printable(report)
    lines = [
        command("error", f"{result.name}: {fault.worst.name}", _text(fault))
        for result in report.implementations
        for fault in result.faults
    ]
    lines += [
        command("warning", f"{result.name}: stale", f"{pattern} was expected to fail and does not")
        for result in report.implementations
        for pattern in result.stale
    ]
    level = "notice" if report.verdict in {"conforms", "conforms in part", "unsupported"} else "error"
    return "".join(
        f"{line}\n" for line in [*lines, command(level, "xent conform", f"{report.verdict}: {report.summary}")]
    )


def _text(fault: Fault) -> str:
    told = (f"{word}: {text}" for word, text in details(fault))
    return "\n".join((headline(fault), *told, *fault.worst.reproduction))
