"""Curves as one small SVG, in colours that a light and a dark page both show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scaling import Curve

INK, LINE = "#7d8590", "#3b82f6"
WIDTH, HEIGHT = 190, 110  # of a panel's inside, pixels
LEFT, TOP, RIGHT, BOTTOM = 52, 26, 18, 40  # round it
MARGIN = 1.6  # below and above a curve; its square is more than 5 / 2, so that a tick lies between
PREFIXES = {1e9: "G", 1e6: "M", 1e3: "k"}


@dataclass(frozen=True)
class Panel:
    """One curve in its frame."""

    title: str
    axis: str
    unit: str  # of y
    x: tuple[float, ...]
    y: tuple[float, ...]
    from_zero: bool = False  # y is linear and starts at 0; else its logarithm is drawn


def picture(curves: Sequence[Curve]) -> str:
    """Time above, memory below, a column for each curve."""
    panels = [[_time(curve) for curve in curves], [_memory(curve) for curve in curves]]
    width, height = len(curves) * (LEFT + WIDTH + RIGHT), 2 * (TOP + HEIGHT + BOTTOM)
    drawn = "\n".join(
        f'<g transform="translate({column * (LEFT + WIDTH + RIGHT) + LEFT} {row * (TOP + HEIGHT + BOTTOM) + TOP})">\n'
        f"{panel_svg(panel)}\n</g>"
        for row, line in enumerate(panels)
        for column, panel in enumerate(line)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{INK}">\n'
        f"<title>Time and memory of xent compute</title>\n{drawn}\n</svg>\n"
    )


def panel_svg(panel: Panel) -> str:
    """Frame, ticks, words, line and points of a panel whose upper left corner is 0, 0."""
    across = _scale(panel.x, WIDTH, math.log)
    ends = (0.0, 1.1 * max(panel.y)) if panel.from_zero else (min(panel.y) / MARGIN, max(panel.y) * MARGIN)
    up = _scale(ends, HEIGHT, float if panel.from_zero else math.log)
    ticks = linear_ticks(ends[1]) if panel.from_zero else log_ticks(*ends)
    places = [(across(x), HEIGHT - up(y)) for x, y in zip(panel.x, panel.y, strict=True)]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return "\n".join([
        *(_horizontal(HEIGHT - up(tick), short(tick)) for tick in ticks),
        *(_text(across(x), HEIGHT + 15, short(x), "middle") for x in panel.x),
        _text(0, -10, f"{panel.unit}, {panel.title}", "start"),
        _text(WIDTH / 2, HEIGHT + 30, panel.axis, "middle"),
        f'<polyline points="{corners}" fill="none" stroke="{LINE}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LINE}"/>' for x, y in places),
    ])  # fmt: skip


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between the ends; where they are fewer than two, 1, 2 and 5 of each."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 2, 5)):
        ticks = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(ticks) >= 2:
            break
    return ticks


def linear_ticks(high: float) -> list[float]:
    """0 and round numbers up to the end, four or fewer above 0."""
    steps = (digit * 10.0**power for power in range(-9, 15) for digit in (1, 2, 5))
    step = next(step for step in steps if high / step < 5)
    return [step * number for number in range(math.floor(high / step) + 1)]


def short(value: float) -> str:
    """At most four letters: 100M, 0.05, 200."""
    for size, prefix in PREFIXES.items():
        if value >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:.3g}"


def _time(curve: Curve) -> Panel:
    xs, seconds = tuple(point.x for point in curve.points), tuple(point.seconds for point in curve.points)
    return Panel(curve.title, curve.axis, "seconds", xs, seconds)


def _memory(curve: Curve) -> Panel:
    xs, peaks = tuple(point.x for point in curve.points), tuple(point.peak / 2**20 for point in curve.points)
    return Panel(curve.title, curve.axis, "peak MiB", xs, peaks, from_zero=True)


def _scale(values: Sequence[float], pixels: int, measure: Callable[[float], float]) -> Callable[[float], float]:
    """From a value to its place: the smallest at 0, the greatest at `pixels`; a single one in the middle."""
    low, high = measure(min(values)), measure(max(values))
    return lambda value: pixels * (measure(value) - low) / (high - low) if high > low else pixels / 2


def _horizontal(y: float, label: str) -> str:
    line = f'<line x1="-4" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}" stroke-opacity="0.35"/>'
    return line + _text(-8, y + 4, label, "end")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
