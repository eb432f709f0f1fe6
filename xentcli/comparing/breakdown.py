"""Where the differences sit: the same few statistics of each part of the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.statistics import estimated, overlap
from xentcli.comparing.table import Table
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.breakdown import Part
from xentcli.records.statistic import Statistic
from xentcli.statistics.means import mean_estimate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.running.grouping import Parts

    Integers = NDArray[np.int64]

ENDS = ("", "_lower", "_upper")
NEEDED = (*(name + end for name in ("kl", "loss_difference") for end in ENDS), "top1_lower", "top1_upper")


@dataclass(frozen=True, eq=False)
class Sorted:
    """The needed numbers of the rows, those of one part after the other."""

    rows: Table
    groups: Integers | None
    ids: Integers  # the parts that have rows
    starts: Integers  # the first row of each, and the end

    @classmethod
    def of(cls, table: Table, parts: Parts, groups: Integers | None) -> Sorted:
        """One read of the rows for each number."""
        order = np.argsort(parts.of_row, kind="stable")
        ids, starts = np.unique(parts.of_row[order], return_index=True)
        rows = np.empty(len(order), [(name, table.kind[name]) for name in NEEDED])
        for name in NEEDED:
            rows[name] = table.column(name)[order]
        own = None if groups is None else groups[order]
        return cls(Table((rows,)), own, ids, np.append(starts, len(order)))

    def parts(self) -> Iterator[tuple[int, Table, Integers | None]]:
        """The number of each part, its rows, and their groups."""
        (rows,) = self.rows.parts
        for number, start, stop in zip(self.ids.tolist(), self.starts, self.starts[1:], strict=False):
            own = slice(int(start), int(stop))
            yield number, Table((rows[own],)), None if self.groups is None else self.groups[own]


def breakdown(table: Table, parts: Parts, groups: Integers | None, *, labelled: bool) -> tuple[Part, ...]:
    """Each part that has rows, in their order; the parts of one group do not know its standard error."""
    totals = {end: _total(table, f"kl{end}") for end in ENDS}
    found = Sorted.of(table, parts, groups).parts()
    return tuple(_part(parts.names[number], own, within, totals, labelled=labelled) for number, own, within in found)


def _part(name: str, table: Table, groups: Integers | None, totals: dict[str, float], *, labelled: bool) -> Part:
    means = (_mean(table, each, groups) for each in ("kl", *(["loss_difference"] if labelled else [])))
    kl, *difference = means
    return Part(
        name, len(table), kl, difference[0] if difference else None, overlap(table, 1, groups), _share(table, totals)
    )


def _mean(table: Table, name: str, groups: Integers | None) -> Statistic:
    return estimated(table.mean(name), mean_estimate(table.column(name), groups))


def _total(table: Table, name: str) -> float:
    total = ExactSum()
    for part in table.slices():
        total.add(part[name])
    return total.value()


def _share(table: Table, totals: dict[str, float]) -> Statistic | None:
    """Of the total of KL, with ends that hold however rounding moved both."""
    if not totals[""]:
        return None
    own = {end: _total(table, f"kl{end}") for end in ENDS}
    lower = own["_lower"] / totals["_upper"] if math.isfinite(totals["_upper"]) else 0.0
    upper = own["_upper"] / totals["_lower"] if totals["_lower"] else math.inf
    ends = max(0.0, math.nextafter(lower, -1.0)), min(1.0, math.nextafter(upper, math.inf))
    return Statistic(min(max(own[""] / totals[""], ends[0]), ends[1]), *ends)
