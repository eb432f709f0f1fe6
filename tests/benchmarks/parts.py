"""The parts of the benchmark: what each of them runs, and on which data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import contestants
from children import StillCachedError, has_device
from inputs import made, paired
from markdown import gigabytes
from race import race
from scaling import curve
from sections import Compared, of_jobs, of_race, of_threads, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from contestants import Contestant
    from inputs import Files, Shape
    from race import Result
    from scaling import Curve, Sweep
    from sections import Section
    from sizes import Sizes

GPU, SCALING = "gpu", "scaling"
KEPT = ("wide", "tall", "text", "pair", "metrics", "cold", "threads", "jobs")  # have a section in the page
PARTS = (*KEPT, "start", "enclosure", GPU, SCALING)
EFFICIENCIES = (0.85, None)  # the goals: of wide rows, of tall ones


@dataclass(frozen=True)
class Stage:
    """How many rounds there are, where the data lie, and who is told."""

    rounds: int
    folder: Path
    say: Callable[[str], object]
    curves: dict[Sweep, Curve] = field(default_factory=dict)  # measured already: two parts may ask for one

    def stored(
        self, shape: Shape, runners: Callable[[Files], list[Contestant]], asked: str = "", *, is_cold: bool = False
    ) -> Result:
        with made(shape, self.folder) as files:
            title = f"{asked}{shape} {shape.kind}, {gigabytes(files.bytes)}"
            dropped = files.both if is_cold else ()
            return race(title, runners(files), self.rounds, files.bytes, self.say, dropped)

    def pair(self, shape: Shape) -> Result:
        with paired(shape, self.folder) as files:
            title = f"Two of {shape} {shape.kind}, {gigabytes(2 * files.bytes)}"
            return race(title, contestants.pair(files), self.rounds, 2 * files.bytes, self.say)

    def light(self, title: str, runners: Sequence[Contestant]) -> Result:
        """Without data on the disk."""
        return race(title, runners, self.rounds, 0, self.say)

    def curve(self, sweep: Sweep) -> Curve:
        if sweep not in self.curves:
            self.curves[sweep] = curve(sweep, self.rounds, self.folder, self.say)
        return self.curves[sweep]


def sections(part: str, sizes: Sizes, stage: Stage) -> list[Section]:
    """What comes of one part."""
    parts: dict[str, Callable[[], list[Section]]] = {
        "wide": lambda: [of_race(stage.stored(sizes.wide, contestants.wide))],
        "tall": lambda: [of_race(stage.stored(sizes.tall, contestants.tall))],
        "text": lambda: [of_race(stage.stored(sizes.text, contestants.text))],
        "pair": lambda: [of_race(stage.pair(sizes.pair))],
        "metrics": lambda: [
            of_race(stage.stored(shape, contestants.metrics, "`--metrics` of ")) for shape in (sizes.wide, sizes.tall)
        ],
        "cold": lambda: [_cold(sizes.wide, stage)],
        "threads": lambda: [
            of_threads(stage.curve(sweep), goal) for sweep, goal in zip(sizes.threads, EFFICIENCIES, strict=True)
        ],
        "jobs": lambda: [of_jobs([_compared(shape, stage) for shape in sizes.jobs])],
        "start": lambda: [of_race(stage.light("Starting", each)) for each in contestants.start()],
        GPU: lambda: [_gpu(sizes.wide, stage)],
        "enclosure": lambda: [
            of_race(stage.light("The certified pass", contestants.enclosure(*each))) for each in sizes.enclosures
        ],
    }  # fmt: skip
    return parts[part]()


def _cold(shape: Shape, stage: Stage) -> Section:
    try:
        return of_race(stage.stored(shape, contestants.cold, "On the disk alone: ", is_cold=True))
    except StillCachedError as error:
        return refused(
            f"On the disk alone: {shape} {shape.kind}",
            f"{error}, so that {stage.folder} keeps files in memory, or does not tell what it reads; "
            "`--folder DIRECTORY` puts them on another disk",
        )


def _compared(shape: Shape, stage: Stage) -> Compared:
    return Compared(shape.kind, stage.stored(shape, contestants.jobs))


def _gpu(shape: Shape, stage: Stage) -> Section:
    if not has_device():
        return refused("On a CUDA device", "torch finds none here")
    return of_race(stage.stored(shape, contestants.gpu))
