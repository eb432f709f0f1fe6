"""The formats of a comparison, by the names of those of `xent compute`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from xentcli.render.comparison.claims import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page, Piece

MODULES = {
    name: f"xentcli.render.comparison.{name}" for name in ("table", "json", "csv", "markdown", "junit", "github", "npy")
} | {"html": "xentcli.render.html.comparison"}


def last_line(comparison: Comparison) -> str:
    """What was found of each other side, with the verdict on limits and claims where there are some."""
    return "\n".join(f"{verdict(one)}: {one.summary}" for one in comparison.comparisons)


def render(comparison: Comparison, name: str, page: Page) -> Iterator[Piece]:
    """The comparison in the format called `name`, in pieces where it may be long; a text ends with one newline."""
    found: Piece | Iterator[Piece] = import_module(MODULES[name]).render(comparison, page)
    yield from [found] if isinstance(found, (str, bytes)) else found
