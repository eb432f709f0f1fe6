"""Mistakes of an epsilon: probabilities clipped at it, or shifted by it, before the logarithm is taken."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.numbers.precision import FLOAT32, FLOAT64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats

USUAL = {
    "1e-7": 1e-7,
    "1e-8": 1e-8,
    "1e-12": 1e-12,
    "1e-15": 1e-15,
    "the float32 epsilon 2^-23": 2 * FLOAT32.unit_roundoff,
    "the float64 epsilon 2^-52": 2 * FLOAT64.unit_roundoff,
}
SEARCHED = {f"1e-{power}": float(f"1e-{power}") for power in range(1, 17)}
REMEDY = "take F.log_softmax(logits, dim=1): it needs no epsilon, as it never takes the logarithm of 0"


def clipped(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with every way of every epsilon."""
    searched = USUAL | SEARCHED if chunk.setting.has_labels and not chunk.setting.smoothing else USUAL
    for name, epsilon in searched.items():
        for what, way, rarity in WAYS:
            rare = rarity if name in USUAL else Rarity.SEARCHED
            mistake = Mistake("eps-clip", f"−log p of probabilities {what} {name}", REMEDY, rare)
            yield mistake, chunk.turned(partial(way, epsilon))


def _below(epsilon: float, log_chances: Floats) -> Floats:
    return np.minimum(-log_chances, -math.log(epsilon))


def _both_sides(epsilon: float, log_chances: Floats) -> Floats:
    return np.clip(-log_chances, -math.log1p(-epsilon), -math.log(epsilon))


def _shifted(epsilon: float, log_chances: Floats) -> Floats:
    return -np.log(np.exp(log_chances) + epsilon)


WAYS = (
    ("clipped below at", _below, Rarity.COMMON),
    ("shifted by", _shifted, Rarity.COMMON),
    ("clipped on both sides at", _both_sides, Rarity.VARIANT),
)
