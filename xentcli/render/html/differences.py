"""Where two sides differ, in pictures: the loss with its intervals, and every part of the rows by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

from xentcli.render.cells import Grid
from xentcli.render.comparison.parts import carried, parts_grid, parts_heading
from xentcli.render.ends import interval as outward
from xentcli.render.ends import spelled
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


def told(each: Statistic, digits: int = 4) -> str:
    """To so many digits where they are certain; else as far as it is."""
    is_certain = brief(each.lower, digits) == brief(each.upper, digits) and math.isfinite(each.value)
    return brief(each.value, digits) if is_certain else spelled(each)


def with_error(each: Statistic) -> str:
    """With the standard error that is quoted."""
    error = quoted(each)
    return told(each, 3) + ("" if error is None else f" ± {brief(error)}")


def ends(found: tuple[float, float] | None) -> str:
    """In the digits that tell them apart; nothing where so few rows leave them open."""
    if not is_known(found):
        return ""
    low, high = found
    return outward(low, high) if low < high else f"{brief(low, 3)} to {brief(high, 3)}"


def is_known(interval: tuple[float, float] | None) -> TypeGuard[tuple[float, float]]:
    return interval is not None and all(map(math.isfinite, interval))


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
            if is_known(interval)
        ]
    if not rows:
        return ()
    said = "; ".join(f"{each.name} {each.text}" for each in rows[:5])
    band = " The band is the margin of --equivalence, in which the 90 % interval is to lie." if margin else ""
    label = f"Intervals of the mean loss, other less base, round no difference: {said}.{band}"
    return (intervals("Mean loss, other less base", label, rows, _numbers("", found), across="nats", margin=margin),)


def divergences(named: Sequence[tuple[str, Compared]]) -> tuple[Picture, ...]:
    """The mean KL of each side, beside that of its floor in the table."""
    found = [(name, one.statistics["kl"], one.floor) for name, one in named if "kl" in one.statistics]
    rows = [Bar(name, each.value, told(each)) for name, each, _ in found]
    cells = tuple(
        (name, told(each), brief(quoted(each)), brief(floor.statistics["kl"].floor.value, 4) if floor else "")
        for name, each, floor in found
    )
    numbers = Grid(("other", "KL", "±", "floor"), cells).without_blanks()
    label = f"Bars: the mean KL from the base of {', '.join(f'{each.name} {each.text}' for each in rows[:5])}"
    return (bars("Mean KL, nats", label, rows, numbers),) if rows else ()


def _numbers(head: str, found: Sequence[tuple[str, Statistic]]) -> Grid:
    rows = tuple(
        (name, told(each), brief(quoted(each)), ends(each.interval), ends(each.interval90), brief(each.p))
        for name, each in found
    )
    return Grid((head, "other less base", "±", INTERVAL, "90 % interval", "p"), rows).without_blanks()


def parts(one: Compared, totals: dict[By, int], most: int) -> Iterator[Section]:
    """How far the sides are apart in each part of the rows, by each thing that tells them apart; confidence first.

    totals  how many parts there are of each kind, of which `one` may have some alone
    """
    for by in sorted(one.groups, key=lambda each: each != "confidence"):
        found, shown = one.groups[by], most_of(by, totals[by], most)
        if found and shown:
            pictures = (
                tuple(_pictures(by, found, is_whole=len(found) == totals[by]))
                if any(each.kl.value for each in found)
                else ()
            )
            yield Section(
                _title(by, totals[by], shown), _lead(by, found), pictures=pictures, is_half=len(pictures) == 1
            )


def most_of(by: By, total: int, most: int) -> int:
    """How many parts are shown: of positions all or few, as a curve through some of them is none."""
    return total if by == "position" and FEWEST <= total <= POINTS * most else most


def _title(by: str, total: int, most: int) -> str:
    return "Difference against confidence" if by == "confidence" else parts_heading(by, range(total), most)


def _lead(by: str, found: Sequence[Part]) -> str:
    if not any(each.kl.value for each in found):
        return "No part of the rows has any KL."
    of = "By the base's probability of its top class: " if by == "confidence" else ""
    said = carried(by, found)
    return f"{of}{said if of else said[:1].upper() + said[1:]}."


def _pictures(by: str, found: Sequence[Part], *, is_whole: bool) -> Iterator[Picture]:
    label = f"Mean KL of each part; {carried(by, found)}"
    grid = parts_grid(by, found, len(found))
    moved = [(part.name, part.loss_difference) for part in found if part.loss_difference is not None]
    if by == "position" and is_whole and len(found) >= FEWEST:
        yield _curve("Mean KL along the sequence", label, [(part.name, part.kl) for part in found], grid)
        if moved:
            said = f"{MOVED}, along the sequence".capitalize()
            yield _curve(said, f"{said}, with its standard error", moved, _numbers(by, moved))
        return
    rows = [Bar(part.name, part.kl.value, told(part.kl)) for part in found]
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
