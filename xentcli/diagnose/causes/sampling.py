"""Mistakes whose values cost much, on a large input: estimated from some of its chunks, and computed if need be.

Some chunks from all over the input are looked at, evenly: every eighth, or of a long input some hundred.  A mistake's
sum is a straight line of the right losses' and of how many samples count, and how far chunks stray from the line tells
how far the estimate may be off.  Where the claim is that near, a second pass computes the value; elsewhere the estimate
serves to count how many values were tried.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.sums import quotient

if TYPE_CHECKING:
    from xentcli.diagnose.causes.mistake import Mistake
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats

LARGE = 1 << 24  # logits, from which on one looks at some first
EVERY = 8  # chunks, of which one is looked at, at least
ENOUGH = 128  # chunks that are looked at: beyond, the error falls more slowly than the time rises
LINE = 2  # numbers that a straight line has
DEVIATIONS = 10.0  # standard errors that an estimate may be off


class Estimates:
    """The sums of some chunks, and what they say of all."""

    def __init__(self) -> None:
        self.right: list[Sums] = []
        self.found: dict[Mistake, list[float]] = {}

    def add(self, right: Sums, found: dict[Mistake, Sums]) -> None:
        """Adds a chunk: its right losses, and those that mistakes make of them."""
        self.right.append(right)
        for mistake, sums in found.items():
            self.found.setdefault(mistake, []).append(sums.total)

    def sums(self, right: Sums, chunks: int, deviations: float = 0.0) -> dict[Mistake, Sums]:
        """The sums over all of so many chunks, with a total that is so many standard errors off."""
        return {mistake: self._scaled(totals, right, chunks, deviations) for mistake, totals in self.found.items()}

    def _scaled(self, totals: list[float], right: Sums, chunks: int, deviations: float) -> Sums:
        size, own = (np.array([getattr(each, name) for each in self.right]) for name in ("counted", "total"))
        (mean, strays), (own_mean, own_strays) = _by_size(size, np.array(totals)), _by_size(size, own)
        slope = quotient(float(strays @ own_strays), float(own_strays @ own_strays)) if own_strays.any() else 0.0
        left = strays - slope * own_strays
        few = len(left) <= LINE
        error = math.inf if few else chunks * float(np.std(left, ddof=LINE)) / math.sqrt(len(left))
        total = mean * right.counted + slope * (right.total - own_mean * right.counted)
        total += deviations * error if deviations else 0.0
        return replace(right, total=total, plain=right.plain * (total / right.total))


def _by_size(size: Floats, totals: Floats) -> tuple[float, Floats]:
    """What one sample has on average, and what each chunk has more than that."""
    mean = quotient(float(totals.sum()), float(size.sum()))
    return mean, totals - mean * size


def every(chunks: int) -> int:
    """Of how many chunks one is looked at, where there are so many."""
    return max(EVERY, chunks // ENOUGH)


def is_large(setting: Setting) -> bool:
    """Whether one looks at some chunks first."""
    return setting.samples * setting.classes >= LARGE
