"""The comparison as CSV: a line a statistic, a part of the rows and a claim, or, without a reduction, a line a row."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.records.pairs import COLUMNS, AllRows, every_row
from xentcli.render.texts import column, lines, repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from xentcli.records.breakdown import Part
    from xentcli.records.comparison import ClaimedStatistic, Compared, Comparison
    from xentcli.records.statistic import Statistic
    from xentcli.render.page import Page
    from xentcli.render.texts import Bytes

HEAD = ("name", "statistic", "value", "lower", "upper", "se", "group_se", "p")
OF_FLOOR = ("floor", "excess", "excess_lower", "excess_upper", "within")
OF_PARTS = ("by", "part", "rows")
OF_CLAIMS = ("claimed", "verdict", "cause")
STATISTICS = ("kl", "loss_difference", "same_top", "share")  # of a part


def render(comparison: Comparison, _page: Page) -> Iterator[str]:
    """All statistics of all sides and of all parts; or every row, with the name of its side where there are several."""
    if all(isinstance(one.rows, AllRows) for one in comparison.comparisons):
        yield from _rows(comparison)
        return
    yield _line((*HEAD, *OF_FLOOR, *OF_PARTS, *OF_CLAIMS))
    for one in comparison.comparisons:
        for name, each in one.statistics.items():
            yield _line((one.name, name, *_cells(each), *_beside(one, name), *("" for _ in (*OF_PARTS, *OF_CLAIMS))))
        for by, parts in one.groups.items():
            yield from (line for part in parts for line in _part_lines(one.name, by, part))
        yield from (_claim_line(one.name, each) for each in one.expectations)


def _claim_line(name: str, each: ClaimedStatistic) -> str:
    between = (name, each.name, None, each.lower, each.upper, None, None, None)
    code = each.causes[0].code if each.causes else ""
    return _line((*between, *("" for _ in (*OF_FLOOR, *OF_PARTS)), each.claimed, each.verdict, code))


def _part_lines(name: str, by: str, part: Part) -> Iterator[str]:
    for statistic in STATISTICS:
        each = getattr(part, statistic)
        if each is not None:
            yield _line((name, statistic, *_cells(each), *("" for _ in OF_FLOOR), by, part.name, part.rows, "", "", ""))


def _cells(each: Statistic) -> tuple[float | None, ...]:
    return each.value, each.lower, each.upper, each.se, each.group_se, each.p


def _beside(one: Compared, name: str) -> tuple[float | str, ...]:
    found = one.floor.statistics.get(name) if one.floor else None
    if found is None:
        return ("",) * len(OF_FLOOR)
    excess = found.excess
    return found.floor.value, excess.value, excess.lower, excess.upper, found.within


def _rows(comparison: Comparison) -> Iterator[str]:
    """None of the cells of a row has to be quoted, but for the name."""
    several = len(comparison.comparisons) > 1
    yield _line((*(["name"] if several else []), *COLUMNS))
    for one in comparison.comparisons:
        for table in every_row(one).tables():
            known = table.dtype.names or ()
            texts = [_column(table[name]) if name in known else repeated("", len(table)) for name in COLUMNS]
            begins = [repeated(_line((one.name,))[:-1], len(table))] if several else []
            yield lines([*begins, *texts])


def _column(values: NDArray[Any]) -> Bytes:
    return column(values.astype(np.int64) if values.dtype.kind == "i" else values)


def _line(cells: Iterable[float | str | None]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_spelled, cells))
    return text.getvalue()


def _spelled(cell: float | str | None) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else repr(cell)
