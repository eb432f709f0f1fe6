"""What the rows of given probabilities add up to, enclosed: what they miss of 1 is the model's, or the program's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.class_sums import WORKING_SET, fold
from xentcli.losses.reference import KERNEL, TINY, UNIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.losses.class_sums import Floats, Logits
    from xentcli.losses.truth import Terms
    from xentcli.numbers.given import Form


@dataclass(frozen=True)
class Found:
    """Entries that have something in common: how many, and where the first one stands."""

    count: int = 0
    row: int = -1
    index: int = -1  # of the class

    @classmethod
    def where(cls, mask: NDArray[np.bool_], rows: NDArray[np.int64]) -> Found:
        """The entries of a block that a mask names, [rows, classes], whose rows have these numbers."""
        count = int(np.count_nonzero(mask))
        if not count:
            return cls()
        row, index = divmod(int(np.argmax(mask)), mask.shape[1])
        return cls(count, int(rows[row]), index)

    def __add__(self, other: Found) -> Found:
        first = self if self.count else other
        return Found(self.count + other.count, first.row, first.index)


@dataclass(frozen=True)
class RowSums:
    """The row, of those that count, that adds up to something furthest from 1.

    The greatest |Σ_c p_c − 1| of all rows lies between `lower` and `upper`; `total` is about the sum of that row.
    """

    lower: float = 0.0
    upper: float = 0.0
    total: float = 1.0
    row: int = -1  # none
    zeros: Found = Found()
    above: Found = Found()  # greater than 1

    def __add__(self, other: RowSums) -> RowSums:
        worst = other if self.row < 0 or other.upper > self.upper else self
        return RowSums(
            lower=max(self.lower, other.lower),
            upper=max(self.upper, other.upper),
            total=worst.total,
            row=worst.row,
            zeros=self.zeros + other.zeros,
            above=self.above + other.above,
        )


SHARES: dict[Form, Callable[[Logits], Floats]] = {
    "log-probabilities": lambda numbers: np.exp(numbers, dtype=np.float64),
    "probabilities": lambda numbers: numbers.astype(np.float64),
}
ERRORS: dict[Form, float] = {"log-probabilities": KERNEL, "probabilities": 0.0}  # of a share, in units of roundoff


def row_sums(given: Form, terms: Terms, counted: NDArray[np.bool_], first_row: int) -> RowSums:
    """Of a block's rows that count, [rows].

    A sum is off by no more than its shares' errors, h of its additions' and one of the difference to 1, each
    relative to the sum of non-negative shares: (κ + h + 2)·u·(S + 1) + C·2⁻¹⁰²².
    """
    rows, classes = np.flatnonzero(counted), terms.logits.shape[1]
    step, total = max(1, WORKING_SET // max(1, classes)), RowSums()
    with np.errstate(all="ignore"):
        for start in range(0, len(rows), step):
            chosen = rows[start : start + step]
            total += _of(given, SHARES[given](terms.logits[chosen]), chosen + first_row)
    return total


def _of(given: Form, shares: Floats, rows: NDArray[np.int64]) -> RowSums:
    zeros, above = Found.where(shares == 0.0, rows), Found.where(shares > 1.0, rows)
    sums = fold(shares)
    roundings = ERRORS[given] + (shares.shape[1] - 1).bit_length() + 2.0
    radius = (1.0 + 2.0**-20) * UNIT * roundings * (sums + 1.0) + shares.shape[1] * TINY
    off = np.abs(sums - 1.0)
    worst = int(np.argmax(off + radius))
    return RowSums(
        lower=max(0.0, math.nextafter(float((off - radius).max()), -math.inf)),
        upper=math.nextafter(float(off[worst] + radius[worst]), math.inf),
        total=float(sums[worst]),
        row=int(rows[worst]),
        zeros=zeros,
        above=above,
    )
