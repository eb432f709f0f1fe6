"""The formats of a comparison, by the names of those of `xent compute`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page

MODULES = {name: f"xentcli.render.comparison.{name}" for name in ("table", "json", "csv", "markdown")}


def last_line(comparison: Comparison) -> str:
    """The verdict, if there is one, and what was found."""
    told = "; ".join(each.summary for each in comparison.comparisons)
    return f"{comparison.verdict or 'computed'}: {told}"


def render(comparison: Comparison, name: str, page: Page) -> Iterator[str]:
    """The comparison in the format called `name`, in one piece; the text ends with exactly one newline."""
    yield import_module(MODULES[name]).render(comparison, page)
