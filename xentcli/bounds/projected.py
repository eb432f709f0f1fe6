"""How far logits that are computed as h·Wᵀ + b may be from the true ones, of the stored numbers.

With n = H + 1, H the width and S no less than Σ|h_i·w_i| + |b| of any class (by Cauchy and Schwarz ‖h‖·max ‖w_c‖ +
max |b|), a sum of H products and b in any order, with fused multiply-adds or without, errs by at most γ_n(u)·S, as each
term passes through its own product's rounding and H additions at the most.  Assumed of torch: 16 bits are multiplied
and added up in float32, and stored once, or once before the bias is added and once after.  A product below the normal
range loses up to η, and what is read as 0 where it is below it as much times the other factor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.model import OUTWARD, gamma
from xentcli.numbers.precision import FLOAT64

if TYPE_CHECKING:
    from xentcli.bounds.model import Bools, Floats, PathModel
    from xentcli.question.head import Product

SMALLEST = 2.0**-900
LARGEST = 2.0**1000  # up to here nothing in float64 has overflowed


def float64_error(product: Product) -> Floats:
    """How far each logit of the product may be from the true one; [rows]."""
    with np.errstate(all="ignore"):
        error: Floats = OUTWARD * gamma(product.layer.width + 1, FLOAT64.unit_roundoff) * product.size + SMALLEST
    return np.where(np.isfinite(product.size), error, 0.0)  # what is infinite or NaN is so in any order


def rounding_error(model: PathModel, product: Product, greatest: Floats) -> Floats:
    """How far each logit of a path may be from the true one, whose greatest in the row is this; [rows]."""
    width, layer = product.layer.width, product.layer
    with np.errstate(all="ignore"):
        summed = gamma(width + 1, model.unit) * product.size
        stored = model.storage_unit * (greatest + summed)
        if layer.bias is not None:
            stored = stored + model.storage_unit * (greatest + layer.shift + summed + stored)
        factors = 1.0 + layer.norm + product.reach  # no less than any |w|, and than any |h|
        lost = model.arithmetic.smallest_normal * (width + 1) * factors + 2.0 * model.subnormal_error
        error: Floats = OUTWARD * (summed + stored + lost)
    return np.where(np.isfinite(product.size), error, 0.0)


def beyond(product: Product) -> Bools:
    """Rows of finite numbers of whose logits float64 says nothing; [rows]."""
    is_number = product.hidden.isfinite().all(dim=1).numpy()
    found: Bools = is_number & ~(product.size < LARGEST)
    return found


def product_may_overflow(model: PathModel, product: Product, greatest: Floats, error: Floats) -> Bools:
    """Where the format may not hold a logit, or its arithmetic what is added up to it; [rows]."""
    with np.errstate(all="ignore"):
        stored = greatest + product.layer.shift + error
        may: Bools = ~(stored < model.overflow) | ~(2.0 * product.size < _arithmetic_overflow(model))
    return may


def _arithmetic_overflow(model: PathModel) -> float:
    return LARGEST if model.arithmetic.name == "float64" else float(model.arithmetic.overflow) / math.e
