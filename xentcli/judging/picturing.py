"""What pictures of the rows are drawn of: bins of the losses and of the confidences, and the worst confusions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.judging.scoring import slices_of
from xentcli.measuring.lossbins import ENDS
from xentcli.measuring.predictions import COLUMNS
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.pictures import Confusion, Histogram, LossBin, Pictures, ReliabilityBin
from xentcli.records.statistic import Statistic
from xentcli.statistics.calibration import BITS
from xentcli.statistics.shares import share_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured
    from xentcli.measuring.lossbins import LossBins
    from xentcli.records.samples import Rows
    from xentcli.statistics.calibration import Bins

    Floats = NDArray[np.float64]
    Integers = NDArray[Any]

MOST = 20  # confused pairs
FEW = 1024  # classes whose pairs are all counted


def pictures_of(measured: Measured, classes: int) -> Pictures | None:
    """Of the rows that count; None where there are none, and without metrics."""
    found = measured.predictions
    if found is None or not measured.counted or measured.scores is None:
        return None
    return Pictures(
        histogram=_histogram(found.losses, is_plain=measured.scores.total is None),
        reliability=reliability(found.bins) if found.brier.total.is_finite else None,
        reliability_tempered=None,
        confusions=confusions_of(measured.ordered, classes),
    )


def _histogram(found: LossBins, *, is_plain: bool) -> Histogram:
    numbers = range(min(found.bins, default=0), max(found.bins, default=-1) + 1)
    whole = sum((each.total for each in found.bins.values()), found.others)
    bins = tuple(_loss_bin(number, found, whole) for number in numbers)
    return Histogram(
        of="-log p" if is_plain else "loss",
        bins=bins,
        rows=sum(each.rows for each in bins) + found.infinite + found.others.nans,
        total=whole.value(),
        infinite=found.infinite,
        nan=found.others.nans,
        on_edges=found.on_edges,
    )


def _loss_bin(number: int, found: LossBins, whole: ExactSum) -> LossBin:
    own = found.bins.get(number)
    rows, total = (0, ExactSum()) if own is None else (own.rows, own.total)
    lower, upper = ENDS[number : number + 2].tolist()
    return LossBin(lower, upper, rows, total.value(), _share(total, whole))


def _share(own: ExactSum, whole: ExactSum) -> float | None:
    """Of a whole that is a positive number; None of any other."""
    is_number = own.is_finite and whole.is_finite and whole.units > 0
    return own.units / whole.units if is_number else None  # Python rounds a quotient of integers once


def reliability(bins: Bins) -> tuple[ReliabilityBin, ...]:
    """Each bin's mean confidence beside the share of its rows that are hits."""
    count = len(bins.rows)
    return tuple(
        ReliabilityBin(
            lower=number / count,
            upper=(number + 1) / count,
            rows=rows,
            confidence=bins.confidences[number] / (rows << BITS) if rows else None,
            accuracy=_accuracy(bins.hits[number], bins.tied[number], rows) if rows else None,
            on_edges=bins.edges[number],
        )
        for number, rows in enumerate(bins.rows)
    )


def _accuracy(hits: int, tied: int, rows: int) -> Statistic:
    """The share of hits, between what it is if ties are all misses, and all hits."""
    low, high = max(hits - tied, 0) / rows, min(hits + tied, rows) / rows
    return Statistic(hits / rows, low, high, interval=share_interval(hits, rows))


def confusions_of(parts: tuple[Rows, ...], classes: int, most: int = MOST) -> tuple[Confusion, ...]:
    """The pairs of a label and another class, of which there are the most rows; of `predictions.COLUMNS`.

    Pairs of many classes are sorted, one number for each wrong row: memory grows with these rows, never with C².
    """
    whole, found = ExactSum(), [(np.zeros(0, np.int64), np.zeros(0))]
    for rows in slices_of(parts):
        losses, labels, tops = (rows[:, COLUMNS.index(name)] for name in ("loss", "label", "top"))
        wrong = np.flatnonzero(labels != tops)
        whole.add(losses)
        found.append((labels[wrong].astype(np.int64) * classes + tops[wrong].astype(np.int64), losses[wrong]))
    pairs, losses = map(np.concatenate, zip(*found, strict=True))
    return _most(pairs, losses, whole, classes, most)


def _most(pairs: Integers, losses: Floats, whole: ExactSum, classes: int, most: int) -> tuple[Confusion, ...]:
    found, counts, totals = _counted(pairs, losses, classes)
    order = np.lexsort((found, -totals, -counts))[:most]
    return tuple(_confusion(pair, losses[pairs == pair], whole, classes) for pair in found[order].tolist())


def _counted(pairs: Integers, losses: Floats, classes: int) -> tuple[Integers, Integers, Floats]:
    """Each pair that there is, its rows, and the sum of their losses in the order of the rows, which no split changes.

    A counter for each possible pair takes a tenth of the time that sorting takes, where they fit in the cache.
    """
    if classes <= FEW:
        of_each: Integers = np.bincount(pairs)
        found = np.flatnonzero(of_each)
        return found, of_each[found], _sums(pairs, losses)[found]
    found, of_row, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return found, counts, _sums(of_row, losses)


def _sums(places: Integers, losses: Floats) -> Floats:
    return np.bincount(places, losses).astype(np.float64, copy=False)


def _confusion(pair: int, losses: Floats, whole: ExactSum, classes: int) -> Confusion:
    total = ExactSum.of(losses)
    return Confusion(*divmod(pair, classes), len(losses), total.value(), _share(total, whole))
