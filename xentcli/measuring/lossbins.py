"""The true losses of samples in bins of a logarithmic scale: counts and exact sums, which add up in any split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.exactsum import ExactSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.losses.reference import Rows

    Floats = NDArray[np.float64]

DECADES = range(-8, 4)
MANTISSAS = ("1", "1.7782794100389228", "3.1622776601683795", "5.623413251903491")  # powers of 10^(1/4)
# of negative losses, of those below 1e-8, and of those from 1e4 on there is a bin each beside the others
EDGES = (0.0, *(float(f"{mantissa}e{decade}") for decade in DECADES for mantissa in MANTISSAS), 1e4)
ENDS = np.array((-np.inf, *EDGES, np.inf))  # bin k is from ENDS[k] to below ENDS[k + 1]

# every loss of a bin that has both ends is so many times 2^EXPONENTS[k] (53 bits from the least of them), below 2^54
EXPONENTS = np.frexp(ENDS[2:-2])[1] - 53
OPEN = (0, 1, len(ENDS) - 2)  # the other bins
HALF = 27  # bits of each half of such a number, whose sums float64 holds exactly

CELL = 44  # bits of a float64 that do not tell its cell, in which all values are in one bin, but for those near edges
CLEAR = 2.0**-10  # a part of a loss: where its enclosure reaches no further, its cell tells the bin of all of it
UNSURE = 255
ROUNDED = 2.0**-52  # how far an end of an enclosure is rounded, relatively, and more


@dataclass(frozen=True)
class LossSum:
    """The rows of a bin."""

    rows: int
    total: ExactSum

    def __add__(self, other: LossSum) -> LossSum:
        return LossSum(self.rows + other.rows, self.total + other.total)


@dataclass(frozen=True)
class LossBins:
    """Rows by their losses; bin k holds those from ENDS[k] to below ENDS[k + 1], and empty ones are left out."""

    bins: dict[int, LossSum]
    others: ExactSum  # of the losses that are no numbers
    on_edges: int  # rows whose enclosures reach into another bin

    @classmethod
    def of(cls, rows: Rows) -> LossBins:
        """Those of some rows that count."""
        finite = np.isfinite(rows.loss)
        own = rows if finite.all() else rows.rows(np.flatnonzero(finite))
        reach = own.radius + ROUNDED * np.abs(own.loss)
        place = _cells()[own.loss.view(np.int64) >> CELL]
        near = np.flatnonzero((place == UNSURE) | ~(reach < CLEAR * own.loss))
        on_edges = 0
        if near.size:
            place[near], on_edges = _close(own.rows(near), reach[near])
        return cls(_binned(own.loss, place), ExactSum.of(rows.loss[~finite]), on_edges)

    @property
    def infinite(self) -> int:
        """Rows with an infinite loss, of either sign."""
        return self.others.positive_infinities + self.others.negative_infinities

    def __add__(self, other: LossBins) -> LossBins:
        bins = self.bins | other.bins | {key: self.bins[key] + other.bins[key] for key in self.bins & other.bins.keys()}
        bins = dict(sorted(bins.items()))
        return LossBins(bins, self.others + other.others, self.on_edges + other.on_edges)


def _lower(rows: Rows, reach: Floats) -> Floats:
    """The lower ends of the enclosures; never below 0 where no term is negative."""
    lower: Floats = rows.loss - reach
    is_sum = (rows.scale >= 0.0) & (rows.coefficient_sum == rows.coefficient_total)
    return np.maximum(lower, 0.0, out=lower, where=is_sum)


def _close(rows: Rows, reach: Floats) -> tuple[NDArray[np.uint8], int]:
    """The bin of each of these rows, and how many may be in another one."""
    place = np.searchsorted(EDGES, rows.loss, side="right").astype(np.uint8)
    reaches = (_lower(rows, reach) < ENDS[place]) | (rows.loss + reach >= ENDS[place + 1])
    return place, int(np.count_nonzero(reaches))


@cache
def _cells() -> NDArray[np.uint8]:
    """The bin of every float64, by its sign, its exponent and 8 bits of its mantissa; UNSURE near edges.

    Negative numbers count from the end, as Python's indices do.  A search for each value takes eight times as long.
    """
    cells = np.empty(1 << (64 - CELL), np.uint8)
    first, last = (int(np.float64(edge).view(np.int64)) >> CELL for edge in (EDGES[1] / 2.0, EDGES[-1] * 2.0))
    lower = (np.arange(first, last) << CELL).view(np.float64)
    ends = (lower * (1.0 - CLEAR), lower * (1.0 + 2.0**-8) * (1.0 + CLEAR))
    below, above = (np.searchsorted(EDGES, end, side="right") for end in ends)
    cells[:first], cells[first:last] = 1, np.where(below == above, below, UNSURE)
    cells[last : len(cells) // 2], cells[len(cells) // 2 :] = len(EDGES), 0
    return cells


def _binned(values: Floats, place: NDArray[np.uint8]) -> dict[int, LossSum]:
    """The sums of each bin, for up to 2^26 values."""
    counts = np.bincount(place, minlength=len(ENDS) - 1).tolist()
    whole = values * _scales()[place]
    high = np.floor(whole * 2.0**-HALF)
    whole -= high * 2.0**HALF
    halves = zip(*(np.bincount(place, half, len(counts)).tolist() for half in (high, whole)), strict=True)
    totals = [(int(top) << HALF) + int(rest) for top, rest in halves]
    sums = {
        number: ExactSum.of(values[place == number])
        if number in OPEN
        else ExactSum.of_multiples(totals[number], int(EXPONENTS[number - 2]))
        for number, count in enumerate(counts)
        if count
    }
    return {number: LossSum(counts[number], total) for number, total in sums.items()}


@cache
def _scales() -> Floats:
    """What makes a whole number of a loss in each bin; 0 of those in open ones."""
    return np.concatenate([np.zeros(2), np.ldexp(1.0, -EXPONENTS), np.zeros(1)])
