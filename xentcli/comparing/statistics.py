"""Every statistic of two sets of logits: its certified value, and its statistical error beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.comparing.straight import straight_line
from xentcli.records.statistic import Percentile, Statistic
from xentcli.statistics.means import correlation, exp_estimate, interval, mean_estimate, perplexity_difference
from xentcli.statistics.paired import mcnemar, sign_flip, smallest_detectable
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.comparing.table import Ends, Table
    from xentcli.statistics.means import Estimate

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

PERCENTS = (0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
WITH_PERCENTILES = ("kl", "delta_p")
WORST = (95, 99)  # the mean of the rows from this percentile on
MEANS = ("kl", "kl_reverse", "js", "tv", "entropy_base", "entropy_other")
EXP = 2.0**-48  # how far math.exp and a few operations err, relatively, and more


def statistics_of(table: Table, groups: Integers | None, *, labelled: bool) -> dict[str, Statistic]:
    """Name -> the statistic, in the order in which they are told.

    groups  of each row, an integer; None where rows stand alone
    """
    found = {name: _mean(table, name, groups) for name in MEANS}
    found |= {f"kl_cvar{percent}": _worst(table, 1.0 - percent / 100.0) for percent in WORST}
    found |= {f"top{count}_overlap" if count > 1 else "same_top": overlap(table, count, groups) for count in (1, 5, 10)}
    found["max_abs_logit"] = _exactly(float(table.column("greatest").max(initial=0.0)))
    return (_of_labels(table, groups) if labelled else {}) | found | straight_line(table)


def _of_labels(table: Table, groups: Integers | None) -> dict[str, Statistic]:
    base, other, difference, delta = (
        _mean(table, name, groups) for name in ("loss_base", "loss_other", "loss_difference", "delta_p")
    )
    one, two, moved = (table.column(name) for name in ("loss_base", "loss_other", "loss_difference"))
    estimate = mean_estimate(moved, groups)
    within = interval(estimate.value, estimate.quoted, estimate.df, 0.9)
    told = None if math.isnan(within[0]) else within
    difference = replace(difference, p=_known(sign_flip(moved, groups).p), interval90=told)
    perplexities = _exponential(base, exp_estimate(one, groups)), _exponential(other, exp_estimate(two, groups))
    lost, won = _flips(table, "base", "other"), _flips(table, "other", "base")
    p = mcnemar(int(lost.value), int(won.value))
    return {
        "loss_base": base,
        "loss_other": other,
        "loss_difference": difference,
        "smallest_detectable": _exactly(smallest_detectable(estimate)),
        "ppl_base": perplexities[0],
        "ppl_other": perplexities[1],
        "ppl_ratio": _exponential(difference, exp_estimate(moved, groups)),
        "ppl_difference": _difference(*perplexities, perplexity_difference(two, one, groups)),
        "log_ppl_ratio": difference,
        "correlation": _correlation(one, two, groups, known=_are_known(table)),
        "delta_p": delta,
        "rms_delta_p": _root_mean_square(table, groups),
        **{f"accuracy_{side}": _right(table, side, groups) for side in ("base", "other")},
        "flips_right_wrong": replace(lost, p=p),
        "flips_wrong_right": replace(won, p=p),
    }


def _exactly(value: float) -> Statistic:
    return Statistic(value, value, value)


def _known(value: float | None) -> float | None:
    """None for what cannot be told."""
    return None if value is None or math.isnan(value) else value


def estimated(ends: Ends, estimate: Estimate) -> Statistic:
    """A value with its certified ends and its statistical errors."""
    told = None if math.isnan(estimate.lower95) else (estimate.lower95, estimate.upper95)
    return Statistic(*ends, se=_known(estimate.se), group_se=_known(estimate.group_se), interval=told)


def _mean(table: Table, name: str, groups: Integers | None) -> Statistic:
    columns = table.ends(name)
    percentiles = _percentiles(columns) if name in WITH_PERCENTILES else None
    return replace(estimated(table.mean(name), mean_estimate(columns[0], groups)), percentiles=percentiles)


def _percentiles(columns: tuple[Floats, Floats, Floats]) -> dict[str, Percentile]:
    """An order statistic of the true values lies between those of the lower and of the upper ends."""
    asked = {"min": 0.0} | {f"{percent:g}": percent / 100.0 for percent in PERCENTS} | {"max": 1.0}
    values, lower, upper = (Ordered.divided(column, list(asked.values()), ()) for column in columns)
    found = {}
    for name, fraction in asked.items():
        own = values.percentile(fraction)
        ends = lower.percentile(fraction).value, upper.percentile(fraction).value
        found[name] = Percentile(own.value, *ends, (own.lower95, own.upper95))
    return found


def _worst(table: Table, share: float) -> Statistic:
    """The mean KL of this share of the rows, of those with the greatest."""
    value, lower, upper = (Ordered.divided(column, (), [share]).worst_mean(share) for column in table.ends("kl"))
    return Statistic(value, lower, upper)


def _exponential(mean: Statistic, estimate: Estimate) -> Statistic:
    value, lower, upper = (_exp(end) for end in (mean.value, mean.lower, mean.upper))
    return estimated((value, lower * (1.0 - EXP), upper * (1.0 + EXP)), estimate)


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _difference(base: Statistic, other: Statistic, estimate: Estimate) -> Statistic:
    lower, upper = other.lower - base.upper, other.upper - base.lower
    ends = math.nextafter(lower, -math.inf), math.nextafter(upper, math.inf)
    return estimated((min(max(estimate.value, ends[0]), ends[1]), *ends), estimate)


def _are_known(table: Table) -> bool:
    """Whether rounding alone leaves the losses open; 16 bits leave more."""
    ends = (table.ends(f"loss_{side}") for side in ("base", "other"))
    return all(bool((upper - lower <= 1e-9 * (1.0 + np.abs(value))).all()) for value, lower, upper in ends)


def _correlation(left: Floats, right: Floats, groups: Integers | None, *, known: bool) -> Statistic:
    """Of two columns; NaN where one of them is constant.

    Its ends allow for float64 sums of centred values; of losses that are not `known` nothing is derived.
    """
    estimate = correlation(left, right, groups)
    slack = 2.0**-50 * max(1, len(left)) if known else 2.0
    ends = max(-1.0, estimate.value - slack), min(1.0, estimate.value + slack)
    return estimated((estimate.value, *ends), estimate)


def _root_mean_square(table: Table, groups: Integers | None) -> Statistic:
    values, lower, upper = table.ends("delta_p")
    least = np.where((lower <= 0.0) & (upper >= 0.0), 0.0, np.minimum(np.abs(lower), np.abs(upper)))
    ends = (values, least, np.maximum(np.abs(lower), np.abs(upper)))
    value, low, high = (math.sqrt(math.fsum(each * each) / len(each)) if len(each) else math.nan for each in ends)
    squares = mean_estimate(values**2, groups)
    half = 0.5 / value if value else math.nan  # the root's slope
    group = None if squares.group_se is None else _known(half * squares.group_se)
    return Statistic(value, low * (1.0 - EXP), high * (1.0 + EXP), _known(half * squares.se), group)


def overlap(table: Table, count: int, groups: Integers | None) -> Statistic:
    """The mean share of the most probable classes that both sides have in common."""
    lower, upper = (table.column(f"top{count}_{end}").astype(np.float64) / count for end in ("lower", "upper"))
    return _counted(lower, upper, groups)


def _right(table: Table, side: str, groups: Integers | None) -> Statistic:
    lower, upper = (table.column(f"right_{side}_{end}").astype(np.float64) for end in ("lower", "upper"))
    return _counted(lower, upper, groups)


def _counted(lower: Floats, upper: Floats, groups: Integers | None) -> Statistic:
    """A share whose rows are known but for ties; with these where a single value is wanted."""
    low, high = (float(each.mean()) if len(each) else math.nan for each in (lower, upper))
    return estimated((high, low, high), mean_estimate(upper, groups))


def _flips(table: Table, right: str, wrong: str) -> Statistic:
    """Rows that one side gets right and the other wrong; ends where ties decide."""
    columns: dict[str, Any] = {
        f"{side}_{end}": table.column(f"right_{side}_{end}") for side in ("base", "other") for end in ("lower", "upper")
    }
    value, lower, upper = (
        float(np.count_nonzero(columns[f"{right}_{mine}"] & ~columns[f"{wrong}_{theirs}"]))
        for mine, theirs in (("upper", "upper"), ("lower", "upper"), ("upper", "lower"))
    )
    return Statistic(value, min(value, lower), max(value, upper))
