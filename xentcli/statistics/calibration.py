"""Whether probabilities are frequencies: calibration errors over bins, with what edges and ties leave open proven.

A row has a confidence c, the probability of the class that the model chose, and is a hit or not. Over bins b of n rows

    ECE = Σ_b |Σ_{i in b} (hit_i − c_i)|/n        MCE = max_b |Σ_{i in b} (hit_i − c_i)|/n_b

M. Naeini, G. Cooper, M. Hauskrecht (2015); C. Guo, G. Pleiss, Y. Sun, K. Weinberger (2017). Equal bins are [lo, hi),
the last one closed. A row that may be on both sides of an edge changes two sums, each by 1 at most, and a hit that a
tie decides one: with k and t of them the ECE is within (2k + t)/n and the greatest radius of a confidence.

Confidences are counted in whole units of 2⁻⁵³, so that sums are exact in any order; that is part of the radius.

Classwise, every class c has bins of its own, of the probability p_c that each row gives it, and counts alike:

    classwise ECE = Σ_c Σ_b |Σ_{i in b of c} (1[y_i = c] − p_ic)|/(C·n)

M. Kull et al. (2019), Beyond temperature scaling. No maximum is asked for, so that ties decide nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.numbers.units import Units
from xentcli.numbers.wholes import Wholes
from xentcli.statistics.cells import Cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Integers = NDArray[np.integer[Any]]
    Ends = tuple[float, float, float]  # a value, and between what it lies by proof

BINS = 15
BITS = 53  # of a unit of confidence
HALF = 27  # bits of each half of it, whose sums float64 holds exactly
UNIT = 2.0**-BITS
CLASS_BITS = 40  # of a unit of the probability of a class: so many rows of a block add up in 64 bits
EDGE = 2.0**-50  # how far c·15 may be rounded, and more


@dataclass(frozen=True)
class Bins:
    """Rows by confidence, in bins of equal width from 0 to 1; whole numbers, which add up exactly."""

    rows: tuple[int, ...]
    hits: tuple[int, ...]
    confidences: tuple[Units, ...]  # Σ c, in units of 2⁻⁵³
    variances: tuple[Units, ...]  # Σ c(1 − c), in the same
    edges: tuple[int, ...]  # rows that may be in the next bin, or in the one before
    tied: tuple[int, ...]  # rows of which a tie decides whether they are hits
    radius: float  # the greatest of a confidence; infinite where one is not a number

    @classmethod
    def of(cls, confidences: Floats, radii: Floats, hit: Bools, is_tied: Bools, bins: int = BINS) -> Bins:
        """Those of some rows whose confidences, [rows], are enclosed."""
        reach = (radii + UNIT) * bins + EDGE
        scaled = confidences * bins
        place = np.clip(scaled.astype(np.int64), 0, bins - 1)
        is_near = ~(np.abs(scaled - np.rint(scaled)) > reach)  # what is no number is on every edge
        edges = _counts(place, np.flatnonzero(is_near)[_on_edges(scaled[is_near], reach[is_near], bins)], bins)
        hits, tied = (_counts(place, np.flatnonzero(chosen), bins) for chosen in (hit, is_tied))
        sure, varied = (_sums(each, place, bins) for each in (confidences, confidences * (1.0 - confidences)))
        rows = tuple(np.bincount(place, minlength=bins).tolist())
        greatest = float(radii.max(initial=0.0))
        return cls(rows, hits, sure, varied, edges, tied, (math.inf if math.isnan(greatest) else greatest) + UNIT)

    def __add__(self, other: Bins) -> Bins:
        rows, hits, edges, tied = (self._added(name, other) for name in ("rows", "hits", "edges", "tied"))
        sure, varied = (tuple(map(Units, self._added(name, other))) for name in ("confidences", "variances"))
        return Bins(rows, hits, sure, varied, edges, tied, max(self.radius, other.radius))

    def _added(self, name: str, other: Bins) -> tuple[int, ...]:
        return tuple(map(add, getattr(self, name), getattr(other, name)))


@dataclass(frozen=True)
class Calibration:
    """How far confidences are from frequencies."""

    ece: Ends
    mce: Ends
    calibrated: float  # the ECE to be expected of a perfectly calibrated model with these confidences


def _on_edges(scaled: Floats, reach: Floats, bins: int) -> Bools:
    """Whether what is so far from its place, in widths of a bin, may be in another one."""
    lowest, highest = (np.clip(np.floor(scaled + side * reach), 0, bins - 1) for side in (-1.0, 1.0))
    is_open: Bools = lowest != highest
    return is_open


def _counts(place: Integers, chosen: Integers, bins: int) -> tuple[int, ...]:
    """Of the chosen rows, by bin."""
    return tuple(np.bincount(place[chosen], minlength=bins).tolist())


def _sums(values: Floats, place: Integers, bins: int) -> tuple[Units, ...]:
    """Σ of values from 0 to 1 by bin, each rounded to a whole unit; exact for up to 2²⁶ rows."""
    units = np.rint(values * 2.0**BITS).astype(np.int64)
    high, low = (np.bincount(place, half, bins) for half in (units >> HALF, units & ((1 << HALF) - 1)))
    return tuple(Units((int(top) << HALF) + int(rest)) for top, rest in zip(high.tolist(), low.tolist(), strict=True))


def by_width(bins: Bins) -> Calibration:
    """The calibration errors of bins of equal width."""
    count = sum(bins.rows)
    if not count:
        return Calibration((math.nan,) * 3, (math.nan,) * 3, math.nan)
    gaps = [abs((hits << BITS) - sure) * UNIT for hits, sure in zip(bins.hits, bins.confidences, strict=True)]
    spread = sum(_expected(variance * UNIT) for variance in bins.variances)
    doubtful = 2 * sum(bins.edges) + sum(bins.tied)
    return Calibration(
        ece=_within(math.fsum(gaps) / count, doubtful / count + bins.radius + 4.0 * UNIT),
        mce=_greatest(bins, gaps),
        calibrated=spread / count,
    )


def _greatest(bins: Bins, gaps: list[float]) -> Ends:
    """MCE; a bin's sum and size change by its own rows on edges, and by those of the bins beside it."""
    values, least, most = [], [], []
    for number, (rows, gap) in enumerate(zip(bins.rows, gaps, strict=True)):
        own, beside = bins.edges[number], sum(bins.edges[max(0, number - 1) : number + 2]) - bins.edges[number]
        slack = own + beside + bins.tied[number] + (rows + beside) * (bins.radius + 4.0 * UNIT)
        values.append(gap / rows if rows else 0.0)
        least.append(max(gap - slack, 0.0) / max(rows + beside, 1))
        most.append((gap + slack) / max(rows - own, 1))
    return max(values), max(least), min(1.0, max(most))


def marked(confidences: Floats, hit: Bools) -> Floats:
    """Confidences whose last bit says whether the row is a hit: a column to be sorted, off by a rounding."""
    bits = confidences.view(np.uint64) & ~np.uint64(1) | hit.astype(np.uint64)
    return bits.view(np.float64)


def by_mass(marks: Floats, radius: float, ties: int, bins: int = BINS) -> tuple[Ends, float]:
    """ECE over bins of equally many rows, of `marked` confidences, of which `ties` hits are open; and if calibrated.

    The first bins have a row more each where the rows do not come out even.  Marks are in any order, which is kept.
    """
    count = len(marks)
    if not count:
        return (math.nan,) * 3, math.nan
    sizes = [count // bins + (number < count % bins) for number in range(bins)]
    starts = [start for start in accumulate(sizes[:-1]) if 0 < start < count]
    cells = Cells.of(marks, around=1.0)
    at = cells.at({*starts, *(start - 1 for start in starts)})
    reach, doubtful = 2.0 * (radius + UNIT), ties
    for low, high in ((at[start - 1], at[start]) for start in starts):
        if high - low <= reach:
            doubtful += 2 * int(np.count_nonzero((low - reach <= marks) & (marks < high + reach)))
    masses = _masses(cells, np.unique([at[start] for start in starts]), sizes)
    gaps = [abs((mass.hits << BITS) - mass.confidences) * UNIT for mass in masses]
    spread = sum(_expected((mass.confidences - mass.squares) * UNIT) for mass in masses)
    return _within(math.fsum(gaps) / count, doubtful / count + radius + 64.0 * UNIT), spread / count


@dataclass
class _Mass:
    """Some rows: how many, the hits, and the sums of confidences and of their squares, in units of 2⁻⁵³."""

    rows: int = 0
    hits: int = 0
    confidences: int = 0
    squares: int = 0

    def move(self, other: _Mass, most: int) -> None:
        """Into another one so many of these rows, which are all alike; or all, where there are no more."""
        own, rows = self.rows, min(self.rows, most)
        for name, value in vars(self).items():
            part = value * rows // own if own else 0
            setattr(other, name, getattr(other, name) + part)
            setattr(self, name, value - part)


def _masses(cells: Cells, edges: Floats, sizes: list[int]) -> list[_Mass]:
    """Of bins of these sizes; edges are the marks that start all but the first of them, each once.

    What is between two edges is in one bin, and what is on one is all the same.
    """
    sides = [_Mass() for _ in range(2 * len(edges) + 1)]
    for marks, side in cells.sides(edges):
        is_hit = (marks.view(np.int64) & 1).astype(np.uint8)
        counts = np.bincount(2 * side + is_hit, minlength=2 * len(sides)).reshape(-1, 2)
        sums = (_sums(each, side, len(sides)) for each in (marks, marks * marks))
        for mass, rows, hits, *both in zip(sides, counts.sum(1).tolist(), counts[:, 1].tolist(), *sums, strict=True):
            _Mass(rows, hits, *both).move(mass, rows)
    masses = [_Mass() for _ in sizes]
    for mass, size in zip(masses, sizes, strict=True):
        while mass.rows < size:
            sides[0].move(mass, size - mass.rows)
            if not sides[0].rows:
                sides.pop(0)
    return masses


def _expected(variance: float) -> float:
    """The mean size of a sum of hits less confidences, about normal with this variance, where these are frequencies."""
    return math.sqrt(2.0 / math.pi * max(variance, 0.0))


@dataclass(frozen=True)
class ClassBins:
    """Rows by the probability of each class, in units of 2^−CLASS_BITS."""

    gaps: Wholes  # Σ (1[y = c] − p_c) by class and bin, [classes·BINS]
    doubtful: Wholes  # [1], Σ |1[y = c] − p_c| of what may be in the next bin, or in the one before
    radius: float  # how far the probabilities of a row may be off on average

    def __add__(self, other: ClassBins) -> ClassBins:
        radius = max(self.radius, other.radius)
        return ClassBins(self.gaps + other.gaps, self.doubtful + other.doubtful, radius)


def by_class(bins: ClassBins, rows: int) -> Ends:
    """Classwise ECE of so many rows; what is in another bin changes the sums of two, by its own part at most."""
    all_parts = (rows * len(bins.gaps) << CLASS_BITS) // BINS
    value = bins.gaps.magnitude() / all_parts
    return _within(value, 2 * bins.doubtful.magnitude() / all_parts + bins.radius + 4.0 * UNIT * value)


def _within(value: float, slack: float) -> Ends:
    return value, max(0.0, value - slack), min(1.0, value + slack)
