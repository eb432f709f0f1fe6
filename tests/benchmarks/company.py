"""Who else kept the processors busy while something was measured (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

SPENT = (0, 1, 2, 5, 6, 7)  # of the columns in /proc/stat: user, nice, system, irq, softirq, stolen by other machines


@dataclass(frozen=True)
class Moment:
    """Seconds since some beginning."""

    clock: float
    processors: float  # of all of them, busy with anything
    own: float  # of theirs, busy with this process and the children that have ended

    @classmethod
    def now(cls) -> Moment:
        columns = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        busy = sum(int(columns[place]) for place in SPENT) / os.sysconf("SC_CLK_TCK")
        return cls(time.perf_counter(), busy, sum(os.times()[:4]))

    def others_since(self, before: Moment) -> float:
        """The share of all processors that others took; never below 0, though the clocks tick at different times."""
        foreign = (self.processors - before.processors) - (self.own - before.own)
        return max(0.0, foreign / ((self.clock - before.clock) * (os.cpu_count() or 1)))
