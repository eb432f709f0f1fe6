"""Rounding-error bounds of Z·l̂² + L̂, l̂ = logsumexp as torch composes it of kernels, each of which stores its result.

With u of the arithmetic, s that of storing 16 bits, v = (1 + u)(1 + s) − 1, n = C − 1, S = 1 + T = Σ exp(−d_c):

    x − m        the gap d(1 + r), |r| ≤ v; it moves T by at most T·((n/T)^v − 1): Σ e^(−d(1−v)) ≤ n^v·T^(1−v), as
                 powers below 1 are concave, and Σ e^−d·(1 − e^(−vd)) ≤ v·T·ln(n/T) is no more
    exp          (1 + Eu)(1 + s) of each, E = 4, and half of what is below the normal range; exp(0) = 1 exactly
    Σ            γ_h of a tree, and no more than what is added to the greatest's own 1; stored
    log, + m     (1 + Eu)(1 + s), then v: l̂ is off by at most ε
    l̂²           2|l|ε + ε², and v
    Z·           torch rounds Z to the arithmetic: (1 + u)(1 + v)
    L̂ + Z·l̂²     v of both

The manual path does the same steps itself.  Squares may overflow where the losses do not: 256² is infinite in float16.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.exponentials import LEAST, log_ratio
from xentcli.bounds.model import HUGE, KERNEL, OUTWARD, gamma

if TYPE_CHECKING:
    from xentcli.bounds.model import Bound, Floats, PathModel
    from xentcli.losses.reference import Rows
    from xentcli.losses.z_loss import LogSums


def with_z_loss(bound: Bound, model: PathModel, rows: Rows, log_sums: LogSums, factor: float) -> Bound:
    """The bound of losses with Z·l² added, given that of the losses without; `rows` are of the paths' own logits."""
    step, counted = _step(model), np.isfinite(rows.loss) & ~rows.ignored
    with np.errstate(all="ignore"):
        size = np.abs(log_sums.middle) + log_sums.radius
        off = log_sums.moved + log_sum_error(model, rows, size + log_sums.moved)
        square = OUTWARD * ((size + off) ** 2 * (1.0 + step) + model.subnormal_error)
        term = OUTWARD * (factor * square * (1.0 + model.unit) * (1.0 + step) + model.subnormal_error)
        lost = factor * (off * (2.0 * size + off) + step * square + model.subnormal_error)
        lost = lost + (math.expm1(2.0 * math.log1p(model.unit)) + step) * term + 2.0 * model.subnormal_error
        greatest = bound.magnitude + term
        error = np.where(counted, OUTWARD * (lost + step * greatest + model.subnormal_error), 0.0)
        reach = np.fmax(square, greatest * (1.0 + step))
        overflow = ~(reach * OUTWARD < model.overflow) & counted
        beyond = (model.precision.arithmetic == "float64") & ~((1.0 + factor) * square < HUGE) & counted
    added = replace(
        bound,
        below=bound.below + error,
        above=bound.above + error,
        overflow=bound.overflow | overflow,
        magnitude=np.where(rows.ignored, 0.0, greatest),
    )
    return added.free(beyond)


def log_sum_error(model: PathModel, rows: Rows, size: Floats) -> Floats:
    """How far the paths' logsumexp of rows may be from that of the same logits, of at most this size; [rows]."""
    total, step = 1.0 + rows.excess, _step(model)
    error = _sum_error(model, rows.excess, rows.classes)
    error = error + np.minimum(model.storage_unit * (total + error), rows.excess + error)
    error = log_ratio(error / total)
    relative = (1.0 + KERNEL * model.unit) * (1.0 + model.storage_unit) - 1.0
    error = error + relative * (rows.log_sum + error) + model.subnormal_error
    read = 4.0 * model.arithmetic.smallest_normal if model.flush else 0.0  # logits below the normal range, as 0
    bound: Floats = OUTWARD * (error + step * (size + error) + model.subnormal_error + read)
    return bound


def _sum_error(model: PathModel, excess: Floats, classes: int) -> Floats:
    """Absolute error of S before it is stored."""
    others, step = classes - 1, _step(model)
    entropy = math.log(max(others, 1)) - np.log(np.maximum(excess, 2.0**-1022))  # ln(n/T)
    shift = excess * np.expm1(step / (1.0 - step) * entropy)
    relative = (1.0 + KERNEL * model.unit) * (1.0 + model.storage_unit) - 1.0
    kernel = relative * (excess + shift) + others * max(model.subnormal_error, math.exp(model.log_bottom), LEAST)
    side = excess + shift + kernel
    growth = gamma(model.class_sum_height(classes), model.unit)
    error: Floats = shift + kernel + np.minimum(growth * (1.0 + side), side * (1.0 + 2.0 * growth))
    return error


def _step(model: PathModel) -> float:
    """v, the relative error of a result that is stored; u itself would vanish next to 1 in float64."""
    return math.expm1(math.log1p(model.unit) + math.log1p(model.storage_unit))
