"""How xent's time and memory grow with the number of logits, of classes and of threads."""

from __future__ import annotations

import math
import os
import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from children import run, script
from company import Moment
from inputs import Shape, check_space, made
from race import Setting, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from children import Ended


@dataclass(frozen=True)
class Job:
    """One run of xent, and what is told of it on the x axis."""

    x: int
    shape: Shape
    threads: int | None = None  # None as many as torch likes


@dataclass(frozen=True)
class Point:
    """What a job took."""

    x: int
    laps: tuple[float, ...]  # seconds in every round, imports aside
    peak: int  # bytes resident, greatest

    @property
    def seconds(self) -> float:
        return statistics.median(self.laps)


@dataclass(frozen=True)
class Curve:
    """What happens when one thing grows and the rest stays."""

    title: str
    axis: str
    points: tuple[Point, ...]
    setting: Setting

    @property
    def efficiencies(self) -> tuple[Spread, ...]:
        """Over threads: of n of them, one's time over n times theirs, in the same round."""
        alone = self.points[0]
        return tuple(
            Spread.of([one * alone.x / (many * point.x) for one, many in zip(alone.laps, point.laps, strict=True)])
            for point in self.points
        )


@dataclass(frozen=True)
class Sweep:
    """The jobs of one curve."""

    title: str
    axis: str
    jobs: tuple[Job, ...]

    @property
    def shapes(self) -> set[Shape]:
        return {job.shape for job in self.jobs}

    @property
    def most_bytes(self) -> int:
        return sum(shape.most_bytes for shape in self.shapes)


def over_logits(sizes: Sequence[int], classes: int) -> Sweep:
    jobs = tuple(Job(size, Shape(size // classes, classes)) for size in sizes)
    return Sweep(f"{classes} classes", "logits", jobs)


def over_classes(widths: Sequence[int], values: int) -> Sweep:
    return Sweep(f"{values:,} logits", "classes", tuple(Job(width, Shape(values // width, width)) for width in widths))


def over_threads(shape: Shape) -> Sweep:
    """One thread to as many as there are cores, by twos."""
    cores = os.cpu_count() or 1
    counts = sorted({1 << power for power in range(cores.bit_length()) if 1 << power <= cores} | {cores})
    return Sweep(f"{shape} logits", "threads", tuple(Job(count, shape, count) for count in counts))


def curve(sweep: Sweep, rounds: int, folder: Path, say: Callable[[str], object]) -> Curve:
    """The sweep's jobs, run in turn round after round."""
    check_space(folder, sweep.most_bytes)
    with ExitStack() as stack:
        files = {shape: stack.enter_context(made(shape, folder)) for shape in sweep.shapes}
        laps: list[dict[int, Ended]] = []
        start = Moment.now()
        for number in range(rounds):
            say(f"over {sweep.axis}: round {number + 1} of {rounds}")
            laps.append({job.x: run(script("xent_seconds", *files[job.shape].both), job.threads) for job in sweep.jobs})
        setting = Setting(rounds, Moment.now().others_since(start))
    points = tuple(_point(job.x, [lap[job.x] for lap in laps]) for job in sweep.jobs)
    return Curve(sweep.title, sweep.axis, points, setting)


def _point(x: int, ended: Sequence[Ended]) -> Point:
    return Point(x, tuple(float(each.printed) for each in ended), max(each.peak for each in ended))


def slope(points: Sequence[Point]) -> float:
    """The exponent p of the power law time ~ x^p that fits best, by least squares of the logarithms."""
    return statistics.linear_regression(
        [math.log(point.x) for point in points], [math.log(point.seconds) for point in points]
    ).slope


def told(curve: Curve) -> str:
    """The points and the slopes, for a terminal."""
    points = curve.points
    lines = [f"over {curve.axis}, {curve.title}"]
    lines += [f"{point.x:>13,}  {point.seconds:9.4f} s  {point.peak / 2**20:7,.0f} MiB" for point in points]
    if len(points) > 1:
        steps = ", ".join(f"{slope(pair):.2f}" for pair in pairwise(points))
        lines.append(f"slope {slope(points):.2f} (from point to point {steps})")
    return "\n".join(lines)
