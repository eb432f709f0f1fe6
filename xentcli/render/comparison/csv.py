"""The comparison as CSV: a line a statistic and a line a part of the rows, or, without a reduction, a line a row."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page

HEAD = ("name", "statistic", "value", "lower", "upper", "se", "group_se", "p")


def render(comparison: Comparison, _page: Page) -> str:
    """All statistics of all sides."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for one in comparison.comparisons:
        for name, each in one.statistics.items():
            cells = (each.value, each.lower, each.upper, each.se, each.group_se, each.p)
            writer.writerow([one.name, name, *("" if cell is None else repr(cell) for cell in cells)])
    return text.getvalue()
