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
    sides = f"{spelled(lost)} rows are right in the base alone, {spelled(won)} in the other side alone"
    return sides + (f"; by chance so unlike or more with p = {brief(lost.p)}." if lost.p is not None else ".")


def _both(one: Compared) -> Grid:
    """All rows that count, in four fields."""
    lost, won = (one.statistics[name] for name in CHANGES)
    rows = one.counts.rows - one.counts.ignored
    right = _less(one.statistics["accuracy_base"], rows, lost)
    wrong = _less(_other(one.statistics["accuracy_other"]), rows, lost)
    fields = ((right, lost), (won, wrong))
    names = ("right", "wrong")
    said = (tuple(map(spelled, each)) for each in fields)
    return Grid(
        ("base", "other right", "other wrong"), tuple((name, *each) for name, each in zip(names, said, strict=True))
    )


def _other(share: Statistic) -> Statistic:
    return Statistic(1.0 - share.value, 1.0 - share.upper, 1.0 - share.lower)


def _less(share: Statistic, rows: int, flipped: Statistic) -> Statistic:
    """A share of the rows in rows, without those that change sides; ends where ties decide."""
    value, lower, upper = (float(round(end * rows)) for end in (share.value, share.lower, share.upper))
    return Statistic(value - flipped.value, max(0.0, lower - flipped.upper), upper - flipped.lower)
