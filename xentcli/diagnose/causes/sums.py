"""What all reductions of some samples' losses are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats

    Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Sums:
    """Sums over samples; float64, good to some 1e-15 relatively, which is more than a claim can ask for."""

    total: float = 0.0  # of the losses, weighted and smoothed as the options say
    plain: float = math.nan  # of the losses without class weights; NaN where that is not followed
    weight: float = 0.0  # of the labels that count; with probabilities, of all classes by their share
    counted: int = 0
    samples: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.total + other.total,
            self.plain + other.plain,
            self.weight + other.weight,
            self.counted + other.counted,
            self.samples + other.samples,
        )

    def reduced(self, setting: Setting) -> float:
        """The loss as it was asked for."""
        if setting.reduction == "sum":
            return self.total
        return quotient(self.total, self.weight if setting.divides_by_weight else self.samples)


def sum_of(losses: Floats, counted: Bools | None = None) -> float:
    """The sum over the rows that count; both [rows]."""
    return float(np.sum(losses if counted is None else losses[counted]))


def quotient(total: float, divisor: float) -> float:
    """IEEE division: by zero it gives an infinity or NaN, not an error."""
    if divisor:
        return total / divisor
    return math.nan if not total or math.isnan(total) else math.copysign(math.inf, total)
