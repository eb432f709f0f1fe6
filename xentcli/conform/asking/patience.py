"""How long a program may take: what it works and what it idles counts, not what a busy machine keeps it waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LONGEST = 10.0  # time limits of the clock, for one that is kept waiting without end


class Work(NamedTuple):
    """What a program and all that it started have done so far."""

    seconds: float  # of processors
    waits: bool  # for a processor, or has one


@dataclass
class Patience:
    """What is left of a limit, in seconds.

    Work on several processors at once counts no more than the clock does, so nobody is called slow for being parallel.
    """

    limit: float
    now: float
    work: Work | None  # None where the system does not say
    spent: float = 0.0
    clock: float = 0.0

    def look(self, now: float, work: Work | None) -> None:
        """Count what passed since the last look."""
        passed = now - self.now
        self.clock += passed
        self.spent += passed if work is None or self.work is None else _counted(passed, self.work, work)
        self.now, self.work = now, work

    @property
    def ended(self) -> str:
        """Why it is over; nothing while it is not."""
        if self.spent > self.limit:
            return f"no answer within {self.limit:g} s"
        if self.clock > LONGEST * self.limit:
            return f"no answer within {LONGEST * self.limit:g} s, though the machine is busy"
        return ""


def _counted(passed: float, before: Work, after: Work) -> float:
    worked = max(0.0, after.seconds - before.seconds)
    return min(worked, passed) if worked or after.waits else passed
