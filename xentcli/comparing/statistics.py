"""Every statistic of two sets of logits: its certified value, and its statistical error beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.records.comparison import Statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.comparing.table import Ends, Table

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

PERCENTS = (0.1, 1.0, 5.0, 10.0, 50.0, 90.0, 95.0, 99.0, 99.9)
WITH_PERCENTILES = ("kl", "delta_p")
EXP = 2.0**-48  # how far math.exp and a few operations err, relatively, and more


@dataclass(frozen=True)
class Errors:
    """Standard errors of means: of rows that stand alone, and of groups of them."""

    groups: Integers | None  # of each row, from 0 on; None where rows stand alone

    @property
    def count(self) -> int | None:
        return None if self.groups is None else int(self.groups.max(initial=-1)) + 1

    def of_mean(self, values: Floats) -> tuple[float | None, float | None]:
        """sqrt(Σ(v − v̄)²/(n(n − 1))), and (1/n)·sqrt(G/(G − 1)·Σ_g(Σ_{i∈g}(v_i − v̄))²); None where n or G is 1."""
        rows = len(values)
        if rows < 2 or not np.isfinite(values).all():
            return None, None
        centred = values - values.mean()
        own = math.sqrt(float(centred @ centred) / (rows * (rows - 1)))
        count = self.count
        if self.groups is None or count is None or count < 2:
            return own, None
        sums = np.bincount(self.groups, weights=centred, minlength=count)
        return own, math.sqrt(count / (count - 1) * float(sums @ sums)) / rows


def statistics_of(table: Table, errors: Errors, *, labelled: bool) -> dict[str, Statistic]:
    """Name -> the statistic, in the order in which they are told."""
    found = {
        name: _mean(table, name, errors) for name in ("kl", "kl_reverse", "js", "tv", "entropy_base", "entropy_other")
    }
    found |= {f"top{count}_overlap" if count > 1 else "same_top": _share(table, count, errors) for count in (1, 5, 10)}
    found["max_abs_logit"] = _exactly(float(table.column("greatest").max(initial=0.0)))
    return (_of_labels(table, errors) if labelled else {}) | found


def _of_labels(table: Table, errors: Errors) -> dict[str, Statistic]:
    base, other, difference, delta = (
        _mean(table, name, errors) for name in ("loss_base", "loss_other", "loss_difference", "delta_p")
    )
    one, two = (table.column(name) for name in ("loss_base", "loss_other"))
    return {
        "loss_base": base,
        "loss_other": other,
        "loss_difference": difference,
        "ppl_base": _exponential(base),
        "ppl_other": _exponential(other),
        "ppl_ratio": _exponential(difference),
        "ppl_difference": _difference(_exponential(other), _exponential(base)),
        "log_ppl_ratio": difference,
        "correlation": _correlation(one, two),
        "delta_p": delta,
        "rms_delta_p": _root_mean_square(table, errors),
        **{f"accuracy_{side}": _right(table, side, errors) for side in ("base", "other")},
        "flips_right_wrong": _flips(table, "base", "other"),
        "flips_wrong_right": _flips(table, "other", "base"),
    }


def _exactly(value: float) -> Statistic:
    return Statistic(value, value, value)


def _mean(table: Table, name: str, errors: Errors) -> Statistic:
    values, lower, upper = table.ends(name)
    percentiles = None
    if name in WITH_PERCENTILES:
        ranks = np.percentile(values, PERCENTS) if len(values) else np.full(len(PERCENTS), np.nan)
        percentiles = {f"{percent:g}": float(value) for percent, value in zip(PERCENTS, ranks, strict=True)}
        percentiles |= {"min": float(values.min(initial=np.inf)), "max": float(values.max(initial=-np.inf))}
        percentiles |= {
            "99.9_upper": float(np.percentile(upper, 99.9)),
            "99.9_lower": float(np.percentile(lower, 99.9)),
        }
    return replace(_estimated(table.mean(name), errors.of_mean(values)), percentiles=percentiles)


def _estimated(ends: Ends, found: tuple[float | None, float | None]) -> Statistic:
    return Statistic(*ends, se=found[0], group_se=found[1])


def _exponential(mean: Statistic) -> Statistic:
    """exp of a mean, with its standard error by the delta method."""
    value, lower, upper = (_exp(end) for end in (mean.value, mean.lower, mean.upper))
    own, group = (None if each is None else value * each for each in (mean.se, mean.group_se))
    return _estimated((value, lower * (1.0 - EXP), upper * (1.0 + EXP)), (own, group))


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _difference(left: Statistic, right: Statistic) -> Statistic:
    return Statistic(
        left.value - right.value,
        math.nextafter(left.lower - right.upper, -math.inf),
        math.nextafter(left.upper - right.lower, math.inf),
    )


def _correlation(left: Floats, right: Floats) -> Statistic:
    """Of two columns; NaN where one of them is constant.  Its ends allow for float64 sums of centred values."""
    with np.errstate(all="ignore"):
        a, b = left - left.mean(), right - right.mean()
        value = float((a @ b) / math.sqrt(float(a @ a) * float(b @ b))) if a.any() and b.any() else math.nan
    slack = 2.0**-50 * max(1, len(left))
    return Statistic(value, max(-1.0, value - slack), min(1.0, value + slack))


def _root_mean_square(table: Table, errors: Errors) -> Statistic:
    values, lower, upper = table.ends("delta_p")
    least = np.where((lower <= 0.0) & (upper >= 0.0), 0.0, np.minimum(np.abs(lower), np.abs(upper)))
    ends = (values, least, np.maximum(np.abs(lower), np.abs(upper)))
    value, low, high = (math.sqrt(math.fsum(each * each) / len(each)) if len(each) else math.nan for each in ends)
    own, group = (None if each is None or not value else each / (2.0 * value) for each in errors.of_mean(values**2))
    return _estimated((value, low * (1.0 - EXP), high * (1.0 + EXP)), (own, group))


def _share(table: Table, count: int, errors: Errors) -> Statistic:
    """The mean share of the most probable classes that both sides have in common."""
    lower, upper = (table.column(f"top{count}_{end}").astype(np.float64) / count for end in ("lower", "upper"))
    return _counted(lower, upper, errors)


def _right(table: Table, side: str, errors: Errors) -> Statistic:
    lower, upper = (table.column(f"right_{side}_{end}").astype(np.float64) for end in ("lower", "upper"))
    return _counted(lower, upper, errors)


def _counted(lower: Floats, upper: Floats, errors: Errors) -> Statistic:
    """A share whose rows are known but for ties; the first of equals is taken where a single value is wanted."""
    low, high = (float(each.mean()) if len(each) else math.nan for each in (lower, upper))
    return _estimated((high, low, high), errors.of_mean(upper))


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


def rows_of_half(values: Floats) -> int:
    """The fewest rows that carry half of a total of numbers that are not negative."""
    if not len(values) or not values.sum() > 0.0:
        return 0
    running = np.cumsum(np.sort(values)[::-1])
    return int(np.searchsorted(running, running[-1] / 2.0)) + 1
