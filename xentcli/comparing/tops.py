"""The most probable classes of each row, and which of them two sides share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Logits = NDArray[np.float32] | NDArray[np.float64]

WIDE = 512  # classes from which on a threshold is found first, and what lies above it is sorted
LANE = 32  # classes of a lane, at most
ELEMENTS = 1 << 17  # logits that stay in the cache
MOST = 64  # classes of a row at the threshold or above, on average, that are sorted here


@dataclass(frozen=True)
class Tops:
    """The greatest logits of each row, in falling order."""

    values: Floats  # [rows, deepest]
    places: Integers
    first: Integers  # the first class of those with the greatest logit, [rows]

    @classmethod
    def of(cls, logits: Logits, deepest: int, like: Tops | None = None) -> Tops:
        """So many of each row, or all there are; `like` are those of other logits, which may be much the same."""
        rows, classes = logits.shape
        deepest = min(deepest, classes)
        found = cls(np.empty((rows, deepest)), np.empty((rows, deepest), np.int64), np.empty(rows, np.int64))
        left = np.ones(rows, bool) if classes < WIDE or not rows else ~_above_a_threshold(logits, like, found)
        if left.any():
            chosen = logits if left.all() else logits[left]
            sorted_ = torch.topk(torch.from_numpy(np.ascontiguousarray(chosen)), deepest, dim=1)
            found.values[left], found.places[left] = sorted_.values.numpy(), sorted_.indices.numpy()
            found.first[left] = chosen.argmax(axis=1)
        return found

    def is_alone(self, least: Floats) -> Bools:
        """Whether no logit but the greatest is at least this; [rows]."""
        alone = self.values[:, 0] >= least
        return alone & (self.values[:, 1] < least) if self.values.shape[1] > 1 else alone

    def members(self, count: int, slack: Floats) -> tuple[Bools, Bools, Bools]:
        """Which of these, [rows, deepest], are surely, or possibly, among the first `count` of their row.

        And the rows of which classes that are not among these may be, too.
        """
        last = self.values[:, count - 1 : count]
        possible = self.values >= last - slack
        if self.values.shape[1] == count:
            return possible, possible, np.zeros(len(self.values), bool)
        sure = self.values > self.values[:, count : count + 1] + slack
        return sure, possible, possible[:, -1]


def _above_a_threshold(logits: Logits, like: Tops | None, found: Tops) -> Bools:
    """Fill in the rows in which few logits are as great as a threshold that is low enough; which these are."""
    rows, deepest = found.values.shape
    step = max(1, ELEMENTS // logits.shape[1])
    parts = []
    for start in range(0, rows, step):
        some = slice(start, start + step)
        above = None if like is None else _above_some_places(logits[some], like.places[some])
        above = _above_some_maxima(logits[some], deepest) if above is None else above
        parts.append(np.flatnonzero(above) + start * logits.shape[1])
    of, places = np.divmod(np.concatenate(parts), logits.shape[1])
    counts = np.bincount(of, minlength=rows)
    order = np.arange(len(of)) - (np.cumsum(counts) - counts)[of]
    most = max(deepest, int(counts.max(initial=0)))
    least, numbers = np.full((rows, most), np.inf), np.zeros((rows, most), np.int64)
    least[of, order], numbers[of, order] = -logits[of, places].astype(np.float64), places
    chosen = np.argsort(least, axis=1, kind="stable")[:, :deepest]  # the first of equals is the first
    found.values[:] = -np.take_along_axis(least, chosen, axis=1)
    found.places[:] = np.take_along_axis(numbers, chosen, axis=1)
    found.first[:] = found.places[:, 0]
    known: Bools = counts >= deepest
    return known


def _above_some_places(logits: Logits, places: Integers) -> Bools | None:
    """Which logits are as great as the least of those in the places, so that the greatest are; None if that is many."""
    above: Bools = logits >= np.take_along_axis(logits, places, axis=1).min(axis=1, keepdims=True)
    return above if np.count_nonzero(above) <= MOST * len(logits) else None


def _above_some_maxima(logits: Logits, deepest: int) -> Bools:
    """Which logits are among the `deepest` greatest of their row, and a few more; none of a row where they are many.

    A lane is every so manieth class.  The `deepest`-th greatest of the lanes' maxima is a threshold: as many logits are
    at least as great, one of each lane, so that all that are among the `deepest` greatest are, too.
    """
    rows, classes = logits.shape
    each = min(LANE, classes // (4 * deepest))
    lanes = logits[:, : classes // each * each].reshape(rows, each, -1).max(axis=1)
    threshold = np.partition(lanes, -deepest, axis=1)[:, -deepest:].min(axis=1, keepdims=True)  # NaN where one is
    above: Bools = logits >= threshold
    if np.count_nonzero(above) > MOST * rows:
        above[np.count_nonzero(above, axis=1) > MOST] = False
    return above


def shared(sides: tuple[Tops, Tops], count: int, slack: tuple[Floats, Floats]) -> tuple[NDArray[np.int64], ...]:
    """How many of the first `count` both sides have, as sets: at least, and at most where ties decide it."""
    pairs = sides[0].places[:, :, None] == sides[1].places[:, None, :]  # [rows, deepest, deepest]
    sure, possible, are_open = zip(
        *(each.members(count, own) for each, own in zip(sides, slack, strict=True)), strict=True
    )
    lower, upper = (
        (pairs & one[:, :, None] & two[:, None, :]).sum(axis=(1, 2)).clip(max=count) for one, two in (sure, possible)
    )
    return lower, np.where(are_open[0] | are_open[1], count, upper)
