"""Mistakes whose values cost much, on a large input: estimated from some of its chunks, and computed if need be.

Every eighth chunk of the whole input is looked at.  The sums are to the right losses' as they are there, and how far
that ratio strays from chunk to chunk tells how far the estimate may be off.  Where the claim is that near, a second
pass computes the value; elsewhere the estimate serves to count how many values were tried.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from xentcli.diagnose.causes.mistake import Mistake
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.diagnose.causes.sums import Sums

LARGE = 1 << 24  # logits, from which on one looks at some first
EVERY = 8  # chunks, of which one is looked at
DEVIATIONS = 10.0  # standard errors that an estimate may be off


class Estimates:
    """The sums of some chunks, and what they say of all."""

    def __init__(self) -> None:
        self.right: list[float] = []
        self.found: dict[Mistake, list[float]] = {}

    def add(self, right: float, found: dict[Mistake, Sums]) -> None:
        """Adds a chunk: the total of its right losses, and of those that mistakes make of them."""
        self.right.append(right)
        for mistake, sums in found.items():
            self.found.setdefault(mistake, []).append(sums.total)

    def sums(self, right: Sums, chunks: int, deviations: float = 0.0) -> dict[Mistake, Sums]:
        """The sums over all of so many chunks, with a total that is so many standard errors off."""
        return {mistake: self._scaled(totals, right, chunks, deviations) for mistake, totals in self.found.items()}

    def _scaled(self, totals: list[float], right: Sums, chunks: int, deviations: float) -> Sums:
        own, found = np.array(self.right), np.array(totals)
        ratio = found.sum() / own.sum()
        error = chunks * float(np.std(found - ratio * own, ddof=1)) / math.sqrt(len(own)) if len(own) > 1 else math.inf
        total = right.total * ratio + (deviations * error if deviations else 0.0)
        return replace(right, total=total, plain=right.plain * (total / right.total))


def is_large(setting: Setting) -> bool:
    """Whether one looks at some chunks first."""
    return setting.samples * setting.classes >= LARGE
