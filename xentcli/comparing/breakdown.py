"""Where the differences sit: the same few statistics of each part of the rows, of all parts at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.table import rounded_mean
from xentcli.numbers.runs import sums_of_runs
from xentcli.records.breakdown import Part
from xentcli.records.statistic import Statistic
from xentcli.statistics.runs import Runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.comparing.table import Ends, Table
    from xentcli.numbers.exactsum import ExactSum
    from xentcli.running.grouping import Parts
    from xentcli.statistics.runs import Errors

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

ENDS = ("", "_lower", "_upper")


@dataclass(frozen=True, eq=False)
class Sorted:
    """The rows of a table, those of one part after the other."""

    table: Table
    order: Integers
    ids: Integers  # the parts that have rows
    runs: Runs

    @classmethod
    def of(cls, table: Table, parts: Parts, groups: Integers | None) -> Sorted:
        """Within a part, those of one group after the other."""
        of_row = parts.of_row
        order = np.argsort(of_row, kind="stable") if groups is None else np.lexsort((groups, of_row))
        runs = Runs.of(of_row[order], None if groups is None else groups[order])
        return cls(table, order, of_row[order][runs.starts], runs)

    def column(self, name: str) -> Floats:
        """One read of the rows for each number."""
        values: Floats = self.table.column(name)[self.order].astype(np.float64, copy=False)
        return values

    def sums(self, name: str) -> dict[str, list[ExactSum]]:
        """Of each part, of the values and of both ends."""
        return {end: sums_of_runs(self.column(name + end), self.runs.starts) for end in ENDS}


def breakdown(table: Table, parts: Parts, groups: Integers | None, *, labelled: bool) -> tuple[Part, ...]:
    """Each part that has rows, in their order; the parts of one group do not know its standard error."""
    found = Sorted.of(table, parts, groups)
    kl = found.sums("kl")
    columns = (
        [parts.names[number] for number in found.ids.tolist()],
        found.runs.rows.tolist(),
        _means(found, "kl", kl),
        _means(found, "loss_difference", found.sums("loss_difference")) if labelled else [None] * len(found.ids),
        _overlaps(found),
        _shares(kl),
    )
    return tuple(map(Part, *columns))


def _means(found: Sorted, name: str, sums: dict[str, list[ExactSum]]) -> list[Statistic]:
    """Of an enclosed column: exact sums of its values and of both ends, each rounded once, or outwards."""
    rows = found.runs.rows.tolist()
    ends = [rounded_mean(totals, count) for *totals, count in zip(*sums.values(), rows, strict=True)]
    return _estimated(ends, found.runs.errors(found.column(name), np.array([value for value, *_ in ends])))


def _overlaps(found: Sorted) -> list[Statistic]:
    """The share of rows whose most probable class is the same on both sides; ends where ties decide."""
    lower, upper = (found.column(f"top1_{end}") for end in ("lower", "upper"))
    low, high = (found.runs.sums(each) / found.runs.rows for each in (lower, upper))
    ends = list(zip(high.tolist(), low.tolist(), high.tolist(), strict=True))
    return _estimated(ends, found.runs.errors(upper, high))


def _estimated(ends: list[Ends], errors: Errors) -> list[Statistic]:
    """With the statistical errors, as far as these can be told."""
    groups = errors.se if errors.group_se is None else errors.group_se
    columns = (errors.se.tolist(), groups.tolist(), errors.reach.tolist(), errors.df.tolist())
    is_grouped = errors.group_se is not None
    return [
        Statistic(
            *own,
            se=_known(se),
            group_se=_known(group_se) if is_grouped else None,
            interval=_interval(own[0], reach, df),
        )
        for own, se, group_se, reach, df in zip(ends, *columns, strict=True)
    ]


def _interval(value: float, reach: float, df: int) -> tuple[float, float] | None:
    """Value ± reach; the whole line around a finite value of one row or group."""
    if df < 1 and math.isfinite(value):
        return -math.inf, math.inf
    return None if math.isnan(reach) else (value - reach, value + reach)


def _known(error: float) -> float | None:
    return None if math.isnan(error) else error


def _shares(sums: dict[str, list[ExactSum]]) -> list[Statistic] | list[None]:
    """Of the total of KL, with ends that hold however rounding moved both; None where that is 0."""
    totals = {end: _total(own) for end, own in sums.items()}
    if not totals[""]:
        return [None] * len(sums[""])
    values = [[own.value() for own in sums[end]] for end in ENDS]
    return [_share(own, totals) for own in zip(*values, strict=True)]


def _total(sums: list[ExactSum]) -> float:
    total = type(sums[0])()
    for own in sums:
        total.merge(own)
    return total.value()


def _share(own: tuple[float, ...], totals: dict[str, float]) -> Statistic:
    value, low, high = own
    lower = low / totals["_upper"] if math.isfinite(totals["_upper"]) else 0.0
    upper = high / totals["_lower"] if totals["_lower"] else math.inf
    ends = max(0.0, math.nextafter(lower, -1.0)), min(1.0, math.nextafter(upper, math.inf))
    return Statistic(min(max(value / totals[""], ends[0]), ends[1]), *ends)
