"""The report as one JSON object: the record itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.records.conformance import ConformanceReport
    from xentcli.render.page import Page


def render(report: ConformanceReport, _page: Page) -> str:
    """Floats read back exactly; those that JSON lacks are the strings "nan", "inf" and "-inf"."""
    return json.dumps(report.to_dict(), allow_nan=False, indent=2) + "\n"
