"""The comparison as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import indent
from typing import TYPE_CHECKING, Any

from xentcli.records.pairs import AllRows
from xentcli.records.report import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison, RowPair
    from xentcli.render.page import Page

NO_ROWS = '"rows": []'  # within a string the quotes would be escaped
DEPTH = " " * 8  # of a row


def render(comparison: Comparison, _page: Page) -> Iterator[str]:
    """Everything, for scripts; every row is written as it is read."""
    every = [one.rows for one in comparison.comparisons if isinstance(one.rows, AllRows) and one.rows]
    if len(every) < len(comparison.comparisons):
        yield _dumped(comparison.to_dict()) + "\n"
        return
    without = tuple(replace(one, rows=()) for one in comparison.comparisons)
    first, *others = _dumped(replace(comparison, comparisons=without).to_dict()).split(NO_ROWS)
    yield first
    for rows, after in zip(every, others, strict=True):
        yield NO_ROWS.removesuffix("]")
        yield from map(_row, range(len(rows)), rows)
        yield f"\n      ]{after}"
    yield "\n"


def _row(place: int, row: RowPair) -> str:
    return f"{',' if place else ''}\n{indent(_dumped(plain(row)), DEPTH)}"


def _dumped(content: Any) -> str:
    return json.dumps(content, indent=2, allow_nan=False)
