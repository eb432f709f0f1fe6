"""Where two sides differ, in pictures: the loss with its intervals, and every part of the rows by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.comparison.parts import carried, parts_grid, parts_heading
from xentcli.render.heaviest import heaviest
from xentcli.render.html.document import Section
from xentcli.render.html.intervals import Estimate, intervals
from xentcli.render.html.pictures import Bar, Series, bars, curve
from xentcli.render.html.shapes import Axis
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.question.grouping import By
    from xentcli.records.breakdown import Part
    from xentcli.records.comparison import Compared
    from xentcli.records.statistic import Statistic
    from xentcli.render.html.shapes import Picture

FEWEST = 3  # points of a curve
POINTS = 4  # times as many positions are shown as other parts
MOVED = "loss, other less base, nats"
INTERVAL = "95 % interval"


def quoted(each: Statistic) -> float | None:
    """The standard error of groups, where there are some."""
    return each.se if each.group_se is None else each.group_se


def with_error(each: Statistic, digits: int = 3) -> str:
    error = quoted(each)
    return brief(each.value, digits) + ("" if error is None else f" ± {brief(error)}")


def ends(each: tuple[float, float] | None) -> str:
    return "" if each is None else f"{brief(each[0], 3)} to {brief(each[1], 3)}"


def estimate(name: str, each: Statistic, interval: tuple[float, float] | None = None) -> Estimate:
    low, high = interval or each.interval or (each.value, each.value)
    return Estimate(name, each.value, low, high, with_error(each))


def losses(named: Sequence[tuple[str, Compared]], margin: float) -> tuple[Picture, ...]:
    """By how much each side's mean loss is above the base's; of one side with both of its intervals."""
    found = [(name, one.statistics["loss_difference"]) for name, one in named if "loss_difference" in one.statistics]
    rows = [estimate(name, each) for name, each in found]
    if len(named) == 1:
        rows = [
            Estimate(name, each.value, *interval, ends(interval))
            for _, each in found
            for name, interval in ((INTERVAL, each.interval), ("90 % interval", each.interval90))
            if interval is not None
        ]
    if not rows:
        return ()
    told = "; ".join(f"{each.name} {each.text}" for each in rows[:5])
    band = " The band is the margin of --equivalence, in which the 90 % interval is to lie." if margin else ""
    label = f"Intervals of the mean loss, other less base, round no difference: {told}.{band}"
    return (intervals("Mean loss, other less base", label, rows, _numbers("", found), across="nats", margin=margin),)


def _numbers(head: str, found: Sequence[tuple[str, Statistic]]) -> Grid:
    rows = tuple(
        (name, brief(each.value, 4), brief(quoted(each)), ends(each.interval), ends(each.interval90), brief(each.p))
        for name, each in found
    )
    return Grid((head, "other less base", "±", INTERVAL, "90 % interval", "p"), rows).without_blanks()


def parts(one: Compared, totals: dict[By, int], most: int) -> Iterator[Section]:
    """How far the sides are apart in each part of the rows, by each thing that tells them apart; confidence first.

    totals  how many parts there are of each kind, of which `one` may have some alone
    """
    for by in sorted(one.groups, key=lambda each: each != "confidence"):
        found = one.groups[by]
        shown = most * POINTS if by == "position" else most
        if found and most:
            pictures = tuple(_pictures(by, heaviest(found, _weight, shown)))
            yield Section(
                _title(by, totals[by], shown), _lead(by, found), pictures=pictures, is_half=len(pictures) == 1
            )


def _title(by: str, total: int, most: int) -> str:
    return "Difference against confidence" if by == "confidence" else parts_heading(by, range(total), most)


def _lead(by: str, found: Sequence[Part]) -> str:
    if not any(each.kl.value for each in found):
        return "No part of the rows has any KL."
    of = "By the base's probability of its top class: " if by == "confidence" else ""
    said = carried(by, found)
    return f"{of}{said if of else said[:1].upper() + said[1:]}."


def _weight(part: Part) -> float:
    return part.kl.value * part.rows


def _pictures(by: str, found: Sequence[Part]) -> Iterator[Picture]:
    label = f"Mean KL of each part; {carried(by, found)}"
    grid = parts_grid(by, found, len(found))
    moved = [(part.name, part.loss_difference) for part in found if part.loss_difference is not None]
    if by == "position" and len(found) >= FEWEST:
        yield _curve("Mean KL along the sequence", label, [(part.name, part.kl) for part in found], grid)
        if moved:
            said = f"{MOVED}, along the sequence".capitalize()
            yield _curve(said, f"{said}, with its standard error", moved, _numbers(by, moved))
        return
    rows = [Bar(part.name, part.kl.value, brief(part.kl.value, 4)) for part in found]
    yield bars("Mean KL, nats", label, rows, grid)
    if moved:
        said = f"Mean loss, other less base, of each {by}, with 95 % intervals"
        named = [estimate(name, each) for name, each in moved]
        yield intervals("Mean loss, other less base", said, named, _numbers(by, moved), across="nats")


def _curve(title: str, label: str, named: Sequence[tuple[str, Statistic]], grid: Grid) -> Picture:
    places = [float(name.partition(" ")[0]) for name, _ in named]
    values = [each.value for _, each in named]
    errors = [quoted(each) or 0.0 for _, each in named]
    low, high = (tuple(value + sign * error for value, error in zip(values, errors, strict=True)) for sign in (-1, 1))
    finite = [end for end in (*low, *high, 0.0) if math.isfinite(end)]
    up = Axis("nats ± standard error", min(finite), max(finite) or 1.0)
    across = Axis("position", places[0], places[-1], spelled=lambda value: f"{value:g}")
    series = Series("", tuple(zip(places, values, strict=True)), "steps", low, high)
    return curve(title, label, [series], across=across, up=up, numbers=grid)
