"""Rounding-error bound of the gradient that autograd returns for `torch.nn.functional.cross_entropy` of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.library import log_probability_error
from xentcli.bounds.model import KERNEL, OUTWARD, Floats, PathModel

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Integers, Logits
    from xentcli.losses.reference import Rows


def gradient_bound(model: PathModel, rows: Rows, logits: Logits, labels: Integers, factor: float = 1.0) -> Floats:
    """Allowed error of each dL/dx_c = factor·(p_c − [c = y]), [rows, classes]; `factor` is 1/N for a mean of N rows.

    Backward takes exp of the stored log-probabilities, whose errors b_c = α·d_c + β become relative errors of p_c:
    in bfloat16 about 2⁻⁸·|log p_c|.  Three roundings follow.
    """
    wide = logits.astype(np.float64)
    gap = wide.max(axis=1, keepdims=True) - wide
    slope, offset = log_probability_error(model, rows)
    error = slope * gap + offset[:, None] + KERNEL * model.unit
    probability = np.exp(-gap - rows.log_sum[:, None])
    target = np.zeros(gap.shape)
    target[np.arange(len(labels)), labels] = 1.0
    unit, smallest = model.precision.unit_roundoff, model.precision.smallest
    moved = np.where(probability > 0.0, probability * np.expm1(error), 0.0) + model.arithmetic.smallest
    rounded = 3.0 * unit * (np.abs(probability - target) + unit * target)
    bound: Floats = OUTWARD * (abs(factor) * (moved * (1.0 + 3.0 * unit) + rounded) + 2.0 * smallest)
    return bound
