"""The numbers of all rows that count, column by column, in memory or in a temporary file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.numbers.exactsum import ExactSum
from xentcli.sources.stored import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.records.samples import Rows

    Column = NDArray[Any]
    Ends = tuple[float, float, float]  # a value, and between what it lies by proof

AT_ONCE = 1 << 16  # rows that are read at once


@dataclass(frozen=True)
class Table:
    """Rows as `rows.FIELDS` has them, some of them at a time."""

    parts: tuple[Rows, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of a row."""
        return self.parts[0].dtype

    def column(self, name: str) -> Column:
        """A column of all rows."""
        return np.concatenate([part for rows in self.parts for part in _column(rows, name)])

    def kept(self, name: str) -> Column:
        """What tells parts of the rows apart: a column, of which the base's is meant where each side has its own."""
        return self.column(name if name in (self.kind.names or ()) else f"{name}_base")

    def ends(self, name: str) -> tuple[Column, Column, Column]:
        """A column whose values are enclosed: these, and their lower and upper ends."""
        return self.column(name), self.column(f"{name}_lower"), self.column(f"{name}_upper")

    def mean(self, name: str) -> Ends:
        """The mean of an enclosed column: exact sums of its values and of both ends, each rounded once."""
        return rounded_mean([ExactSum.of(column) for column in self.ends(name)], len(self))

    def rows(self, chosen: NDArray[np.int64]) -> Column:
        """Some rows, in this order."""
        found = np.zeros(len(chosen), next(self.slices()).dtype)
        start = 0
        for part in self.slices():
            inside = (chosen >= start) & (chosen < start + len(part))
            found[inside] = part[chosen[inside] - start]
            start += len(part)
        return found

    def slices(self) -> Iterator[Column]:
        """Some rows at a time."""
        return (some for part in self.parts for some in _slices(part))


def _column(rows: Rows, name: str) -> Iterator[Column]:
    """A column of a part, which is read alone where it lies so."""
    return iter([rows.column(name)]) if isinstance(rows, StoredColumns) else (some[name] for some in _slices(rows))


def _slices(rows: Rows) -> Iterator[Column]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def rounded_mean(totals: list[ExactSum], rows: int) -> Ends:
    """Of the exact sums of values and of both their ends: the nearest float64, and those outwards."""
    value, lower, upper = totals
    return _mean(value, rows, 0.0), _mean(lower, rows, -math.inf), _mean(upper, rows, math.inf)


def _mean(total: ExactSum, rows: int, towards: float) -> float:
    """To the nearest float64, or outwards; `towards` is 0 for the nearest."""
    if not rows or not total.is_finite:
        return total.value() if rows else math.nan
    above, below = total.units, ExactSum.of_count(rows).units
    nearest = above / below  # which Python rounds once
    numerator, denominator = nearest.as_integer_ratio()
    exact, found = above * denominator, numerator * below  # both times the same positive number
    is_inside = found < exact if towards > 0.0 else found > exact
    return math.nextafter(nearest, towards) if towards and is_inside else nearest
