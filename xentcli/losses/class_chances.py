"""How the probability of each class sits with how often it is the label: tables for classwise calibration.

A row gives its label y, and each class c the chance p_c = exp(−d_c)/(1 + T). By class and bin, [lo, hi) of equal width
and the last one closed, what is added up is 1[y = c] − p_c, in whole units of 2⁻⁴⁰: such sums are exact in any order.

Few chances of a row reach the second bin, as they add up to 1: those are looked for and placed one by one; all others
are in the first bin of their class, whatever the number of classes, and cost one more pass over what is in the cache.

A chance p is off by at most p·ε(C) and half a unit, ε = u·(K + h + 2E + ln n + E·ln C + 8): K = 760 and what is said of
the confidence in `measuring.predictions`, with T/(1 + T)·ln(n/T) ≤ ln n + 1/e and λ ≤ ln C in δ of `losses.reference`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.additions import height
from xentcli.numbers.wholes import Wholes
from xentcli.statistics.calibration import BINS, CLASS_BITS, ClassBins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bools = NDArray[np.bool_]

SLOTS = BINS + 1  # of a class: a chance of 1 falls behind the last bin, and is put into it at the end
MOST_CLASSES = 1 << 12  # beyond, adding up the tables of blocks would take longer than the losses
CARRIER = 2.0 ** (52 - CLASS_BITS)  # a number from 0 to 1 that is added to it is rounded to a unit
CARRIED = int(np.float64(CARRIER).view(np.int64))
ROUNDOFF = 2.0**-53
LEAST = CARRIED + int((1.0 / BINS - 2.0**-30) / 2.0**-CLASS_BITS)  # what is below is surely in the first bin


def chance_error(classes: int) -> float:
    """ε(C): how far a chance may be off, relatively, before it is rounded to a unit."""
    others = max(1, classes - 1)
    terms = 760.0 + height(classes) + 16.0 + math.log(others) + 8.0 * math.log(classes) + 8.0
    return (1.0 + 2.0**-20) * ROUNDOFF * terms


def reach(classes: int) -> float:
    """How far from its place a rounded chance may be, in widths of a bin."""
    return BINS * (chance_error(classes) + 2.0**-CLASS_BITS)


@dataclass(frozen=True)
class ClassChances:
    """A block's table, to be filled; whatever its rows are, the table and what is open are shared."""

    ignored: Bools  # [rows]
    table: Integers  # [classes·SLOTS]
    doubtful: Integers  # [1], Σ |1[y = c] − p_c| of what may be in the next bin, or in the one before; rounded up

    @classmethod
    def empty(cls, ignored: Bools, classes: int) -> ClassChances | None:
        """None of more classes than there are tables for."""
        if classes > MOST_CLASSES:
            return None
        return cls(ignored, np.zeros(classes * SLOTS, np.int64), np.zeros(1, np.int64))

    def rows(self, chosen: slice) -> ClassChances:
        """Of some rows."""
        return ClassChances(self.ignored[chosen], self.table, self.doubtful)

    def bins(self) -> ClassBins:
        """What was filled in; a chance of 1 is in the last bin."""
        slots = self.table.reshape(-1, SLOTS)
        gaps = slots[:, :BINS].copy()
        gaps[:, -1] += slots[:, BINS]
        radius = chance_error(len(slots)) / len(slots) + 2.0 ** -(CLASS_BITS + 1)
        return ClassBins(Wholes.of(gaps.reshape(-1)), Wholes.of(self.doubtful), radius)

    def add(self, shares: Floats, excess: Floats, labels: Integers, memory: Floats) -> None:
        """The rows whose exp(−d) these are, [rows, classes] as in a `Grid`; memory is as large, and both are lost."""
        confidence = 1.0 / (1.0 + excess)
        counted = ~self.ignored & (confidence > 0.0)  # neither is a row without a softmax
        rows, own = np.arange(len(labels)), labels
        if not counted.all():
            rows = np.flatnonzero(counted)
            own = labels[rows]
            np.copyto(shares, 0.0, where=~counted[:, None])
            confidence[~counted] = 0.0
        chances = _Chances.of(shares, confidence, memory)
        self._add_labels(own, chances.at(chances.position(rows, own)))
        self._place(labels, chances)
        self.table[::SLOTS] -= chances.first_bin()

    def _add_labels(self, labels: Integers, shares: Floats) -> None:
        """1 for each label, in the bin of its chance."""
        np.add.at(self.table, labels * SLOTS + (shares * BINS).astype(np.int64), 1 << CLASS_BITS)

    def _place(self, labels: Integers, chances: _Chances) -> None:
        """All that may be beyond the first bin, one by one; of the others, what is left is in the first."""
        found = _true(chances.whole >= LEAST)
        if not found.size:
            return
        shares = chances.at(found)
        scaled = shares * BINS
        places = scaled.astype(np.int64)
        slots = chances.classes_of(found) * SLOTS + places
        np.subtract.at(self.table, slots, chances.units(found))
        scaled -= places
        reached = reach(chances.shape[1])
        if float(scaled.min()) <= reached or float(scaled.max()) >= 1.0 - reached:
            near = np.minimum(scaled, 1.0 - scaled) <= reached
            self._doubt(labels, chances, found[near & (shares < 1.0 - 0.5 / BINS)])
        chances.whole[found] = CARRIED

    def _doubt(self, labels: Integers, chances: _Chances, near: Integers) -> None:
        """Those at these positions, in order, may be in another bin."""
        if near.size:
            is_label = labels[chances.rows_of(near)] == chances.classes_of(near)
            parts = (is_label.astype(np.int64) << CLASS_BITS) - chances.units(near)
            self.doubtful[0] += int((np.abs(parts) + 1).sum())


@dataclass(frozen=True)
class _Chances:
    """The chances of some rows, in flat memory that lies class by class or row by row."""

    whole: Integers  # plus CARRIER, as bits: whole units more than CARRIED
    shape: tuple[int, int]
    is_by_class: bool

    @classmethod
    def of(cls, shares: Floats, confidence: Floats, memory: Floats) -> _Chances:
        """Of exp(−d), [rows, classes]; the memory becomes theirs."""
        is_by_class = shares.strides[0] < shares.strides[1]
        by_memory, factors = (shares.T, confidence) if is_by_class else (shares, confidence[:, None])
        carried = memory[: shares.size]
        np.multiply(by_memory, factors, out=carried.reshape(by_memory.shape))
        np.add(carried, CARRIER, out=carried)
        return cls(carried.view(np.int64), (len(shares), shares.shape[1]), is_by_class)

    def position(self, rows: Integers, classes: Integers) -> Integers:
        """Of one class of each row."""
        return classes * self.shape[0] + rows if self.is_by_class else rows * self.shape[1] + classes

    def rows_of(self, positions: Integers) -> Integers:
        return positions % self.shape[0] if self.is_by_class else positions // self.shape[1]

    def classes_of(self, positions: Integers) -> Integers:
        """Of positions in order."""
        rows, classes = self.shape
        if not self.is_by_class:
            return positions % classes
        each = np.arange(classes)
        return np.repeat(each, np.diff(np.searchsorted(positions, np.arange(classes + 1) * rows)))

    def units(self, positions: Integers) -> Integers:
        """The chances there, in whole units."""
        return self.whole[positions] - CARRIED

    def at(self, positions: Integers) -> Floats:
        """The chances there; exact, as units are."""
        chances: Floats = self.whole.view(np.float64)[positions] - CARRIER
        return chances

    def first_bin(self) -> Integers:
        """The sum of each class, [classes], in units; sums wrap round, and that of CARRIER's bits takes it back."""
        rows, classes = self.shape
        by_row = self.whole.reshape(classes, rows).T if self.is_by_class else self.whole.reshape(rows, classes)
        total: Integers = by_row.sum(axis=0) - np.full(1, rows) * CARRIED
        return total


def _true(mask: Bools) -> Integers:
    """Where it is true; eight at a time are looked at where it hardly ever is."""
    if mask.size % 8 or 16 * np.count_nonzero(mask) > mask.size:
        return np.flatnonzero(mask)
    eights = np.flatnonzero(mask.view(np.uint64))
    rows, places = np.nonzero(mask.reshape(-1, 8)[eights])
    return eights[rows] * 8 + places
