"""Whether what was kept of each row is what a run comes to, as far as rows and their sums tell of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import le
from typing import TYPE_CHECKING

import numpy as np

from xentcli.measuring.lossbins import ENDS
from xentcli.measuring.predictions import COLUMNS, highest
from xentcli.numbers.exactsum import ExactSum
from xentcli.statistics.calibration import BINS, BITS, HALF

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.measuring.predictions import Predictions
    from xentcli.statistics.calibration import ClassBins

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

SLACK = 2.0**-20  # that rounding leaves, and more


def _are_classes(values: Floats, classes: int) -> Bools:
    fits: Bools = (values >= 0.0) & (values < classes) & (values == np.floor(values))
    return fits


# what a row's number may be beside NaN, of so many classes; whether rows follow each other is asked apart
RANGES: dict[str, Callable[[Floats, int], Bools]] = {
    "loss": lambda values, _: values >= 0.0,
    "confidence": lambda values, classes: (values >= (1.0 - SLACK) / classes) & (values <= 1.0 + SLACK),
    "row": lambda values, _: values == np.floor(values),
    "label": _are_classes,
    "top": _are_classes,
    "right": lambda values, _: np.isin(values, (0.0, 1.0, 2.0)),
    "brier": lambda values, _: (values >= -SLACK) & (values <= 2.0 + SLACK),
    "entropy": lambda values, classes: (values >= -SLACK) & (values <= math.log(classes) * (1.0 + SLACK) + SLACK),
}
SUMMED = ("brier", "entropy")  # columns of which `Predictions` have the sums
WHOLE = ("row", "label", "top", "right")  # never NaN


def are_rows(kept: Floats, before: float, stop: int, classes: int) -> bool:
    """Whether these follow the row before, end before `stop`, and hold numbers that a run comes to; [rows, COLUMNS]."""
    columns = _columns(kept)
    rows, confidences = columns["row"], columns["confidence"]
    follow = bool((np.diff(rows, prepend=before) > 0).all()) and bool(rows[-1] < stop)
    told = _marks(confidences) == (columns["top"] == columns["label"])
    in_range = all(_in_range(name, values, classes) for name, values in columns.items())
    return follow and in_range and bool((told | np.isnan(confidences)).all())


def _columns(kept: Floats) -> dict[str, Floats]:
    return dict(zip(COLUMNS, np.ascontiguousarray(kept.T), strict=False))


def _marks(confidences: Floats) -> Bools:
    """Whether each row is a hit, as `calibration.marked` says it."""
    marks: Bools = (confidences.view(np.uint64) & np.uint64(1)).astype(np.bool_)
    return marks


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
    sums: dict[str, ExactSum] = field(default_factory=dict)  # of `SUMMED`, of those that are kept of each row
    highest: tuple[tuple[float, int, int], ...] = ()  # −loss, row and label

    def after(self, kept: Floats) -> Seen:
        """With some rows more."""
        columns = _columns(kept)
        places = highest(columns["loss"], self.most)
        chosen = (columns[name][places].tolist() for name in ("loss", "row", "label"))
        found = ((-loss, int(row), int(label)) for loss, row, label in zip(*chosen, strict=True))
        sums = {name: ExactSum.of(columns[name]) for name in SUMMED if name in columns}
        return Seen(
            most=self.most,
            rows=self.rows + len(kept),
            hits=self.hits + int(np.count_nonzero(columns["top"] == columns["label"])),
            confidence=self.confidence + _units(columns["confidence"]),
            sums={name: self.sums.get(name, ExactSum()) + own for name, own in sums.items()},
            highest=tuple(sorted((*self.highest, *found))[: self.most]),
        )

    def fits(self, found: Predictions, classes: int) -> bool:
        """Whether the sums are of these rows."""
        worst = tuple((-each.loss, each.row, each.label) for each in found.worst)
        is_same = worst == self.highest and found.kept == self.most
        added = all(total == getattr(found, name).total for name, total in self.sums.items())
        return is_same and added and fits_itself(found, self.rows, classes) and self._fits_bins(found)

    def _fits_bins(self, found: Predictions) -> bool:
        """A mark moves a confidence by half a unit at most; what is no number counts nowhere."""
        if not found.brier.total.is_finite:
            return True
        return sum(found.bins.hits) == self.hits and abs(sum(found.bins.confidences) - self.confidence) <= 2 * self.rows


def _units(confidences: Floats) -> int:
    """Their sum in units of 2⁻⁵³, of the halves of their bits; what is no number counts for nothing."""
    units = np.rint(np.ldexp(np.nan_to_num(confidences), BITS)).astype(np.int64)
    high, low = (int(half.sum()) for half in (units >> HALF, units & ((1 << HALF) - 1)))
    return (high << HALF) + low


def fits_itself(found: Predictions, count: int, classes: int) -> bool:
    """Whether sums of so many rows, of so many classes, make sense beside each other."""
    bins, (sure, possible), losses = found.bins, found.five, found.losses
    endless = losses.others.positive_infinities + losses.others.negative_infinities + losses.others.nans
    binned = [each.rows for each in losses.bins.values()]
    columns = (bins.rows, bins.hits, bins.confidences, bins.variances, bins.edges, bins.tied)
    radii = (found.brier.radius, found.entropy.radius, found.overconfidence.radius, found.loss_radius, bins.radius)
    return (
        0 <= sure <= possible <= count == sum(bins.rows)
        and sum(binned) + endless == count
        and all(rows > 0 for rows in binned)
        and all(0 <= number < len(ENDS) - 1 for number in losses.bins)
        and 0 <= losses.on_edges <= count
        and all(len(column) == BINS for column in columns)
        and all(least >= 0 for column in columns[:2] + columns[4:] for least in column)
        and all(all(map(le, part, bins.rows)) for part in (bins.hits, bins.edges, bins.tied))
        and all(radius >= 0.0 for radius in radii)
        and (found.class_bins is None or _fit_classes(found.class_bins, classes))
    )


def _fit_classes(found: ClassBins, classes: int) -> bool:
    return len(found.gaps) == classes * BINS and len(found.doubtful) == 1 and found.radius >= 0.0
