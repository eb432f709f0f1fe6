"""The metrics by groups and by parts of the rows, of what is kept of each."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.judging.scoring import LN2, QUOTIENT
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.runs import sums_of_runs
from xentcli.records.breakdown import LossPart
from xentcli.records.statistic import Statistic
from xentcli.statistics.means import interval, mean_estimate
from xentcli.statistics.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xentcli.statistics.means import Estimate

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Column = Callable[[str], NDArray[Any]]

SURELY, PERHAPS = 2, 1  # of `predictions.COLUMNS`, "right"
OF_ROWS: dict[str, Callable[[Column], Floats]] = {  # metric -> what its mean is taken of
    "nll": lambda column: column("loss"),
    "accuracy": lambda column: (column("right") >= PERHAPS).astype(np.float64),
    "brier": lambda column: column("brier"),
    "entropy": lambda column: column("entropy"),
    "overconfidence": lambda column: column("loss") - column("entropy"),
}


def by_groups(known: dict[str, Statistic], column: Column, groups: Integers) -> dict[str, Statistic]:
    """The same metrics with the standard errors of groups, and intervals by these, where they are means of rows."""
    names = [name for name in OF_ROWS if name in known and known[name].se is not None]
    found = {name: _quoted(known[name], mean_estimate(OF_ROWS[name](column), groups)) for name in names}
    return known | found | (_of_loss(known, found["nll"]) if "nll" in found else {})


def _of_loss(known: dict[str, Statistic], loss: Statistic) -> dict[str, Statistic]:
    """What is a function of the mean loss: its error is the loss's times the slope, its interval that of the ends."""
    ways: dict[str, tuple[float, Callable[[float], float]]] = {
        "perplexity": (known["perplexity"].value, _exp),
        "bits": (1.0 / LN2, lambda end: end / LN2),
    }
    return {
        name: replace(
            known[name],
            group_se=None if loss.group_se is None else slope * loss.group_se,
            interval=None if loss.interval is None else (of(loss.interval[0]), of(loss.interval[1])),
        )
        for name, (slope, of) in ways.items()
        if name in known
    }


def _quoted(each: Statistic, estimate: Estimate) -> Statistic:
    """With the error of groups; a share keeps no interval, as it had none."""
    group_se = told(estimate.group_se)
    if each.interval is None:
        return replace(each, group_se=group_se)
    ends = None if group_se is None else interval(each.value, group_se, estimate.df)
    return replace(each, group_se=group_se, interval=ends)


def told(value: float | None) -> float | None:
    """None for what cannot be told."""
    return None if value is None or math.isnan(value) else value


def parts_by(
    names: Sequence[str], of_row: Integers, column: Column, groups: Integers | None, radius: float
) -> tuple[LossPart, ...]:
    """The metrics of each part that has rows, in the order of the parts.

    names   what the parts are called; of_row  the part of each row
    groups  the group of each row, for standard errors; None where rows stand alone
    radius  how far a loss may be off at most
    """
    order = np.argsort(of_row, kind="stable") if groups is None else np.lexsort((groups, of_row))
    numbers, runs = of_row[order], Runs.of(of_row[order], None if groups is None else groups[order])
    losses = column("loss")[order]
    totals = sums_of_runs(losses, runs.starts)
    columns = (
        [names[number] for number in numbers[runs.starts].tolist()],
        runs.rows.tolist(),
        [total.value() for total in totals],
        _means(totals, losses, runs, radius),
        _accuracies(column("right")[order], runs),
        _shares(totals, runs.rows.tolist(), radius),
    )
    return tuple(map(LossPart, *columns))


def _means(totals: list[ExactSum], losses: Floats, runs: Runs, radius: float) -> list[Statistic]:
    """The mean loss of each part, with its errors where it is finite."""
    values = [_quotient(total, rows) for total, rows in zip(totals, runs.rows.tolist(), strict=True)]
    errors = runs.errors(losses, np.array(values))
    groups = errors.se if errors.group_se is None else errors.group_se
    columns = (values, errors.se.tolist(), groups.tolist(), errors.reach.tolist())
    is_grouped = errors.group_se is not None
    return [_mean(*numbers, radius, is_grouped=is_grouped) for numbers in zip(*columns, strict=True)]


def _mean(value: float, se: float, group_se: float, reach: float, radius: float, *, is_grouped: bool) -> Statistic:
    if not math.isfinite(value):
        return Statistic(value, value, value)
    slack = radius + QUOTIENT * abs(value)
    ends = None if math.isnan(reach) else (value - reach, value + reach)
    own = told(group_se) if is_grouped else None
    return Statistic(value, max(value - slack, 0.0), value + slack, se=told(se), group_se=own, interval=ends)


def _accuracies(right: Floats, runs: Runs) -> list[Statistic]:
    """Of each part; one group alone has no error."""
    possible = (right >= PERHAPS).astype(np.float64)
    high, low = (runs.sums(each) / runs.rows for each in (possible, (right >= SURELY).astype(np.float64)))
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.sqrt(high * (1.0 - high) / (runs.rows - 1))
    se = np.where(runs.rows > 1, se, np.nan)
    errors = runs.errors(possible, high)
    by_groups = errors.group_se if errors.group_se is not None else np.full(len(high), np.nan)
    columns = (high.tolist(), low.tolist(), se.tolist(), by_groups.tolist())
    return [
        Statistic(most, least, most, se=told(alone), group_se=told(grouped))
        for most, least, alone, grouped in zip(*columns, strict=True)
    ]


def _shares(totals: list[ExactSum], rows: list[int], radius: float) -> list[Statistic] | list[None]:
    """Of the total of all parts, each with ends that hold however rounding moved both; None where that is no share.

    (p ± s)/(P ∓ S) is within (s + S·p/P)/(P − S) of p/P.
    """
    total, total_slack = sum(totals, ExactSum()), radius * sum(rows)
    if not total.is_finite or not total.units or not math.isfinite(total_slack):
        return [None] * len(totals)
    whole, values = total.value(), [own.units / total.units for own in totals]
    if not total_slack < 0.5 * whole:
        return [Statistic(value, 0.0, 1.0) for value in values]
    left = (1.0 + QUOTIENT) / (whole - total_slack)
    reaches = ((radius * n + total_slack * p) * left + QUOTIENT * p for p, n in zip(values, rows, strict=True))
    return [Statistic(p, max(p - reach, 0.0), min(p + reach, 1.0)) for p, reach in zip(values, reaches, strict=True)]


def _quotient(total: ExactSum, count: int) -> float:
    """Rounded once, as Python does quotients of integers."""
    return total.units / ExactSum.of_count(count).units if total.is_finite else total.value()


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
