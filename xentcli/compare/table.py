"""The numbers of all rows that count, column by column, in memory or in a temporary file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.compare.rows import RADIUS
from xentcli.numbers.exactsum import ExactSum

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

    def column(self, name: str) -> Column:
        """A column of all rows."""
        return np.concatenate([part[name] for part in self.slices()])

    def ends(self, name: str) -> tuple[Column, Column, Column]:
        """A column whose values are enclosed: these, and their lower and upper ends."""
        value, radius = self.column(name), self.column(name + RADIUS)
        lower = np.where(radius > 0.0, np.nextafter(value - radius, -np.inf), value)
        upper = np.where(radius > 0.0, np.nextafter(value + radius, np.inf), value)
        return value, lower, upper

    def mean(self, name: str) -> Ends:
        """The mean of an enclosed column: exact sums of its values and of its radii, each rounded once."""
        total, radius = ExactSum(), ExactSum()
        for part in self.slices():
            total.add(part[name])
            radius.add(part[name + RADIUS])
        return mean_of(total, radius, len(self))

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
        for part in self.parts:
            for start in range(0, len(part), AT_ONCE):
                yield part[start : start + AT_ONCE]


def mean_of(total: ExactSum, radius: ExactSum, rows: int) -> Ends:
    """The mean of values that add up to this, each known up to its radius."""
    if not total.is_finite or not rows:
        value = total.value() if rows else math.nan
        return value, value, value
    middle = total.fraction() / rows
    if not radius.is_finite:
        return _nearest(middle), -math.inf, math.inf
    width = radius.fraction() / rows
    return _nearest(middle), _outward(middle - width, -math.inf), _outward(middle + width, math.inf)


def _nearest(value: Fraction) -> float:
    return value.numerator / value.denominator


def _outward(value: Fraction, towards: float) -> float:
    rounded = _nearest(value)
    beyond = Fraction(rounded) < value if towards > 0 else Fraction(rounded) > value
    return math.nextafter(rounded, towards) if beyond else rounded
