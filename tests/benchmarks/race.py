"""Contestants in turn, round after round, so that what disturbs the machine disturbs them all."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from children import run, run_cold
from company import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from children import Ended
    from contestants import Contestant


@dataclass(frozen=True)
class Spread:
    """The middle of some ratios, and what half of them lie between; NaN where there are none."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(*3 * (values[0] if values else math.nan,))
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)


@dataclass(frozen=True)
class Standing:
    """How a contestant did."""

    name: str
    seconds: float  # median
    ratio: Spread  # to the first contestant of the same round
    net: Spread | None  # the same after the imports of both; None where nothing is imported
    peak: int  # bytes, greatest
    fetched: int | None = None  # bytes from the disk, fewest; None where the page cache had them
    goal_ratio: float | None = None
    goal_peak: int | None = None


@dataclass(frozen=True)
class Setting:
    """What the times were taken under."""

    rounds: int
    others: float  # the share of all processors that somebody else took meanwhile
    is_cold: bool = False  # the files were on the disk alone


@dataclass(frozen=True)
class Result:
    """A race that is over."""

    title: str
    standings: tuple[Standing, ...]  # the first is what the others are compared to
    absent: tuple[str, ...]  # who did not run, and why
    setting: Setting
    bytes: int = 0  # of the logits on the disk


def race(
    title: str,
    contestants: Sequence[Contestant],
    rounds: int,
    logits_bytes: int,
    say: Callable[[str], object],
    dropped: Sequence[Path] = (),
) -> Result:
    """Run all who can run, in turn; the first one must.

    dropped  files whose pages leave the cache before every run; StillCachedError where they do not
    """
    hindrances = {each.name: each.hindrance(logits_bytes) for each in contestants}
    runners = [each for each in contestants if not hindrances[each.name]]
    imports = sorted({each.imports for each in runners} - {""})
    for statement in imports:
        run(("-c", statement))  # once for the page cache
    laps: list[dict[str, Ended]] = []
    start = Moment.now()
    for number in range(rounds):
        say(f"{title}: round {number + 1} of {rounds}")
        lap = {statement: run(("-c", statement)) for statement in imports}
        laps.append(lap | {each.name: _run(each, dropped) for each in runners})
    setting = Setting(rounds, Moment.now().others_since(start), is_cold=bool(dropped))
    absent = tuple(f"{name}: {reason}" for name, reason in hindrances.items() if reason)
    standings = _standings(runners, laps, is_cold=setting.is_cold)
    return Result(
        title, (*standings, *_import_standing(runners[0], laps, is_cold=setting.is_cold)), absent, setting, logits_bytes
    )


def _run(contestant: Contestant, dropped: Sequence[Path]) -> Ended:
    return run_cold(contestant.arguments, dropped) if dropped else run(contestant.arguments)


def _standings(runners: Sequence[Contestant], laps: Sequence[dict[str, Ended]], *, is_cold: bool) -> list[Standing]:
    first = runners[0]
    return [
        Standing(
            name=each.name,
            seconds=statistics.median(_seconds(each, lap) for lap in laps),
            ratio=Spread.of([_seconds(each, lap) / _seconds(first, lap) for lap in laps]),
            net=Spread.of(_net_ratios(each, first, laps)) if each.imports else None,
            peak=max(lap[each.name].peak for lap in laps),
            fetched=min(lap[each.name].fetched for lap in laps) if is_cold else None,
            goal_ratio=each.ratio,
            goal_peak=each.peak,
        )
        for each in runners
    ]


def _import_standing(first: Contestant, laps: Sequence[dict[str, Ended]], *, is_cold: bool) -> list[Standing]:
    """The share of the first contestant's time that its imports take."""
    if not first.imports:
        return []
    ended = [lap[first.imports] for lap in laps]
    shares = [each.seconds / _seconds(first, lap) for each, lap in zip(ended, laps, strict=True)]
    seconds = statistics.median(each.seconds for each in ended)
    fetched = min(each.fetched for each in ended) if is_cold else None
    return [Standing(f"`{first.imports}`", seconds, Spread.of(shares), None, max(each.peak for each in ended), fetched)]


def _seconds(contestant: Contestant, lap: dict[str, Ended]) -> float:
    ended = lap[contestant.name]
    return float(ended.printed) if contestant.times_itself else ended.seconds


def _net_ratios(each: Contestant, first: Contestant, laps: Sequence[dict[str, Ended]]) -> list[float]:
    """Each one's time less that of its own imports, where the first one has something left of it."""
    pairs = [tuple(_seconds(one, lap) - lap[one.imports].seconds for one in (each, first)) for lap in laps]
    return [own / other for own, other in pairs if other > 0]
