"""The comparison as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> str:
    """Everything, for scripts."""
    return json.dumps(comparison.to_dict(), indent=2, allow_nan=False) + "\n"
