"""What every page has in common: what was read, what was noticed, and what was claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.html.document import Notice
from xentcli.render.wording import (
    SEVERITIES,
    byte_claim,
    byte_claim_details,
    cause_details,
    claim,
    claim_details,
    finding_details,
    row_claims,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.records.report import ArrayInfo, Finding, Report, Tool

CLAIMED = {True: "holds", False: "fails", None: "undecided"}


def made_by(tool: Tool) -> str:
    """Which program made the numbers."""
    return f"{tool.name} {tool.version}, torch {tool.torch}"


def both_paths(grid: Grid) -> Grid:
    """The losses of both paths without the true one, whose many digits are said above the table."""
    return Grid(grid.head, tuple(row for row in grid.rows if row[0] in {"library", "manual"}))


def array_row(name: str, info: ArrayInfo) -> tuple[str, ...]:
    """What was read of one file."""
    return (name, " × ".join(map(str, info.shape)) or "scalar", info.dtype, values(info.range), info.format, info.path)


def noticed(findings: Iterable[Finding]) -> tuple[Notice, ...]:
    """Each finding with its rows and its hint."""
    return tuple(Notice(SEVERITIES[each.severity], each.message, tuple(finding_details(each))) for each in findings)


def claimed(report: Report) -> Iterator[Notice]:
    """Each claim, with what would give it instead."""
    if report.expectation:
        yield Notice(CLAIMED[report.expectation.holds], f"the claim {claim(report)}", tuple(claim_details(report)))
    if report.byte_claim:
        details = tuple(byte_claim_details(report.byte_claim))
        yield Notice(CLAIMED[report.byte_claim.holds], f"the claim {byte_claim(report.byte_claim)}", details)
    if report.row_claims:
        cause = tuple(cause_details(report.row_claims.cause)) if report.row_claims.cause else ()
        yield Notice(CLAIMED[report.row_claims.holds], f"claims of rows: {row_claims(report.row_claims)}", cause)
