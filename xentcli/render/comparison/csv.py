"""The comparison as CSV: a line a statistic, and a line a claim."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page

HEAD = ("name", "statistic", "value", "lower", "upper", "se", "group_se", "p", "claimed", "verdict", "cause")


def render(comparison: Comparison, _page: Page) -> str:
    """All statistics of all sides, and below them what becomes of claims."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for one in comparison.comparisons:
        for name, each in one.statistics.items():
            cells = (each.value, each.lower, each.upper, each.se, each.group_se, each.p)
            writer.writerow([one.name, name, *("" if cell is None else repr(cell) for cell in cells), "", "", ""])
        for claimed in one.expectations:
            ends = repr(claimed.lower), repr(claimed.upper)
            code = claimed.causes[0].code if claimed.causes else ""
            writer.writerow([one.name, claimed.name, "", *ends, "", "", "", claimed.claimed, claimed.verdict, code])
    return text.getvalue()
