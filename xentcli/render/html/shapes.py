"""The shapes that pictures are drawn of, as SVG in which every text is escaped; a style sheet gives them their look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xentcli.render.cells import Grid

WIDTH = 360.0  # units of a picture, so that its texts can be read on a phone
SIGNS = 5.6  # units that a sign of a text takes, about
TICKS = 5  # on an axis, about
LEAST = 1e-300  # from one end of an axis to the other, so that there are powers of ten between them

Point = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """A drawing, what it shows in a sentence, and the numbers that it is drawn of."""

    title: str
    label: str
    svg: Markup
    numbers: Grid


@dataclass(frozen=True)
class Axis:
    """Numbers along a side of a picture."""

    name: str
    low: float
    high: float
    is_log: bool = False
    spelled: Callable[[float], str] = brief
    marked: tuple[float, ...] = ()  # its ticks, where round numbers are none of its own

    def share(self, value: float) -> float:
        """How far along the axis a number is, from 0 to 1; what lies beyond an end is at it."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, value))
        return min(1.0, max(0.0, (at - low) / (high - low))) if high > low else 0.5

    def ticks(self) -> list[float]:
        """Round numbers, some of them; or those that it is given."""
        if self.marked:
            return list(self.marked)
        return _decades(self.low, self.high) if self.is_log else _steps(self.low, self.high)

    def _scaled(self, value: float) -> float:
        if not self.is_log:
            return value
        return math.log10(max(value, self.low, 5e-324))


@dataclass(frozen=True)
class Frame:
    """The place within a picture where its axes are."""

    height: float = 216.0
    left: float = 40.0
    right: float = 10.0
    top: float = 22.0
    bottom: float = 34.0

    @property
    def width(self) -> float:
        return WIDTH - self.left - self.right

    @property
    def floor(self) -> float:
        return self.height - self.bottom

    def x(self, share: float) -> float:
        return self.left + share * self.width

    def y(self, share: float) -> float:
        return self.floor - share * (self.floor - self.top)

    def point(self, x: Axis, y: Axis, at: Point) -> Point:
        """Where a point of both axes stands."""
        return self.x(x.share(at[0])), self.y(y.share(at[1]))


def element(name: str, content: str = "", /, **attributes: str | float) -> Markup:
    """An element; of an attribute's name the underscores are hyphens, and a last one is nothing."""
    spelled = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _spelled(value))
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(spelled), content)


def drawn(title: str, label: str, height: float, shapes: Iterable[Markup], numbers: Grid) -> Picture:
    """The picture of these shapes, the later ones before the earlier."""
    view = f"0 0 {WIDTH:g} {height:g}"
    svg = element("svg", Markup("").join(shapes), viewBox=view, role="img", aria_label=label)
    return Picture(title, label, svg, numbers)


def line(start: Point, end: Point, look: str) -> Markup:
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=look)


def path(points: Sequence[Point], look: str) -> Markup:
    """One line through all points."""
    steps = " ".join(f"{'M' if not at else 'L'}{_spelled(x)} {_spelled(y)}" for at, (x, y) in enumerate(points))
    return element("path", d=steps, class_=look)


def box(corner: Point, width: float, height: float, look: str, told: str = "") -> Markup:
    """A rectangle; `told` is what a pointer that rests on it is told."""
    inner = element("title", told) if told else Markup("")
    return element("rect", inner, x=corner[0], y=corner[1], width=max(0.0, width), height=max(0.0, height), class_=look)


def text(at: Point, said: str, look: str = "", anchor: str = "start") -> Markup:
    return element("text", said, x=at[0], y=at[1], class_=look, text_anchor=anchor)


def disc(at: Point, look: str, radius: float = 3.5) -> Markup:
    return element("circle", cx=at[0], cy=at[1], r=radius, class_=look)


def square(at: Point, look: str, side: float = 6.5) -> Markup:
    return box((at[0] - side / 2, at[1] - side / 2), side, side, look)


def diamond(at: Point, look: str, reach: float = 5.0) -> Markup:
    x, y = at
    corners = ((x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y))
    return element("polygon", points=" ".join(f"{_spelled(a)},{_spelled(b)}" for a, b in corners), class_=look)


MARKS: dict[str, Callable[[Point, str], Markup]] = {"disc": disc, "square": square, "diamond": diamond}


def axes(frame: Frame, across: Axis, up: Axis | None = None) -> list[Markup]:
    """Both axes with their ticks and names; the lines across the picture are those of the one that goes up."""
    shapes = []
    if up is not None:
        for tick in up.ticks():
            height = frame.y(up.share(tick))
            shapes += [
                line((frame.left, height), (frame.left + frame.width, height), "grid"),
                text((frame.left - 5, height + 3.5), up.spelled(tick), "tick", "end"),
            ]
        shapes.append(text((2, 9), up.name, "name"))
    shapes.append(line((frame.left, frame.floor), (frame.left + frame.width, frame.floor), "axis"))
    for tick in across.ticks():
        at = frame.x(across.share(tick))
        shapes += [
            line((at, frame.floor), (at, frame.floor + 4), "axis"),
            text((at, frame.floor + 15), across.spelled(tick), "tick", "middle"),
        ]
    shapes.append(text((frame.left + frame.width, frame.height - 3), across.name, "name", "end"))
    return shapes


def _steps(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    if not high - low > LEAST or not math.isfinite(high - low):
        return [low]
    rough = (high - low) / (TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * each for each in (1.0, 2.0, 5.0) if power * each >= rough * 0.999), power * 10.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{step * at:.12g}") for at in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten; where fewer than two are on the axis, twice and five times them as well, or evenly spaced ones."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, -(-(last - first + 1) // (TICKS + 1)))
    powers = [float(f"1e{power}") for power in range(first, last + 1, step)]
    finer = [float(f"{digit}e{power}") for power in range(first - 1, last + 1) for digit in (1, 2, 5)]
    within = [each for each in finer if low <= each <= high]
    return next((ticks for ticks in (powers, within) if len(ticks) > 1), None) or _steps(low, high)


def _spelled(value: str | float) -> str | Markup:
    """A place in a picture to a hundredth; texts are escaped."""
    return escape(value) if isinstance(value, str) else f"{round(value, 2) + 0.0:g}"
