"""The page of any record, as the part of a notebook that shows it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from xentcli.records.comparison import Comparison
from xentcli.records.conformance import ConformanceReport
from xentcli.records.explanation import Explanation
from xentcli.records.report import Report
from xentcli.render.html.write import fragment

if TYPE_CHECKING:
    from xentcli.records.showing import Shown

MODULES: dict[type, str] = {
    Report: "xentcli.render.html.report",
    Explanation: "xentcli.render.html.explanation",
    Comparison: "xentcli.render.html.comparison",
    ConformanceReport: "xentcli.render.html.conformance",
}


def shown(record: Shown) -> str:
    """What `_repr_html_` gives of one of these."""
    return fragment(import_module(MODULES[type(record)]).document(record))
