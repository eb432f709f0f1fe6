"""What pictures of the rows are drawn of: bins of the losses and of the confidences, and the worst confusions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.measuring.lossbins import ENDS
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.pictures import Confusion, Histogram, LossBin, Pictures, ReliabilityBin
from xentcli.records.statistic import Statistic
from xentcli.statistics.calibration import BITS
from xentcli.statistics.shares import share_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.measuring.each_row import EachRow
    from xentcli.measuring.facts import Measured
    from xentcli.measuring.lossbins import LossBins
    from xentcli.statistics.calibration import Bins

    Floats = NDArray[np.float64]
    Integers = NDArray[Any]

MOST = 20  # confused pairs
FEW = 1024  # classes whose pairs are all counted
AT_ONCE = 1 << 16  # rows that are counted at once, each in eight bytes: they stay in the cache


def pictures_of(measured: Measured, rows: EachRow, classes: int) -> Pictures | None:
    """Of the rows that count, in their order; None where there are none, and without metrics."""
    found = measured.predictions
    if found is None or not measured.counted or measured.scores is None:
        return None
    return Pictures(
        histogram=_histogram(found.losses, is_plain=measured.scores.total is None),
        reliability=reliability(found.bins) if found.brier.total.is_finite else None,
        reliability_tempered=None,
        confusions=confusions_of(rows, classes),
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


def confusions_of(rows: EachRow, classes: int, most: int = MOST) -> tuple[Confusion, ...]:
    """The pairs of a label and another class, of which there are the most rows, as long as these are in their order.

    Sums that decide between pairs are in the order of the rows, which no split changes.
    """
    keys, pairs, losses = _keys(rows, classes)
    counts, totals = np.zeros(len(pairs), np.int64), np.zeros(len(pairs))
    for some in _slices(keys):
        counts += np.bincount(keys[some], minlength=len(pairs))
        totals += np.bincount(keys[some], losses[some], len(pairs))
    counts[pairs == 0] = 0
    found = np.flatnonzero(counts)
    chosen = found[np.lexsort((found, -totals[found], -counts[found]))[:most]]
    parts = _parts(keys, losses, chosen, counts)
    named = zip(pairs[chosen].tolist(), parts, strict=True)
    return tuple(_confusion(pair - 1, part, rows.total, classes) for pair, part in named)


def _keys(rows: EachRow, classes: int) -> tuple[Integers, Integers, Floats]:
    """A number for each row, which pair each number is, and the losses of these rows.

    Pairs of many classes are sorted, one number for each wrong row: memory grows with these rows, never with C².  Where
    a counter for each possible pair fits in the cache, it takes a tenth of that time.
    """
    if classes <= FEW:
        return rows.pairs, np.arange(classes * classes + 1), rows.losses
    wrong = np.flatnonzero(rows.pairs)
    pairs, keys = np.unique(rows.pairs[wrong], return_inverse=True)
    return keys, pairs, rows.losses[wrong]


def _parts(keys: Integers, losses: Floats, chosen: Integers, counts: Integers) -> list[Floats]:
    """The losses of the rows of each chosen key, in one pass."""
    if not len(chosen):
        return []
    ranks = np.full(len(counts), len(chosen), np.uint8)
    ranks[chosen] = np.arange(len(chosen))
    found = []
    for some in _slices(keys):
        of_row = ranks[keys[some]]
        near = np.flatnonzero(of_row < len(chosen))
        found.append((of_row[near], losses[some][near]))
    of_rows, own = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(of_rows, kind="stable")  # of bytes: one pass
    return np.split(own[order], np.cumsum(counts[chosen])[:-1])


def _slices(keys: Integers) -> Iterator[slice]:
    """Of so many rows that what is made of them takes little memory."""
    return (slice(start, start + AT_ONCE) for start in range(0, len(keys), AT_ONCE))


def _confusion(pair: int, losses: Floats, whole: ExactSum, classes: int) -> Confusion:
    total = ExactSum.of(losses)
    return Confusion(*divmod(pair, classes), len(losses), total.value(), _share(total, whole))
