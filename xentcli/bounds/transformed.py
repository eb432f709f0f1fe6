"""How far the paths' logits may be from the transformed ones, by the roundings of `question.transform`.

With u of the arithmetic and s that of storing 16 bits, torch takes T and K into the arithmetic (u each), divides (u; or
multiplies by a rounded inverse, one more), takes tanh to E·u, E = 4, multiplies (u), and stores each result (s).  What
is divided is off by the factor (1 + u)⁴(1 + s) at the most, its tanh by no more and (1 + Eu)(1 + s) of its own, and the
product by (1 + u)²(1 + s).  What is below the normal range is off by η, and read as 0 by a processor that flushes;
tanh has a slope of at most 1, so that K times that is what becomes of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.model import KERNEL, OUTWARD

if TYPE_CHECKING:
    from xentcli.bounds.model import Bools, Floats, PathModel
    from xentcli.question.transform import Transform


def logit_radius(model: PathModel, transform: Transform, greatest: Floats) -> Floats:
    """How far any logit of the path may be from the true one, where the greatest of these is so large; [rows]."""
    with np.errstate(all="ignore"):
        radius: Floats = OUTWARD * (_relative(model, transform) * greatest + _absolute(model, transform))
    return radius


def may_overflow(model: PathModel, transform: Transform, scaled: Floats) -> Bools:
    """Where the format may not hold the greatest |x/T|, or what becomes of it; [rows]."""
    with np.errstate(all="ignore"):
        size = OUTWARD * ((1.0 + _relative(model, transform)) * scaled + _absolute(model, transform))
    return ~(size < model.overflow)


def _relative(model: PathModel, transform: Transform) -> float:
    divisions = (transform.temperature is not None) + (transform.softcap is not None)
    units, stored = 4.0 * divisions, divisions
    if transform.softcap is not None:
        units, stored = units + KERNEL + 2.0, stored + 2
    return math.expm1(units * model.unit + stored * model.storage_unit)  # 1 + u would be 1 in float64


def _absolute(model: PathModel, transform: Transform) -> float:
    lost = model.subnormal_error + model.arithmetic.smallest
    read = model.arithmetic.smallest_normal if model.flush else 0.0
    cap, temperature = transform.softcap or 0.0, transform.temperature or 1.0
    return 2.0 * (lost * (2.0 + 2.0 * cap) + read * (1.0 / temperature + 1.0 + 2.0 * cap))
