"""What a narrow page leaves out of a table: whole columns, those first that are missed least; no row breaks in two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.render.cells import Grid

# names of columns in the order in which they fall away; of those that are not among them the last one falls first
FALLING = (
    "format", "values", "why", "off", "difference", "± groups", "median", "nearest", "grade", "ulp", "p(label)", "adds",
    "log p_c", "a_c", "±", "allowed", "2 shift", "3 exponential", "floor?", "", "p", "error", "same top", "rows",
    "manual", "accuracy", "recall", "excess", "± rows", "cases", "dtype",
)  # fmt: skip
NARROWEST_GAP = 1


def fitted(grid: Grid, width: int) -> Grid:
    """The grid without the columns that it takes to fit, and without rows that then say nothing more.

    The first column and one more stay.
    """
    kept = grid
    for name in (*FALLING, *reversed(grid.head)):
        if grid_width(kept, NARROWEST_GAP) <= width or len(kept.head) <= 2:
            break
        if name in kept.head[1:]:
            kept = kept.without_later(name)
    rows = (new for new, old in zip(kept.rows, grid.rows, strict=True) if any(new[1:]) or not any(old[1:]))
    return replace(kept, rows=tuple(rows))


def fitting_gap(grid: Grid, width: int) -> int:
    """How far apart the columns stand: two, where the page is too narrow for that one."""
    return 2 if grid_width(grid, 2) <= width else NARROWEST_GAP


def grid_width(grid: Grid, gap: int) -> int:
    """The columns that a table takes."""
    columns = zip(grid.head, *grid.rows, strict=True)
    return sum(max(map(len, column)) + gap for column in columns) - gap
