"""What is asked in the same breath as the loss: perplexity, accuracy, and how sure a mean of so many samples is."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.judging.judge import Total
from xentcli.measuring.facts import TruthFacts
from xentcli.numbers.exactsum import nearest_float
from xentcli.records.statistic import Statistic
from xentcli.statistics.means import interval

if TYPE_CHECKING:
    from xentcli.measuring.facts import Measured
    from xentcli.measuring.scores import Scores

EXP = 2.0**-50  # how far math.exp errs, relatively, and more
SQUARE = Fraction(1, 1 << 53)  # how far a square was rounded, relatively


def metrics_of(measured: Measured) -> dict[str, Statistic] | None:
    """Name -> the metric, of the samples that count; None where they have no labels, there are none, or no truth.

    nll         mean of −log p of the labels, in nats, without weights and smoothing; SE sqrt(Σ(v − v̄)²/(n(n − 1)))
    perplexity  exp(nll); its interval is exp(nll ± t·SE), its SE exp(nll)·SE to the first order
    accuracy    the share of labels that have the greatest logit, an interval where ties decide; with ties as `value`
    """
    scores, count = measured.scores, measured.counted
    if scores is None or not count:
        return None
    total = Total.of(_nll(measured, scores), Fraction(count))
    if total.interval is None and math.isnan(total.value):
        return _accuracy(scores, count)
    mean = _mean(total, scores, count)
    return {"nll": mean, "perplexity": _perplexity(mean)} | _accuracy(scores, count)


def _nll(measured: Measured, scores: Scores) -> TruthFacts:
    """The sum of −log p: that of the losses, unless weights or smoothing made something else of it."""
    if scores.total is not None and scores.radius is not None:
        return TruthFacts(scores.total, scores.radius)
    assert measured.truth is not None
    return measured.truth


def _mean(total: Total, scores: Scores, count: int) -> Statistic:
    ends = total.enclosure(1)
    assert ends.lower is not None
    assert ends.upper is not None
    mean = Statistic(total.value, ends.lower, ends.upper)
    se = _standard_error(total, scores, count)
    return mean if se is None else replace(mean, se=se, interval=interval(mean.value, se, count - 1))


def _standard_error(total: Total, scores: Scores, count: int) -> float | None:
    """Of the mean of rows that stand alone; None where it cannot be told. 0 is what rounding leaves of equal losses."""
    if count < 2 or total.interval is None or not scores.squares.is_finite:
        return None
    squares, mean = scores.squares.fraction(), (total.interval[0] + total.interval[1]) / 2
    spread = squares - mean * mean * count
    if spread <= 2 * SQUARE * squares:
        return 0.0
    return math.sqrt(nearest_float(spread / (count * (count - 1))))


def _perplexity(mean: Statistic) -> Statistic:
    value = _exp(mean.value)
    ends = _exp(mean.lower) * (1.0 - EXP), _exp(mean.upper) * (1.0 + EXP)
    if mean.se is None or mean.interval is None:
        return Statistic(value, *ends)
    return Statistic(value, *ends, se=value * mean.se, interval=(_exp(mean.interval[0]), _exp(mean.interval[1])))


def _accuracy(scores: Scores, count: int) -> dict[str, Statistic]:
    if scores.right is None:
        return {}
    lower, upper = (each / count for each in scores.right)
    se = math.sqrt(upper * (1.0 - upper) / (count - 1)) if count > 1 else None
    return {"accuracy": Statistic(upper, lower, upper, se=se)}


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
