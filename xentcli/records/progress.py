"""How far long work is, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is; the clock is the watcher's."""

    doing: str  # "computing"; another word begins another piece of work
    done: int = 0
    total: int | None = None  # None where nobody knows
    unit: str = "rows"
    bytes: int = 0  # what `done` amounts to; 0 where that says nothing
    found: Callable[[], str] | None = None  # what is known so far; worked out where it is shown, and only there

    def so_far(self) -> str:
        """What is known so far, in words; empty where nothing is."""
        return self.found() if self.found else ""

    def amount(self) -> str:
        """How much is done, of how much: 6,704 of 16,384 rows; empty where nobody knows."""
        if self.total is None:
            return f"{self.done:,} {self.unit}" if self.done else ""
        whole = f"{self.total:,}"
        return f"{self.done:>{len(whole)},} of {whole} {self.unit}"  # as wide from the first to the last


Watcher = Callable[[Progress], object]
