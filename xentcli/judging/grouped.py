"""The metrics by groups and by parts of the rows, of what is kept of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.judging.scoring import LN2, QUOTIENT
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.breakdown import LossPart
from xentcli.records.statistic import Statistic
from xentcli.statistics.means import interval, mean_estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


@dataclass(frozen=True, eq=False)
class Sums:
    """The exact total of the losses of each part that has rows, and which rows are its own."""

    numbers: tuple[int, ...]  # of the parts
    rows: tuple[Integers, ...]  # places of each one's rows
    totals: tuple[ExactSum, ...]

    @classmethod
    def of(cls, losses: Floats, of_row: Integers) -> Sums:
        """Of the part of each row."""
        order = np.argsort(of_row, kind="stable")
        numbers, starts = np.unique(of_row[order], return_index=True)
        rows = tuple(np.split(order, starts[1:])) if len(numbers) else ()
        return cls(tuple(numbers.tolist()), rows, tuple(ExactSum.of(losses[own]) for own in rows))

    @property
    def total(self) -> ExactSum:
        """Of all parts: exactly that of all rows."""
        return sum(self.totals, ExactSum())

    def __iter__(self) -> Iterator[tuple[int, Integers, ExactSum]]:
        return zip(self.numbers, self.rows, self.totals, strict=True)


def parts_by(
    names: Sequence[str], of_row: Integers, column: Column, groups: Integers | None, radius: float
) -> tuple[LossPart, ...]:
    """The metrics of each part that has rows, in the order of the parts.

    names   what the parts are called; of_row  the part of each row
    groups  the group of each row, for standard errors; None where rows stand alone
    radius  how far a loss may be off at most
    """
    losses, right = column("loss"), column("right")
    sums = Sums.of(losses, of_row)
    whole = sums.total, radius * len(losses)
    return tuple(
        LossPart(
            name=names[number],
            rows=len(own),
            total=total.value(),
            loss=_mean(total, losses[own], None if groups is None else groups[own], radius),
            accuracy=_accuracy(right[own], None if groups is None else groups[own]),
            share=_share(total, radius * len(own), *whole),
        )
        for number, own, total in sums
    )


def _mean(total: ExactSum, losses: Floats, groups: Integers | None, radius: float) -> Statistic:
    if not total.is_finite:
        return Statistic(total.value(), total.value(), total.value())
    value = total.units / ExactSum.of_count(len(losses)).units  # Python rounds a quotient of integers once
    slack = radius + QUOTIENT * abs(value)
    return _estimated((value, max(value - slack, 0.0), value + slack), mean_estimate(losses, groups))


def _accuracy(right: Floats, groups: Integers | None) -> Statistic:
    count, possible = len(right), right >= PERHAPS
    low, high = int(np.count_nonzero(right >= SURELY)) / count, int(np.count_nonzero(possible)) / count
    is_apart = groups is not None and bool((groups != groups[0]).any())  # one group alone has no error
    group_se = told(mean_estimate(possible.astype(np.float64), groups).group_se) if is_apart else None
    se = math.sqrt(high * (1.0 - high) / (count - 1)) if count > 1 else None
    return Statistic(high, low, high, se=se, group_se=group_se)


def _estimated(ends: tuple[float, float, float], estimate: Estimate) -> Statistic:
    se, group_se = told(estimate.se), told(estimate.group_se)
    is_known = (se if estimate.group_se is None else group_se) is not None
    return Statistic(
        *ends, se=se, group_se=group_se, interval=(estimate.lower95, estimate.upper95) if is_known else None
    )


def _share(own: ExactSum, slack: float, total: ExactSum, total_slack: float) -> Statistic | None:
    """Of the total, with ends that hold however rounding moved both; None where the total is 0 or infinite.

    (p ± s)/(P ∓ S) is within (s + S·p/P)/(P − S) of p/P.
    """
    if not total.is_finite or not total.units or not math.isfinite(total_slack):
        return None
    value, whole = own.units / total.units, total.value()
    if not total_slack < 0.5 * whole:
        return Statistic(value, 0.0, 1.0)
    reach = (slack + total_slack * value) / (whole - total_slack) * (1.0 + QUOTIENT) + QUOTIENT * value
    return Statistic(value, max(value - reach, 0.0), min(value + reach, 1.0))


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
