"""What was measured, a section for each: its title, the conditions that it was measured under, and its table."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from markdown import duration, gigabytes, number, quartiles, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from race import Result, Setting, Spread, Standing
    from scaling import Curve, Point

RACE = ("", "time", "quartiles", "less imports", "peak memory")
FROM_DISK = "from the disk"
THREADS = ("threads", "time", "efficiency", "quartiles", "peak memory")
JOBS = ("", "threads", "processes", "quartiles")
EFFICIENCY = "Efficiency is one thread's time over n times that of n, in the same round and imports aside."


@dataclass(frozen=True)
class Section:
    """What a terminal shows, with the goals, and what the page keeps."""

    shown: str
    kept: str


@dataclass(frozen=True)
class Compared:
    """Processes and threads on one file."""

    kind: str  # of the file
    result: Result  # threads first


def of_race(result: Result) -> Section:
    """How everybody did next to the first."""
    yardstick = f"Times are shares of the first line's, which took {duration(result.standings[0].seconds)}."
    head = f"**{result.title}.** {yardstick} {conditions(result.setting)}"
    foot = ["", f"Not run: {'; '.join(result.absent)}."] if result.absent else []
    rows = [(*RACE, FROM_DISK) if result.setting.is_cold else RACE, *map(_standing, result.standings)]
    goals = ("goal", *map(_goal, result.standings))
    with_goals = [(*row, goal) for row, goal in zip(rows, goals, strict=True)]
    return Section(*("\n".join([head, "", *table(each), *foot]) for each in (with_goals, rows)))


def of_threads(curve: Curve, goal: float | None) -> Section:
    """What more threads are worth."""
    head = f"**Threads on {curve.title}.** {EFFICIENCY} {conditions(curve.setting)}"
    rows = [THREADS, *map(_point, curve.points, curve.efficiencies)]
    kept = "\n".join([head, "", *table(rows)])
    return Section(kept if goal is None else f"{kept}\n\nGoal: {goal:.2f}.", kept)


def of_jobs(races: Sequence[Compared]) -> Section:
    """From which size processes win, if at all; the conditions are the worst of all these races."""
    worst = max((each.result.setting for each in races), key=lambda setting: setting.others)
    cores = os.cpu_count()
    means = f"`xent compute --jobs {cores}`, as a share of `xent compute` with threads."
    wins = "; ".join(_winning(kind, list(same)) for kind, same in groupby(races, lambda each: each.kind))
    rows = [JOBS, *map(_compared, races)]
    lines = [f"**Processes and threads.** {means} {conditions(worst)}", "", *table(rows), "", f"Processes win: {wins}."]
    return Section(*2 * ("\n".join(lines),))


def refused(title: str, reason: str) -> Section:
    """A part that cannot run here says so, and leaves the page as it is."""
    return Section(f"**{title}.** Not run: {reason}.", "")


def conditions(setting: Setting) -> str:
    """Where and how the times were taken: each section says it, as some may be measured again without the others."""
    runs = "One run" if setting.rounds == 1 else f"Medians of {setting.rounds} interleaved runs"
    cache = "the files dropped from the page cache before each" if setting.is_cold else "page cache warm"
    return (
        f"{runs} on {os.cpu_count()} cores ({processor()}) with torch {version('torch')}, {cache}, "
        f"while others took {100 * setting.others:.0f} % of the cores."
    )


def processor() -> str:
    """Its name, or its kind where Linux tells no name."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _standing(standing: Standing) -> tuple[str, ...]:
    net = "" if standing.net is None else number(standing.net.median)
    fetched = () if standing.fetched is None else (gigabytes(standing.fetched),)
    ratios = (number(standing.ratio.median), quartiles(standing.ratio))
    return (standing.name, *ratios, net, _mebibytes(standing.peak), *fetched)


def _goal(standing: Standing) -> str:
    ratio = "" if standing.goal_ratio is None else f"{standing.goal_ratio:.2f}"
    peak = "" if standing.goal_peak is None else f"{standing.goal_peak / 2**20:.0f} MiB"
    return ", ".join(filter(None, (ratio, peak)))


def _point(point: Point, efficiency: Spread) -> tuple[str, ...]:
    cells = (number(efficiency.median), quartiles(efficiency))
    return (str(point.x), duration(point.seconds), *cells, _mebibytes(point.peak))


def _compared(each: Compared) -> tuple[str, ...]:
    threads, processes = each.result.standings
    return (each.result.title, duration(threads.seconds), number(processes.ratio.median), quartiles(processes.ratio))


def _winning(kind: str, races: Sequence[Compared]) -> str:
    """The smallest size from which on processes were sooner in three quarters of the rounds."""
    last_lost = max((each.result.bytes for each in races if each.result.standings[1].ratio.upper >= 1), default=0)
    won = [each.result.bytes for each in races if each.result.bytes > last_lost]
    return f"{kind} from {gigabytes(min(won))} on" if won else f"{kind} at none of these sizes"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
