"""The metrics that `--metrics` adds: calibration, Brier score, entropy, percentiles and what the worst rows carry."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from xentcli.numbers.exactsum import nearest_float
from xentcli.records.statistic import Percentile, Statistic
from xentcli.statistics.calibration import by_class, by_mass, by_width
from xentcli.statistics.means import interval
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from xentcli.measuring.each_row import EachRow
    from xentcli.measuring.predictions import Predictions, Spread
    from xentcli.numbers.exactsum import ExactSum

PERCENTS = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)
WORST = (95, 99)  # the mean of the rows from this percentile on
WORST_SHARE = 0.01
LN2 = math.log(2.0)
QUOTIENT = 2.0**-50  # how far a quotient is rounded, relatively, and more


def scores_of_rows(found: Predictions, count: int, nll: Statistic | None) -> dict[str, Statistic]:
    """Name -> the metric of so many rows, in the order in which they are told.

    top5            the share of labels among the five greatest logits, an interval where ties decide
    bits            nll/ln 2
    brier           mean of Σ_c (p_c − y_c)², from 0 to 2: half of it is what others print for two classes
    ece, mce        over 15 bins of equal width
    ece_classwise   the same of the probability of each class, the mean over the classes; not of too many of them
    ece_calibrated  the ece to be expected of a perfectly calibrated model with these confidences
    entropy         mean of −Σ p log p; overconfidence is nll less that
    margin          mean of p_y − max p of the other classes
    """
    known = {} if nll is None else {"bits": _scaled(nll, 1.0 / LN2)}
    if found.brier.total.is_finite:  # each row has a softmax
        wide = by_width(found.bins)
        known["top5"] = _share(*found.five, count)
        known |= {"ece": Statistic(*wide.ece), "ece_calibrated": _exactly(wide.calibrated), "mce": Statistic(*wide.mce)}
        if found.class_bins is not None:
            known["ece_classwise"] = Statistic(*by_class(found.class_bins, count))
    return known | {
        "brier": _mean(found.brier, count),
        "entropy": _mean(found.entropy, count),
        "overconfidence": _mean(found.overconfidence, count),
        "margin": _exactly(_quotient(found.margin, count)),
    }


def scores_of_mass(rows: EachRow, found: Predictions) -> dict[str, Statistic]:
    """What the order of the confidences tells.

    ece_equal_mass  over 15 bins of equally many rows; …_calibrated is what is to be expected, as of the other
    """
    if not (rows.confidences.size and found.brier.total.is_finite):
        return {}
    ends, calibrated = by_mass(rows.confidences, found.bins.radius, sum(found.bins.tied))
    return {"ece_equal_mass": Statistic(*ends), "ece_equal_mass_calibrated": _exactly(calibrated)}


def scores_of_order(rows: EachRow, found: Predictions) -> dict[str, Statistic]:
    """What the order of the losses tells.

    nll_median      with percentiles
    nll_cvar95, 99  mean loss of the worst 5 and 1 %; worst_share is the part of the total that the worst 1 % carry
    """
    if not rows.losses.size:
        return {}
    shares = [1.0 - percent / 100.0 for percent in WORST]
    fractions = [percent / 100.0 for percent in PERCENTS]
    ordered, radius = Ordered.divided(rows.losses, fractions, [*shares, WORST_SHARE]), found.loss_radius
    percentiles = {f"{percent:g}": _percentile(ordered, percent, radius) for percent in PERCENTS}
    median = percentiles["50"]
    known = {"nll_median": Statistic(median.value, median.lower, median.upper, percentiles=percentiles)}
    for percent, share in zip(WORST, shares, strict=True):
        known[f"nll_cvar{percent}"] = Statistic(*_around(ordered.worst_mean(share), radius))
    worst = ordered.worst_share(WORST_SHARE, rows.total)
    return known if worst is None else known | {"worst_share": _exactly(worst)}


def _percentile(ordered: Ordered, percent: float, radius: float) -> Percentile:
    """Of true losses that are within the radius of these: an order statistic moves by no more."""
    own = ordered.percentile(percent / 100.0)
    return Percentile(*_around(own.value, radius), (own.lower95, own.upper95))


def _around(value: float, radius: float) -> tuple[float, float, float]:
    if math.isinf(value) and math.isfinite(radius):  # of a masked label, which has no other value
        return value, value, value
    slack = radius + QUOTIENT * abs(value)
    return value, max(value - slack, 0.0), value + slack


def _share(sure: int, possible: int, count: int) -> Statistic:
    low, high = sure / count, possible / count
    return Statistic(high, low, high, se=math.sqrt(high * (1.0 - high) / (count - 1)) if count > 1 else None)


def _exactly(value: float) -> Statistic:
    return Statistic(value, value, value)


def _quotient(total: ExactSum, count: int) -> float:
    return nearest_float(total.fraction() / count) if total.is_finite else total.value()


def _mean(spread: Spread, count: int) -> Statistic:
    """With the standard error of rows that stand alone."""
    value = _quotient(spread.total, count)
    slack = spread.radius + QUOTIENT * abs(value)
    if not spread.total.is_finite or not spread.squares.is_finite:
        return _exactly(value)
    mean = spread.total.fraction() / count
    variance = max(spread.squares.fraction() / count - mean * mean, Fraction(0))
    if count < 2:
        return Statistic(value, value - slack, value + slack)
    se = math.sqrt(nearest_float(variance / (count - 1)))
    return Statistic(value, value - slack, value + slack, se=se, interval=interval(value, se, count - 1))


def _scaled(mean: Statistic, factor: float) -> Statistic:
    """The same in another unit."""
    ends: dict[str, Any] = {} if mean.interval is None else {"interval": tuple(end * factor for end in mean.interval)}
    se = None if mean.se is None else mean.se * factor
    lower, upper = mean.lower * factor * (1.0 - QUOTIENT), mean.upper * factor * (1.0 + QUOTIENT)
    return Statistic(mean.value * factor, lower, upper, se=se, **ends)
