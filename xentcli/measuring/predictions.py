"""What the model says of each sample beside its loss, as sums for the metrics.

With d, λ and T as in `losses.reference`, δ the error of λ there, h the additions that a term passes, E = 8 and
u = 2⁻⁵³; what is computed is off by no more than, but for a factor 1 + 2⁻²⁰ that covers products of errors,

    confidence  p = 1/(1 + T)                   p·(δ + 4u): p is exp(−λ), of which T̂ errs as λ̂ does
    entropy     H = λ + G/(1 + T)               δ + G/(1 + T)·((K + h)u + δ) + u·H
    Brier       Q/(1 + T)² − 2 p_y + 1          Q/(1 + T)²·((2K + h)u + 2δ) + 2 p_y·(ρ + Eu) + 4u

with G = Σ exp(−d)·d, Q = Σ exp(−2d), p_y = exp(−L) of the loss L ± ρ of the label, and K = 760: a gap that is rounded
by u moves exp(−d) by d·u at most, relatively, and where exp(−d) is not 0, d is below 746; the rest are roundings.  What
underflows is below C·2⁻¹⁰⁰⁰.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.losses.additions import height
from xentcli.losses.reference import KERNEL, UNIT, label_radius, log_sum_error
from xentcli.measuring.lossbins import LossBins
from xentcli.measuring.row_steps import class_steps
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.report import WorstLoss
from xentcli.statistics.calibration import Bins, ClassBins, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from xentcli.losses.class_sums import Floats, Moments
    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms

DEEP = 5  # the top classes that count as right beside the first
# of the rows that count, for whom other runs or groups of rows are put beside them: the last three for groups alone;
# the confidences are marked
COLUMNS = ("loss", "confidence", "row", "label", "top", "right", "brier", "entropy")
UNGROUPED = 5  # of these, where nobody asks for groups
AT_ONCE = 1 << 16  # rows, whose arrays stay in the cache: fresh pages cost more than what is computed
SPAN = 256  # rows of which one maximum is taken first: to partition all of them would take longer
EXPONENT = 760.0  # K
OUTWARD = 1.0 + 2.0**-20
LOST = 2.0**-1000  # of a class, by underflow


@dataclass(frozen=True)
class Spread:
    """A number of each row: the sums of the values and of their squares, and how far one may be off at most."""

    total: ExactSum
    squares: ExactSum
    radius: float

    @classmethod
    def of(cls, values: Floats, radii: Floats) -> Spread:
        with np.errstate(over="ignore"):
            return cls(ExactSum.of(values), ExactSum.of(values * values), _greatest(radii))

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.total + other.total, self.squares + other.squares, max(self.radius, other.radius))


@dataclass(frozen=True)
class Predictions:
    """The samples that count, in sums that add up in any split."""

    brier: Spread
    entropy: Spread
    overconfidence: Spread  # of −log p of the label, less the entropy
    margin: ExactSum
    five: tuple[int, int]  # labels surely among the five greatest logits, and those that ties may put there
    bins: Bins
    class_bins: ClassBins | None  # None of more classes than `class_chances` has tables for
    losses: LossBins  # with weights and smoothing
    loss_radius: float  # how far a −log p may be off at most
    kept: int  # of the rows with the highest losses
    worst: tuple[WorstLoss, ...]

    def __add__(self, other: Predictions) -> Predictions:
        worst = sorted(self.worst + other.worst, key=lambda each: (-each.loss, each.row))
        return Predictions(
            brier=self.brier + other.brier,
            entropy=self.entropy + other.entropy,
            overconfidence=self.overconfidence + other.overconfidence,
            margin=self.margin + other.margin,
            five=(self.five[0] + other.five[0], self.five[1] + other.five[1]),
            bins=self.bins + other.bins,
            class_bins=_both(self.class_bins, other.class_bins),
            losses=self.losses + other.losses,
            loss_radius=max(self.loss_radius, other.loss_radius),
            kept=self.kept,
            worst=tuple(worst[: self.kept]),
        )


def predictions_of(
    terms: Terms, rows: Rows, first_row: int, kept: int, columns: Mapping[str, NDArray[Any]]
) -> Predictions:
    """Those of a block with labels and moments.

    kept     so many rows with the highest losses
    columns  by their names in `EACH`, of the rows that count, to be filled; [rows]
    """
    counted = np.flatnonzero(~rows.ignored)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, max(1, len(counted)), AT_ONCE):
            chosen = slice(start, start + AT_ONCE)
            each = _Each.of(terms, rows, counted[chosen], first_row)
            parts.append(_predictions(each, kept))
            for name, column in columns.items():
                column[chosen] = EACH[name](each)
    found = reduce(add, parts)
    worst = _with_steps(found.worst, terms, rows, first_row)
    return replace(found, worst=worst, class_bins=None if rows.chances is None else rows.chances.bins())


@dataclass(frozen=True)
class _Each:
    """Rows that count, so few that what is made of them stays in the cache; [rows]."""

    values: _Values
    moments: Moments
    places: NDArray[np.intp]  # in the block
    first_row: int  # of the block
    labels: NDArray[np.int64]
    classes: int
    hit: NDArray[np.bool_]  # whether the label is the first of the greatest logits

    @classmethod
    def of(cls, terms: Terms, rows: Rows, counted: NDArray[np.intp], first_row: int) -> _Each:
        """At these places of a block."""
        assert terms.labels is not None
        span = slice(int(counted[0]), int(counted[-1]) + 1) if counted.size else slice(0, 0)
        chosen = span if span.stop - span.start == len(counted) else counted
        found, labels = rows.rows(chosen), terms.labels[chosen]
        moments = found.moments
        assert moments is not None
        values = _Values.of(found, moments)
        return cls(values, moments, counted, first_row, labels, rows.classes, moments.top == labels)

    @property
    def right(self) -> NDArray[Any]:
        """2 where the label surely has the greatest logit, 1 where ties decide, and 0 where it has not."""
        possible = (self.moments.above == 0) & ~np.isnan(self.values.loss)
        right: NDArray[Any] = possible.astype(np.int64) + (possible & (self.moments.equal <= 1))
        return right

    @property
    def pairs(self) -> NDArray[np.int64]:
        """1 + label·classes + top where another class is, and 0 where the label is."""
        return pairs_of(self.labels, self.moments.top, self.classes)


def pairs_of(labels: NDArray[np.int64], top: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """1 + label·classes + top where these differ, and 0 where they do not."""
    pairs = labels * classes
    pairs += top
    pairs += 1
    pairs *= labels != top
    return pairs


# what can be kept of each row
EACH: dict[str, Callable[[_Each], NDArray[Any]]] = {
    "loss": lambda each: each.values.loss,
    "confidence": lambda each: marked(each.values.confidence, each.hit),
    "row": lambda each: each.places + each.first_row,
    "label": lambda each: each.labels,
    "top": lambda each: each.moments.top,
    "right": lambda each: each.right,
    "brier": lambda each: each.values.brier,
    "entropy": lambda each: each.values.entropy,
    "pair": lambda each: each.pairs,
}


@dataclass(frozen=True)
class _Values:
    """What is computed of each row, and how far it may be off; [rows]."""

    loss: Floats
    loss_radius: Floats
    confidence: Floats
    confidence_radius: Floats
    entropy: Floats
    entropy_radius: Floats
    brier: Floats
    brier_radius: Floats
    margin: Floats
    losses: LossBins  # with weights and smoothing, of all rows

    @classmethod
    def of(cls, rows: Rows, moments: Moments) -> _Values:
        additions, lost = height(rows.classes), rows.classes * LOST
        delta = log_sum_error(rows)
        loss, radius = _label_loss(rows, delta)
        confidence, chance = 1.0 / (1.0 + rows.excess), np.exp(-loss)
        mean_gap, squares = moments.gap_sum * confidence, moments.square_sum * confidence**2
        entropy = rows.log_sum + mean_gap
        of_entropy = delta + mean_gap * ((EXPONENT + additions) * UNIT + delta) + UNIT * entropy
        of_brier = squares * ((2.0 * EXPONENT + additions) * UNIT + 2.0 * delta)
        of_brier += 2.0 * chance * (radius + KERNEL * UNIT) + 4.0 * UNIT
        return cls(
            loss,
            radius,
            confidence,
            OUTWARD * confidence * (delta + 4.0 * UNIT),
            entropy,
            OUTWARD * of_entropy + lost,
            squares - 2.0 * chance + 1.0,
            OUTWARD * of_brier + lost,
            chance - np.exp(-moments.rival) * confidence,
            LossBins.of(rows),
        )


def _label_loss(rows: Rows, delta: Floats) -> tuple[Floats, Floats]:
    """−log p of the label, and how far it may be off; sharper where the loss is just that and exactly known."""
    nll, radius = rows.log_sum + rows.gap, label_radius(rows, delta)
    is_plain = (rows.scale == 1.0) & (rows.coefficient_total == 0.0) & (rows.radius < radius)
    if not is_plain.any():
        return nll, radius
    return np.where(is_plain, rows.loss, nll), np.where(is_plain, rows.radius, radius)


def _with_steps(worst: tuple[WorstLoss, ...], terms: Terms, rows: Rows, first_row: int) -> tuple[WorstLoss, ...]:
    """With the way from the logits to the probabilities, of a few classes of each row."""
    totals = [1.0 + float(rows.excess[each.row - first_row]) for each in worst]
    return tuple(
        replace(each, classes=class_steps(terms.logits[each.row - first_row], each.label, total), sum=total)
        for each, total in zip(worst, totals, strict=True)
    )


def _predictions(each: _Each, kept: int) -> Predictions:
    values, moments = each.values, each.moments
    above, below = moments.above, moments.above + moments.equal - 1
    five = tuple(int(np.count_nonzero(rank < DEEP)) for rank in (below, above))
    excess = values.loss - values.entropy
    of_excess = values.loss_radius + values.entropy_radius + UNIT * np.abs(excess)
    return Predictions(
        brier=Spread.of(values.brier, values.brier_radius),
        entropy=Spread.of(values.entropy, values.entropy_radius),
        overconfidence=Spread.of(excess, of_excess),
        margin=ExactSum.of(values.margin),
        five=(five[0], five[1]),
        bins=Bins.of(values.confidence, values.confidence_radius, each.hit, (above == 0) != (below == 0)),
        class_bins=None,  # of a whole block alone
        losses=values.losses,
        loss_radius=_greatest(values.loss_radius),
        kept=kept,
        worst=_worst(each, kept),
    )


def highest(losses: Floats, count: int) -> NDArray[np.intp]:
    """The places of the greatest values, the greatest first; the first of equal ones, and none that is no number."""
    chosen = np.arange(len(losses) if count else 0)
    if 0 < count < len(losses):
        peaks = np.fmax.reduceat(losses, np.arange(0, len(losses), max(1, min(SPAN, len(losses) // count))))
        least = np.partition(peaks, len(peaks) - count)[-count]  # so many are at least as great
        if not np.isnan(peaks).any():
            chosen = np.flatnonzero(losses >= least)
    chosen = chosen[~np.isnan(losses[chosen])]
    return chosen[np.argsort(-losses[chosen], kind="stable")[:count]]


def columns_kept(*, scored: bool) -> tuple[str, ...]:
    """The names of what is kept of each row."""
    return COLUMNS if scored else COLUMNS[:UNGROUPED]


def _both(left: ClassBins | None, right: ClassBins | None) -> ClassBins | None:
    return None if left is None or right is None else left + right


def _greatest(radii: Floats) -> float:
    """Infinite where one is not a number."""
    greatest = float(radii.max(initial=0.0))
    return np.inf if np.isnan(greatest) else greatest


def _worst(each: _Each, kept: int) -> tuple[WorstLoss, ...]:
    """The rows with the highest losses, the highest first; the first of equal ones, and none that is no number."""
    values = each.values
    chosen = highest(values.loss, kept)
    losses = values.loss[chosen]
    own = (column[chosen] for column in (each.places, each.labels, each.moments.top, values.confidence, values.margin))
    places, labels, top, confidences, margins = own
    columns = places + each.first_row, labels, losses, np.exp(-losses), top, confidences, margins
    return tuple(WorstLoss(*found) for found in zip(*(column.tolist() for column in columns), strict=True))
