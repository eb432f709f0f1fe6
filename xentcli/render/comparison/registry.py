"""The formats of a comparison, by the names of those of `xent compute`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from xentcli.records.report import JUDGEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Compared, Comparison
    from xentcli.render.page import Page

MODULES = {
    name: f"xentcli.render.comparison.{name}" for name in ("table", "json", "csv", "markdown", "junit", "github")
}


def last_line(comparison: Comparison) -> str:
    """What was found of each other side, with the verdict on its limits where there are some."""
    return "\n".join(f"{_verdict(one)}: {one.summary}" for one in comparison.comparisons)


def _verdict(one: Compared) -> str:
    nothing = "undecided" if not one.statistics else "computed"
    return max((gate.verdict for gate in one.gates), key=JUDGEMENTS.index, default=nothing)


def render(comparison: Comparison, name: str, page: Page) -> Iterator[str]:
    """The comparison in the format called `name`, in one piece; the text ends with exactly one newline."""
    yield import_module(MODULES[name]).render(comparison, page)
