"""Several other sides, a column each, as many beside each other as the page has room for."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.comparison.cells import BLOCKS
from xentcli.render.ends import spelled
from xentcli.render.fitting import NARROWEST_GAP, grid_width
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.records.comparison import Compared
    from xentcli.records.statistic import Statistic

GAP = 2


def short_names(compared: Sequence[Compared]) -> tuple[str, ...]:
    """The last parts of the names of all sides, as many as tell them apart."""
    parts = [PurePath(one.name).parts for one in compared]
    for count in range(1, max(map(len, parts)) + 1):
        names = tuple("/".join(each[-count:]) for each in parts)
        if len(set(names)) == len(names):
            return names
    return tuple(f"{place} {one.name}" for place, one in enumerate(compared, 1))


def blocks_beside(compared: Sequence[Compared], width: int) -> Iterator[tuple[str, Grid]]:
    """Each block's heading and its statistics, with the quoted standard error of each; then the next sides'."""
    names = short_names(compared)
    columns = [(name, one) for name, one in zip(names, compared, strict=True)]
    together = _together(columns, width)
    for start in range(0, len(columns), together):
        for heading, titles in BLOCKS.items():
            shown = columns[start : start + together]
            grid = _grid(titles, shown)
            if grid.rows:
                yield heading, grid if grid_width(grid, NARROWEST_GAP) <= width else _grid(titles, shown, errors=False)


def _together(columns: Sequence[tuple[str, Compared]], width: int) -> int:
    """How many columns fit on the page, at least one."""
    grids = [_grid(titles, columns) for titles in BLOCKS.values()]
    widths = [[max(map(len, column)) for column in zip(grid.head, *grid.rows, strict=True)] for grid in grids]
    first, *others = (max(column) for column in zip(*widths, strict=True))
    return max(1, (width - int(first)) // (int(max(others)) + GAP))


def _grid(titles: dict[str, str], columns: Sequence[tuple[str, Compared]], *, errors: bool = True) -> Grid:
    known = [name for name in titles if all(name in one.statistics for _, one in columns)]
    rows = tuple((titles[name], *(_cell(one.statistics[name], errors=errors) for _, one in columns)) for name in known)
    return Grid(("", *(name for name, _ in columns)), rows)


def _cell(each: Statistic, *, errors: bool) -> str:
    error = each.se if each.group_se is None else each.group_se
    return spelled(each) if error is None or not errors else f"{spelled(each)} ± {brief(error)}"
