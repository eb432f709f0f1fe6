"""What the order of values tells: percentiles, and how much the greatest of them carry."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.exactsum import ExactSum
from xentcli.statistics.beta import binomial_at_most
from xentcli.statistics.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.statistics.means import Floats


@dataclass(frozen=True)
class Percentile:
    """A percentile in the values' unit, between two of them that hold it in at least 95 % of samples of such rows."""

    fraction: float
    value: float
    lower95: float | None  # None where there are too few rows on this side
    upper95: float | None


@dataclass(frozen=True, eq=False)
class Ordered:
    """Values from the least to the greatest, sorted once; all that is asked of them is NaN where one is NaN."""

    values: Floats

    @classmethod
    def of(cls, values: Floats) -> Ordered:
        """Of values in any order."""
        return cls(np.sort(values))

    @classmethod
    def divided(cls, values: Floats, fractions: Sequence[float], shares: Sequence[float]) -> Ordered:
        """For percentiles and worst shares of these alone, in a fifth of the time.

        >>> Ordered.divided(np.arange(100.0)[::-1], [0.5], [0.1]).worst_mean(0.1)
        94.5
        """
        count = values.size
        if not count or math.isnan(values.max()):
            return cls.of(values)
        places = [fraction * (count - 1) for fraction in fractions]
        asked = {0, count - 1, *map(math.floor, places), *map(math.ceil, places)}
        asked.update(rank for fraction in fractions for rank in ranks(count, fraction) if rank is not None)
        wholes = [int(max(share * count, 1.0)) for share in shares]
        asked.update(rank for whole in wholes for rank in (count - whole, count - whole - 1) if rank >= 0)
        return _Divided(values, Cells.of(values).at(asked))

    @property
    def is_told(self) -> bool:
        """Whether there are values, and none is NaN, which would stand last."""
        return bool(self.values.size) and not math.isnan(self._at(-1))

    @property
    def is_total(self) -> bool:
        """Whether each value is a part of a whole: none negative, all finite, not all 0."""
        return self.is_told and self._at(0) >= 0.0 and 0.0 < self._at(-1) < math.inf

    def percentile(self, fraction: float) -> Percentile:
        """Linear between order statistics at fraction·(n − 1), as NumPy's; see `ranks` for the interval.

        >>> Ordered.of(np.arange(100.0)).percentile(0.5)
        Percentile(fraction=0.5, value=49.5, lower95=39.0, upper95=60.0)
        """
        if not self.is_told:
            return Percentile(fraction, math.nan, None, None)
        place = fraction * (self.values.size - 1)
        below = math.floor(place)
        start, end = self._at(below), self._at(math.ceil(place))
        value = start if start in {end, -math.inf} else start + (place - below) * (end - start)
        lower, upper = ranks(self.values.size, fraction)
        return Percentile(
            fraction,
            value,
            None if lower is None else self._at(lower),
            None if upper is None else self._at(upper),
        )

    def worst_mean(self, share: float) -> float:
        """CVaR: the mean of the share·n greatest values, of which the last counts by what is left of a whole row.

        Below one row it is the greatest value. C. Acerbi and D. Tasche (2002), On the coherence of expected shortfall.

        >>> Ordered.of(np.array([1.0, 2.0, 4.0, 8.0, 16.0])).worst_mean(0.5)  # (16 + 8 + 4/2)/2.5
        10.4
        """
        if not self.is_told:
            return math.nan
        size = max(share * self.values.size, 1.0)
        whole = int(size)
        part = size - whole
        rest = part * self._at(-whole - 1) if part else 0.0
        return (self._greatest(whole).value() + rest) / size

    def worst_share(self, share: float, total: ExactSum | None = None) -> float | None:
        """What part of the total the share·n greatest carry, counted as in `worst_mean`; None of what is no total.

        total  of the values, for whoever knows it already
        """
        if not self.is_total:
            return None
        rows = share * self.values.size
        size = max(rows, 1.0)
        whole = int(size)
        part = size - whole
        worst = self._greatest(whole).fraction()
        worst += Fraction(part) * Fraction(self._at(-whole - 1)) if part else 0
        total = ExactSum.of(self.values) if total is None else total
        return float(worst * Fraction(rows) / Fraction(size) / total.fraction())

    def carrying_half(self) -> int | None:
        """The least number of rows that carry half of the total, by exact sums; None of what is no total.

        >>> Ordered.of(np.array([0.7] * 6)).carrying_half()
        3
        """
        if not self.is_total:
            return None
        half = ExactSum.of(self.values).units
        return bisect_left(range(self.values.size), half, key=lambda rows: 2 * self._greatest(rows).units)

    def _at(self, rank: int) -> float:
        """The value at a rank; from the greatest backwards where it is negative."""
        return float(self.values[rank])

    def _greatest(self, rows: int) -> ExactSum:
        """The sum of so many of them."""
        return ExactSum.of(self.values[self.values.size - rows :])


@dataclass(frozen=True, eq=False)
class _Divided(Ordered):
    """Values in any order, none of them NaN, of which some are known by their ranks."""

    known: dict[int, float]

    def _at(self, rank: int) -> float:
        return self.known[rank % self.values.size]

    def _greatest(self, rows: int) -> ExactSum:
        least = self._at(-rows)
        above = self.values[self.values > least]
        return ExactSum.of(above) + ExactSum.of([least]).times(rows - len(above))


@lru_cache(maxsize=1 << 12)
def ranks(count: int, fraction: float) -> tuple[int | None, int | None]:
    """The innermost order statistics, from 0, outside of which the percentile lies with 2.5 % at most on each side.

    As many of `count` rows are below it as a binomial X of chance `fraction` says, whatever the distribution:
    P(X ≤ lower) > 0.025 is least, and P(X ≤ upper) ≥ 0.975. H. David and H. Nagaraja (2003), Order Statistics, 7.1.
    """
    if not 0.0 < fraction < 1.0:
        return None, None
    at_most = partial(binomial_at_most, count=count, chance=fraction)
    above = bisect_right(range(count), 0.025, key=at_most)
    upper = bisect_left(range(count), 0.975, key=at_most)
    return above - 1 if above else None, upper if upper < count else None
