"""Numbers with their intervals below each other, on one axis with zero: which of them are told from no difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.render.html.document import shortened
from xentcli.render.html.shapes import SIGNS, Axis, Frame, axes, box, disc, drawn, line, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from xentcli.render.cells import Grid
    from xentcli.render.html.shapes import Picture

ROW = 17.0  # units from one number to the next
NAME = 22  # signs of a name before them


@dataclass(frozen=True)
class Estimate:
    """A number, between what it lies, its name before it and its text behind it."""

    name: str
    value: float
    low: float
    high: float
    text: str


def intervals(
    title: str, label: str, rows: Sequence[Estimate], numbers: Grid, *, across: str, margin: float = 0.0
) -> Picture:
    """A mark and a line for each; the band round zero is a margin, within which a difference does not matter."""
    called = [shortened(each.name, NAME) for each in rows]
    left = min(140.0, 14.0 + SIGNS * max(map(len, called), default=0))
    right = 14.0 + SIGNS * max((len(each.text) for each in rows), default=0)
    frame = Frame(height=44.0 + ROW * len(rows), left=left, right=right, top=4.0, bottom=36.0)
    axis = Axis(across, *_reach(rows, margin))
    zero, (low, high) = frame.x(axis.share(0.0)), (frame.x(axis.share(end)) for end in (-margin, margin))
    shapes = [box((low, frame.top), high - low, frame.floor - frame.top, "band")] if margin else []
    shapes.append(line((zero, frame.top), (zero, frame.floor), "truth"))
    for at, (name, each) in enumerate(zip(called, rows, strict=True)):
        shapes += _row(frame, axis, frame.top + ROW * at + 10.0, name, each)
    return drawn(title, label, frame.height, [*shapes, *axes(frame, axis)], numbers)


def _reach(rows: Sequence[Estimate], margin: float) -> tuple[float, float]:
    """From the lowest end to the highest, with zero and the margin between them."""
    ends = [end for each in rows for end in (each.low, each.value, each.high) if math.isfinite(end)]
    return min([*ends, -margin]), max([*ends, margin])


def _row(frame: Frame, axis: Axis, height: float, name: str, each: Estimate) -> Iterator[Markup]:
    yield text((frame.left - 6, height + 3.5), name, "tick", "end")
    yield text((frame.left + frame.width + 8, height + 3.5), each.text, "tick")
    if not math.isfinite(each.value):
        return
    low, high = (end if math.isfinite(end) else each.value for end in (each.low, each.high))
    yield line((frame.x(axis.share(low)), height), (frame.x(axis.share(high)), height), "whisker")
    yield disc((frame.x(axis.share(each.value)), height), "mark")
