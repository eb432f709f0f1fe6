"""Whether what was kept of each row is what a run comes to, as far as rows and their sums tell of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import le
from typing import TYPE_CHECKING

import numpy as np

from xentcli.measuring.predictions import COLUMNS, highest
from xentcli.numbers.exactsum import ExactSum
from xentcli.statistics.calibration import BINS, BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.measuring.predictions import Predictions

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

SLACK = 2.0**-20  # that rounding leaves, and more
# what a row's number may be beside NaN, of so many classes; whether rows follow each other is asked apart
RANGES: dict[str, Callable[[Floats, int], Bools]] = {
    "loss": lambda values, _: values >= 0.0,
    "confidence": lambda values, classes: (values >= (1.0 - SLACK) / classes) & (values <= 1.0 + SLACK),
    "row": lambda values, _: values == np.floor(values),
    "label": lambda values, classes: (values >= 0.0) & (values < classes) & (values == np.floor(values)),
    "right": lambda values, _: np.isin(values, (0.0, 1.0, 2.0)),
    "brier": lambda values, _: (values >= -SLACK) & (values <= 2.0 + SLACK),
    "entropy": lambda values, classes: (values >= -SLACK) & (values <= math.log(classes) * (1.0 + SLACK) + SLACK),
}
WHOLE = ("row", "label", "right")  # never NaN


def are_rows(kept: Floats, before: float, stop: int, classes: int) -> bool:
    """Whether these follow the row before, end before `stop`, and hold numbers that a run comes to; [rows, COLUMNS]."""
    columns = dict(zip(COLUMNS, kept.T, strict=False))
    rows = columns["row"]
    follow = bool((np.diff(rows, prepend=before) > 0).all()) and bool(rows[-1] < stop)
    return follow and all(_in_range(name, values, classes) for name, values in columns.items())


def _in_range(name: str, values: Floats, classes: int) -> bool:
    fits = RANGES[name](values, classes)
    return bool((fits if name in WHOLE else fits | np.isnan(values)).all())


@dataclass(frozen=True)
class Seen:
    """What rows tell of the sums that were made of them, so far."""

    most: int  # rows with the highest losses that are looked at
    rows: int = 0
    hits: int = 0
    confidence: int = 0  # Σ, in units of 2⁻⁵³
    brier: ExactSum | None = None  # None where it was not kept of each row
    entropy: ExactSum | None = None
    highest: tuple[tuple[float, int, int], ...] = ()  # −loss, row and label

    def after(self, kept: Floats) -> Seen:
        """With some rows more."""
        columns = dict(zip(COLUMNS, np.ascontiguousarray(kept.T), strict=False))
        marks = columns["confidence"].view(np.uint64) & np.uint64(1)
        places = highest(columns["loss"], self.most)
        chosen = (columns[name][places].tolist() for name in ("loss", "row", "label"))
        found = ((-loss, int(row), int(label)) for loss, row, label in zip(*chosen, strict=True))
        with np.errstate(invalid="ignore"):
            units = np.rint(np.ldexp(np.nan_to_num(columns["confidence"]), BITS)).astype(np.int64)
        halves = (int(half.sum()) for half in (units >> (BITS // 2), units & ((1 << BITS // 2) - 1)))
        high, low = halves
        sums = {
            name: (getattr(self, name) or ExactSum()) + ExactSum.of(columns[name])
            for name in ("brier", "entropy")
            if name in columns
        }
        return Seen(
            most=self.most,
            rows=self.rows + len(kept),
            hits=self.hits + int(np.count_nonzero(marks)),
            confidence=self.confidence + (high << BITS // 2) + low,
            highest=tuple(sorted((*self.highest, *found))[: self.most]),
            **sums,
        )

    def fits(self, found: Predictions) -> bool:
        """Whether the sums are of these rows."""
        worst = tuple((-each.loss, each.row, each.label) for each in found.worst)
        added = all(
            own is None or own == spread.total
            for own, spread in ((self.brier, found.brier), (self.entropy, found.entropy))
        )
        is_same = added and worst == self.highest and found.kept == self.most
        return is_same and fits_itself(found, self.rows) and self._fits_bins(found)

    def _fits_bins(self, found: Predictions) -> bool:
        """A mark moves a confidence by half a unit at most; what is no number counts nowhere."""
        if not found.brier.total.is_finite:
            return True
        return sum(found.bins.hits) == self.hits and abs(sum(found.bins.confidences) - self.confidence) <= 2 * self.rows


def fits_itself(found: Predictions, count: int) -> bool:
    """Whether sums of so many rows make sense beside each other."""
    bins, (sure, possible) = found.bins, found.five
    columns = (bins.rows, bins.hits, bins.confidences, bins.variances, bins.edges, bins.tied)
    radii = (found.brier.radius, found.entropy.radius, found.overconfidence.radius, found.loss_radius, bins.radius)
    return (
        0 <= sure <= possible <= count == sum(bins.rows)
        and all(len(column) == BINS for column in columns)
        and all(least >= 0 for column in columns[:2] + columns[4:] for least in column)
        and all(all(map(le, part, bins.rows)) for part in (bins.hits, bins.edges, bins.tied))
        and all(radius >= 0.0 for radius in radii)
    )
