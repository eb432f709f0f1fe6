"""KL, row by row: the curve of its percentiles, beside those of the floor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.html.pictures import Series, curve
from xentcli.render.html.shapes import Axis
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from xentcli.records.comparison import Compared
    from xentcli.records.statistic import Percentile
    from xentcli.render.html.shapes import Picture

    Percentiles = dict[str, Percentile]

ENDS = {"min": -9.0, "max": 9.0}  # where the least row and the greatest stand, on an axis of log-odds
FEWEST = 3  # rows of a curve
MARKED = ("min", "0.1", "1", "10", "50", "90", "99", "99.9", "max")


def tail(one: Compared) -> tuple[Picture, ...]:
    """Which share of the rows is how far from the base, and whether the floor is as far there; none where none is."""
    found = one.statistics["kl"].percentiles or {}
    floor = (one.floor.statistics["kl"].floor.percentiles or {}) if one.floor else {}
    rows = one.counts.rows - one.counts.ignored
    if rows < FEWEST or not any(each.value > 0.0 for each in found.values()):
        return ()
    return (_picture(found, floor),)


def _picture(found: Percentiles, floor: Percentiles) -> Picture:
    positive = [each.value for each in (*found.values(), *floor.values()) if each.value > 0.0]
    up = Axis("KL, nats", *_decades(min(positive), max(positive)), is_log=True)
    places = {_place(name): name for name in MARKED}
    across = Axis(
        "share of the rows", ENDS["min"], ENDS["max"], spelled=lambda at: _said(places[at]), marked=tuple(places)
    )
    series = [_series("other", found), *([Series("floor", _points(floor), "dashed")] if floor else [])]
    middle, far = (brief(found[name].value, 3) for name in ("50", "99.9"))
    label = f"Percentiles of KL by row: half of the rows are below {middle} nats, 99.9 % below {far}"
    return curve("KL that so many rows stay below", label, series, across=across, up=up, numbers=_numbers(found, floor))


def _place(name: str) -> float:
    """Log-odds, so that both tails have room."""
    return ENDS[name] if name in ENDS else math.log(float(name) / (100.0 - float(name)))


def _said(name: str) -> str:
    return name if name in ENDS else f"{name} %"


def _points(found: Percentiles) -> tuple[tuple[float, float], ...]:
    return tuple((_place(name), each.value) for name, each in found.items())


def _series(name: str, found: Percentiles) -> Series:
    """With the intervals of so few rows, as far as there are rows enough on that side."""
    ends = ((each.value if end is None else end for each in found.values() for end in each.interval[side:][:1])
            for side in (0, 1))  # fmt: skip
    return Series(name, _points(found), "steps", *map(tuple, ends))


def _decades(low: float, high: float) -> tuple[float, float]:
    """Whole powers of ten, at least one apart."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return 10.0**first, 10.0 ** max(last, first + 1)


def _numbers(found: Percentiles, floor: Percentiles) -> Grid:
    head = ("rows", "KL", "at least", "at most", "floor")
    rows = tuple(
        (
            _said(name),
            brief(each.value, 3),
            *(brief(end, 3) for end in each.interval),
            brief(floor[name].value, 3) if floor else "",
        )
        for name, each in found.items()
    )
    return Grid(head, rows).without_blanks()
