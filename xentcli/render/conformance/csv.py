"""The report as one line a case."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import fault_of, offence

if TYPE_CHECKING:
    from xentcli.records.conformance import ConformanceReport
    from xentcli.render.page import Page

HEAD = ("implementation", "family", "case", "outcome", "grade", "digits", "what", "fault")


def render(report: ConformanceReport, _page: Page) -> str:
    """Comma-separated, with a header."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEAD)
    for result in report.implementations:
        for case in result.cases:
            fault = fault_of(result, case)
            digits = case.accuracy.digits_minimum if case.accuracy else None
            lines.writerow(
                (result.name, case.family, case.name, case.outcome, case.grade or "",
                 "" if digits is None else repr(digits), offence(case),
                 fault.name if fault else "")
            )  # fmt: skip
    return text.getvalue()
