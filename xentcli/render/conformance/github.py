"""The report as workflow commands, which GitHub Actions shows as annotations; the verdict is the last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import failures, offence
from xentcli.render.github import command
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.conformance import ConformanceReport
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """A line for every family that fails or differs, for every stale expectation, and for the verdict."""
    report = printable(report)
    lines = [
        command("error", f"{result.name}: {case.name}", "\n".join((offence(case), *case.reproduction)))
        for result in report.implementations
        for _, case in failures(result)
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
