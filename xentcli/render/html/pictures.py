"""The pictures of a page: each is drawn of numbers that stand beside it as a table, and says in a sentence what it is.

What differs is told by shape, outline or a word, never by colour alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xentcli.render.html.document import SHORT, shortened
from xentcli.render.html.shapes import (
    MARKS,
    SIGNS,
    WIDTH,
    Axis,
    Frame,
    Picture,
    axes,
    box,
    diamond,
    disc,
    drawn,
    element,
    line,
    path,
    square,
    text,
)
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from xentcli.render.cells import Grid
    from xentcli.render.html.shapes import Point

Shape = Literal["disc", "square", "diamond"]
EDGE = 1.25  # of what is allowed, up to which a mark is within the picture
CLEAR = 12.0  # units between two labels that do not run into each other


@dataclass(frozen=True)
class Mark:
    """A value within what is allowed, which is from −1 to 1, and what is written beside it."""

    name: str
    share: float
    text: str
    shape: Shape = "disc"


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram: from where to where, and how high it is above the line and below."""

    low: float
    high: float
    name: str
    above: float
    below: float


@dataclass(frozen=True)
class Line:
    """A number that a picture marks, and what it is."""

    name: str
    value: float
    look: str = "mark"
    spread: float = 0.0  # to both sides of it


@dataclass(frozen=True)
class Hit:
    """A bin of a reliability diagram: how sure the model was, and how often it was right, with both ends of that."""

    confidence: float
    accuracy: float
    ends: tuple[float, float]  # of the accuracy
    share: float  # of all rows
    edges: tuple[float, float]  # of the bin


@dataclass(frozen=True)
class Bar:
    """A bar from the left, its name before it and its number behind it."""

    name: str
    value: float
    text: str


@dataclass(frozen=True)
class Series:
    """A line through points, or the points alone."""

    name: str
    points: tuple[Point, ...]
    look: Literal["line", "dashed", "dots", "steps"] = "line"
    low: tuple[float, ...] = ()  # what its points are between, where that is known
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A field of a heat map: how full it is, from 0 to 1, and what is written in it, one sign or two."""

    fill: float
    sign: str = ""
    told: str = ""
    look: str = ""


def band(title: str, label: str, marks: Sequence[Mark], numbers: Grid) -> Picture:
    """Marks within the band of what is allowed round the true value; one beyond it is an arrow at the edge."""
    frame = Frame(height=34.0 + 44.0 * len(marks), left=WIDTH * 0.08, right=WIDTH * 0.08, top=8.0, bottom=26.0)
    inner = Axis("", -EDGE, EDGE)
    low, zero, high = (frame.x(inner.share(each)) for each in (-1.0, 0.0, 1.0))
    shapes = [box((low, frame.top), high - low, frame.floor - frame.top, "band")]
    shapes += [line((at, frame.top), (at, frame.floor), "edge") for at in (low, high)]
    shapes.append(line((zero, frame.top), (zero, frame.floor), "truth"))
    for at, mark in enumerate(marks):
        height = frame.top + 44.0 * at + 30.0
        x = frame.x(inner.share(mark.share))
        shapes.append(line((low, height), (high, height), "grid"))
        shapes.append(text((low + 6, height - 12), f"{mark.name}: {mark.text}", "said within"))
        shapes.append(_marked(mark, (x, height)))
    below = frame.floor + 15
    shapes += [
        text((low, below), "− allowed", "tick", "middle"),
        text((zero, below), "true value", "tick", "middle"),
        text((high, below), "+ allowed", "tick", "middle"),
    ]
    return drawn(title, label, frame.height, shapes, numbers)


def _marked(mark: Mark, at: Point) -> Markup:
    return _beyond(at, mark.share) if abs(mark.share) > EDGE else MARKS[mark.shape](at, "mark")


def _beyond(at: Point, share: float) -> Markup:
    """An arrow that points out of the band."""
    tip = 6.0 if share > 0 else -6.0
    points = f"{at[0] + tip:g},{at[1]:g} {at[0] - tip:g},{at[1] - 6:g} {at[0] - tip:g},{at[1] + 6:g}"
    return element("polygon", points=points, class_="mark beyond")


def histogram(
    title: str, label: str, bins: Sequence[Bin], *, across: Axis, lines: Sequence[Line], numbers: Grid
) -> Picture:
    """Bars above a line and, outlined, below it, on one scale; upright lines with their names on top."""
    top = 14.0 + CLEAR * len(lines)
    frame = Frame(height=216.0 + CLEAR * len(lines), top=top)
    up, down = (max(getattr(each, side) for each in bins) for side in ("above", "below"))
    rise = (frame.floor - top) / (up + down or 1.0)
    base = top + rise * up
    shapes = [shape for each in lines if each.spread for shape in _spread(frame, across, each)]
    for each in bins:
        left, right = (frame.x(across.share(end)) for end in (each.low, each.high))
        wide = right - left - 1.5
        shapes += [
            box((left + 0.75, base - rise * each.above), wide, rise * each.above, "full", each.name),
            box((left + 0.75, base), wide, rise * each.below, "hollow", each.name),
        ]
    shapes += [
        text((0, base - rise * up / 2 + 4), "rows", "name"),
        text((0, base + rise * down / 2 + 4), "loss", "name"),
        line((frame.left, base), (frame.left + frame.width, base), "axis"),
    ]
    first = min(lines, key=lambda each: each.value) if len(lines) > 1 else None
    upright = [_upright(frame, across, each, CLEAR * (at + 1) - 2, each is first) for at, each in enumerate(lines)]
    shapes += [shape for layer in zip(*upright, strict=True) for shape in layer]
    return drawn(title, label, frame.height, [*shapes, *axes(frame, across)], numbers)


def _spread(frame: Frame, across: Axis, each: Line) -> list[Markup]:
    low, high = (frame.x(across.share(each.value + sign * each.spread)) for sign in (-1.0, 1.0))
    return [box((low, frame.top), high - low, frame.floor - frame.top, "spread")]


def _upright(frame: Frame, across: Axis, each: Line, height: float, is_first: bool) -> tuple[Markup, Markup, Markup]:
    """A line through the picture, what keeps it clear of the bars, and its name where there is room.

    is_first  whether another line is to its right, so that its name had better be on its left
    """
    x, wide = frame.x(across.share(each.value)), SIGNS * len(each.name) + 8
    is_left = x + wide > frame.left + frame.width or (is_first and x > wide)
    where = (x - 4 if is_left else x + 4, height)
    name = text(where, each.name, "said", "end" if is_left else "start")
    start, stop = (x, height - 8), (x, frame.floor)
    return line(start, stop, "halo"), line(start, stop, each.look), name


def reliability(title: str, label: str, hits: Sequence[Hit], numbers: Grid) -> Picture:
    """How often a model is right against how sure it is, on the diagonal where it is honest; the rows' bars below."""
    frame, bars = Frame(height=216.0, bottom=12.0), Frame(height=284.0, top=214.0)
    across = Axis("how sure: probability of the top class", 0.0, 1.0, spelled=_share)
    up = Axis("how often right", 0.0, 1.0, spelled=_share)
    shapes = axes(frame, Axis("", 0.0, -1.0), up)[:-2]
    shapes.append(line(frame.point(across, up, (0.0, 0.0)), frame.point(across, up, (1.0, 1.0)), "truth"))
    tallest = max((each.share for each in hits), default=1.0) or 1.0
    for each in hits:
        at = frame.point(across, up, (each.confidence, each.accuracy))
        ends = [frame.point(across, up, (each.confidence, end)) for end in each.ends]
        left, right = (bars.x(across.share(edge)) for edge in each.edges)
        height = (bars.floor - bars.top) * each.share / tallest
        told = f"{each.share:.3g} of the rows"
        shapes += [
            line(ends[0], ends[1], "whisker"),
            disc(at, "mark"),
            box((left + 0.75, bars.floor - height), right - left - 1.5, height, "full", told),
        ]
    shapes += [*axes(bars, across), text((2, bars.top + 14), "rows", "name")]
    return drawn(title, label, bars.height, shapes, numbers)


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def bars(title: str, label: str, rows: Sequence[Bar], numbers: Grid) -> Picture:
    """Bars below each other, from the left."""
    called = [shortened(each.name, 22) for each in rows]
    left = min(140.0, 14.0 + SIGNS * max(map(len, called), default=0))
    right = 14.0 + SIGNS * max((len(each.text) for each in rows), default=0)
    frame = Frame(height=6.0 + 17.0 * len(rows), left=left, right=right)
    greatest = max((each.value for each in rows if math.isfinite(each.value)), default=1.0) or 1.0
    shapes = []
    for at, (name, each) in enumerate(zip(called, rows, strict=True)):
        top, width = 17.0 * at + 3.0, frame.width * _filled(each.value, greatest)
        shapes += [
            text((left - 6, top + 10), name, "tick", "end"),
            box((left, top), max(width, 0.75), 12.0, "full", shortened(each.name, SHORT)),
            text((left + max(width, 0.75) + 5, top + 10), each.text, "tick"),
        ]
    return drawn(title, label, frame.height, shapes, numbers)


def _filled(value: float, greatest: float) -> float:
    """How much of the room a bar takes; all of it where it has no end, and none where it is no number."""
    return min(1.0, max(0.0, value / greatest)) if greatest > 0.0 and not math.isnan(value) else 0.0


def curve(
    title: str,
    label: str,
    series: Sequence[Series],
    *,
    across: Axis,
    up: Axis,
    numbers: Grid,
    point: tuple[Point, str] | None = None,
) -> Picture:
    """Lines over one axis, each told from the others by its stroke; one point may be marked and named."""
    legend = [each for each in series if each.name]
    frame = Frame(top=22.0 + CLEAR * (len(legend) > 1))
    shapes = axes(frame, across, up)
    for each in map(_finite, series):
        shapes += _whiskers(frame, across, up, each)
        shapes += STROKES[each.look]([frame.point(across, up, at) for at in each.points])
    if len(legend) > 1:
        shapes += _legend(frame, legend)
    if point is not None:
        at, said = point
        shapes += [
            diamond(frame.point(across, up, at), "mark"),
            text((frame.left + frame.width, 9), f"◆ {said}", "said", "end"),  # above all lines
        ]
    return drawn(title, label, frame.height, shapes, numbers)


def _finite(series: Series) -> Series:
    """The points that have a place in a picture; the table has the others."""
    kept = [at for at, point in enumerate(series.points) if all(map(math.isfinite, point))]
    ends = (tuple(side[at] for at in kept) if side else () for side in (series.low, series.high))
    return Series(series.name, tuple(series.points[at] for at in kept), series.look, *ends)


def _whiskers(frame: Frame, across: Axis, up: Axis, each: Series) -> list[Markup]:
    ends = zip(each.points, each.low, each.high, strict=False)
    return [
        line(frame.point(across, up, (at, low)), frame.point(across, up, (at, high)), "whisker")
        for (at, _), low, high in ends
    ]


def _dots(points: Sequence[Point]) -> list[Markup]:
    return [square(at, "hollow") for at in points]


def _line(points: Sequence[Point]) -> list[Markup]:
    return [path(points, "stroke")]


def _dashed(points: Sequence[Point]) -> list[Markup]:
    return [path(points, "stroke dashed")]


def _steps(points: Sequence[Point]) -> list[Markup]:
    return [path(points, "stroke"), *(disc(at, "mark", 2.0) for at in points)]


STROKES: dict[str, Callable[[Sequence[Point]], list[Markup]]] = {
    "line": _line, "dashed": _dashed, "dots": _dots, "steps": _steps,
}  # fmt: skip


def _legend(frame: Frame, legend: Sequence[Series]) -> list[Markup]:
    """The strokes with their names, beside each other above the picture."""
    shapes, x = [], frame.left
    for each in legend:
        name = shortened(each.name, 24)
        shapes += [*STROKES[each.look]([(x, 20.0), (x + 18, 20.0)]), text((x + 23, 23.5), name, "said")]
        x += 38 + SIGNS * len(name)
    return shapes


def heat_map(
    title: str, label: str, rows: Sequence[tuple[str, Sequence[Cell]]], heads: Sequence[str], numbers: Grid
) -> Picture:
    """Fields in rows and columns, fuller where there is more; the sign in a field says the same without colour."""
    called = [shortened(name, 24) for name, _ in rows]
    left = 10.0 + SIGNS * max(map(len, called), default=0)
    top = 6.0 + (SIGNS * max(map(len, heads), default=0) if any(heads) else 0.0)
    columns = max((len(cells) for _, cells in rows), default=1) or 1
    side = min(18.0, (WIDTH - left - 4.0) / columns)
    tall = max(side, 14.0)
    shapes = []
    for at, name in enumerate(heads):
        x = left + side * (at + 0.5) + 3.5
        upright = f"translate({x:g} {top - 4:g}) rotate(-90)"
        shapes.append(element("text", shortened(name, 24), class_="tick", transform=upright))
    for number, (name, (_, cells)) in enumerate(zip(called, rows, strict=True)):
        y = top + tall * number
        shapes.append(text((left - 6, y + tall / 2 + 3.5), name, "tick", "end"))
        for at, cell in enumerate(cells):
            shapes += _field((left + side * at, y), side, tall, cell)
    return drawn(title, label, top + tall * len(rows) + 4.0, shapes, numbers)


def _field(corner: Point, side: float, tall: float, cell: Cell) -> list[Markup]:
    inner = element("title", cell.told) if cell.told else ""
    x, y = corner
    field = element(
        "rect",
        inner,
        x=x + 0.5,
        y=y + 0.5,
        width=side - 1,
        height=tall - 1,
        class_=f"field {cell.look}".strip(),
        fill_opacity=min(1.0, max(0.0, cell.fill)),
    )
    sign = [text((x + side / 2, y + tall / 2 + 3.5), cell.sign, "sign", "middle")] if cell.sign else []
    return [field, *sign]


def spelled_share(value: float) -> str:
    """A share in percent, to three digits."""
    return f"{brief(100.0 * value, 3)} %"
