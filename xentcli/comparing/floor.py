"""What two sets of logits differ by beyond what noise alone does."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.statistics import estimated, statistics_of
from xentcli.records.breakdown import Excess, Floor
from xentcli.records.statistic import Statistic
from xentcli.statistics.means import mean_estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from xentcli.comparing.about import PairAbout
    from xentcli.comparing.table import Table
    from xentcli.records.breakdown import Moved, Within

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Ends = tuple[float, float, float]  # a value, and between what it lies
    Statistics = dict[str, Statistic]


def _itself(each: Statistic) -> Ends:
    return each.value, each.lower, each.upper


def _size(each: Statistic) -> Ends:
    sizes = abs(each.lower), abs(each.upper)
    return abs(each.value), 0.0 if each.lower <= 0.0 <= each.upper else min(sizes), max(sizes)


def _from_one(each: Statistic) -> Ends:
    return 1.0 - each.value, 1.0 - each.upper, 1.0 - each.lower


def _ratio(each: Statistic) -> Ends:
    return _size(Statistic(each.value - 1.0, each.lower - 1.0, each.upper - 1.0))


TAIL = "kl_99.9"  # the percentile of KL
# statistic -> how far from no difference it is, in the order in which they are told; one side alone is no difference
DISTANCES: dict[str, Callable[[Statistic], Ends]] = {
    "loss_difference": _size, "ppl_ratio": _ratio, "ppl_difference": _size, "correlation": _from_one,
    "kl": _itself, "kl_reverse": _itself, "js": _itself, "tv": _itself, "kl_cvar95": _itself, "kl_cvar99": _itself,
    TAIL: _itself, "delta_p": _size, "rms_delta_p": _itself,
    "same_top": _from_one, "top5_overlap": _from_one, "top10_overlap": _from_one,
    "flips_right_wrong": _itself, "flips_wrong_right": _itself,
    "max_abs_logit": _itself, "rmse_logit": _itself, "cosine_logit": _from_one,
}  # fmt: skip


def _column(name: str) -> Callable[[Table, Statistic], Floats]:
    return lambda table, _each: table.column(name)


def _signed(name: str) -> Callable[[Table, Statistic], Floats]:
    """Of the size of a mean, to the first order."""
    return lambda table, each: math.copysign(1.0, each.value) * table.column(name)


def _not_shared(count: int) -> Callable[[Table, Statistic], Floats]:
    return lambda table, _each: 1.0 - table.column(f"top{count}_upper").astype(np.float64) / count


def _flips(right: str, wrong: str) -> Callable[[Table, Statistic], Floats]:
    """Each as many as there are rows, so that their mean is the count."""
    names = f"right_{right}_upper", f"right_{wrong}_upper"
    return lambda table, _each: np.where(table.column(names[0]) & ~table.column(names[1]), float(len(table)), 0.0)


# statistic -> what its distance is the mean of, row by row, so that the excess has a statistical error
ROWS: dict[str, Callable[[Table, Statistic], Floats]] = {
    "kl": _column("kl"), "kl_reverse": _column("kl_reverse"), "js": _column("js"), "tv": _column("tv"),
    "loss_difference": _signed("loss_difference"), "delta_p": _signed("delta_p"),
    "same_top": _not_shared(1), "top5_overlap": _not_shared(5), "top10_overlap": _not_shared(10),
    "flips_right_wrong": _flips("base", "other"), "flips_wrong_right": _flips("other", "base"),
}  # fmt: skip
WITH_CURVE = {"kl"}  # whose percentiles are drawn with those of the floor beside them


def floor_of(
    name: str,
    of: Moved,
    pair: tuple[Statistics, Statistics],
    tables: tuple[Table, Table],
    groups: Integers | None,
) -> Floor:
    """Of the other side and of the floor: their statistics, and their rows, which are the same ones."""
    other, floor = map(_with_tail, pair)
    found = {
        each: _excess(each, (other[each], floor[each]), tables, groups)
        for each in DISTANCES
        if each in other and each in floor
    }
    return Floor(name, of, found["kl"].within, found)


@dataclass(frozen=True, eq=False)
class Floored:
    """What is known of a floor: the rows of one set, or of both sides that were rounded."""

    name: str
    tables: dict[Moved, Table]  # what was moved -> its rows
    labelled: bool

    def beneath(self, statistics: Statistics, table: Table, groups: Integers | None) -> Floor:
        """Of these statistics; of two sides that were rounded, by the one that was moved more."""
        found = {of: statistics_of(rows, groups, labelled=self.labelled) for of, rows in self.tables.items()}
        of = max(found, key=lambda each: found[each]["kl"].value)
        return floor_of(self.name, of, (statistics, found[of]), (table, self.tables[of]), groups)


def floors_of(about: PairAbout, tables: Sequence[Table]) -> Iterator[Floored | None]:
    """That of each other side, of the tables of all that were compared, in the order of `Pairing.pairs`."""
    floor, others = about.floor, len(about.compared)
    if floor is None:
        yield from [None] * others
    elif not floor.dtype:
        yield from [Floored(floor.name, {"file": tables[-1]}, about.has_labels)] * others
    else:
        base, *rounded = tables[others:]
        for each in rounded:
            yield Floored(floor.name, {"base": base, "other": each}, about.has_labels)


def _with_tail(statistics: Statistics) -> Statistics:
    tail = (statistics["kl"].percentiles or {})["99.9"]
    return statistics | {TAIL: Statistic(tail.value, tail.lower, tail.upper)}


def _excess(
    name: str, pair: tuple[Statistic, Statistic], tables: tuple[Table, Table], groups: Integers | None
) -> Excess:
    far, near = (DISTANCES[name](each) for each in pair)
    ends = _less(far[1], near[2], -math.inf), _less(far[2], near[1], math.inf)
    value = min(max(far[0] - near[0], ends[0]), ends[1])
    excess = Statistic(value, *ends)
    if name in ROWS:
        one, two = (ROWS[name](table, each) for table, each in zip(tables, pair, strict=True))
        excess = estimated((value, *ends), mean_estimate(one - two, groups))
    floor = pair[1] if name in WITH_CURVE else replace(pair[1], percentiles=None)
    return Excess(pair[0].value, floor, excess, _within(excess))


def _less(one: float, other: float, towards: float) -> float:
    """The difference, rounded outwards where it is rounded at all."""
    difference = one - other
    if not math.isfinite(difference) or Fraction(one) - Fraction(other) == Fraction(difference):
        return difference
    return math.nextafter(difference, towards)


def _within(excess: Statistic) -> Within:
    """Beyond the floor is what is proven to be, and is more than the choice of rows explains; within, what is not."""
    if excess.upper <= 0.0:
        return "within"
    if excess.interval and excess.interval[0] <= 0.0:
        return "within"
    return "beyond" if excess.lower > 0.0 else "open"
