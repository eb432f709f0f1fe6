"""Which rows both sides get right: two rows by two columns, and those that change sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.statistic import Statistic
from xentcli.render.cells import Grid
from xentcli.render.ends import spelled
from xentcli.render.html.document import Section, Table
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from xentcli.records.comparison import Compared

CHANGES = ("flips_right_wrong", "flips_wrong_right")


def flips(one: Compared) -> Section:
    """What the other side breaks and mends; McNemar's test says whether more than chance does."""
    found = one.statistics
    if not set(CHANGES) <= found.keys():
        return Section("Right and wrong")
    lead = _said(found[CHANGES[0]], found[CHANGES[1]])
    grid = Table.of(_both(one), "Rows, by which side is right", ("base",))
    return Section("Right and wrong", lead, tables=grid, is_half=True)


def _said(lost: Statistic, won: Statistic) -> str:
    if not lost.upper + won.upper:
        return "No row changes sides."
    sides = f"Rows that are right in the base alone: {spelled(lost)}; in the other side alone: {spelled(won)}"
    return sides + (f"; by chance so unlike or more with p = {brief(lost.p)}." if lost.p is not None else ".")


def _both(one: Compared) -> Grid:
    """All rows that count, in four fields, of which each side's accuracy and the flips give the other two."""
    lost, won = (one.statistics[name] for name in CHANGES)
    rows = one.counts.rows - one.counts.ignored
    base, other = (one.statistics[f"accuracy_{side}"] for side in ("base", "other"))
    right = _within(_less(base, rows, lost), _less(other, rows, won))
    wrong = _within(_less(_from_one(other), rows, lost), _less(_from_one(base), rows, won))
    fields = (("right", right, lost), ("wrong", won, wrong))
    said = tuple((name, *map(spelled, each)) for name, *each in fields)
    return Grid(("base", "other right", "other wrong"), said)


def _from_one(share: Statistic) -> Statistic:
    return Statistic(1.0 - share.value, 1.0 - share.upper, 1.0 - share.lower)


def _less(share: Statistic, rows: int, flipped: Statistic) -> Statistic:
    """A share of the rows in rows, without those that change sides; ends where ties decide."""
    value, lower, upper = (float(round(end * rows)) for end in (share.value, share.lower, share.upper))
    return Statistic(value - flipped.value, lower - flipped.upper, upper - flipped.lower)


def _within(one: Statistic, other: Statistic) -> Statistic:
    """What both say."""
    lower, upper = max(0.0, one.lower, other.lower), min(one.upper, other.upper)
    return Statistic(min(max(one.value, lower), upper), lower, upper)
