"""Rounding-error bounds of `torch.nn.functional.binary_cross_entropy_with_logits`.

With the logit z, the label y in [0, 1] and the weight W of the positive class, torch computes step by step

    log σ(z) = min(z, 0) − log1p(exp(−|z|))        ω = (W − 1)·y + 1        L = (1 − y)·z − ω·log σ(z)

Let ℓ = −log σ(z) ≥ 0, u the roundoff of the arithmetic, s that of storing 16 bits, v = (1 + u)(1 + s) − 1 of a stored
result, η what a result below the normal range may lose.  exp and log1p err by 4u each, which moves log1p(exp(−|z|)),
no greater than ℓ, by 8u of it, and the difference rounds: ℓ̂ errs by A = (10u + s)·ℓ + 2η.  Then

    |(1 − y)z|    errs by  E₁ = ((1 + v)² − 1)·(1 − y)|z| + η
    ω             errs by  D  = ((1 + v)² − 1)(1 + v)·|W − 1|·y + v·ω + η
    ω·ℓ           errs by  E₂ = A·(ω + D) + ℓ·D + v·(ω + D)(ℓ + A) + η
    L             errs by  E₁ + E₂ + v·((1 − y)|z| + ω·ℓ + E₁ + E₂)

relative to ℓ and z, not to L: where the label is sure, (1 − y)·z and log σ(z) cancel.
The manual path, −log σ(z) and −log σ(−z), has the bound of a softmax over two classes; but exp(|z|) may overflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.model import OUTWARD, Bound, Floats, PathModel

if TYPE_CHECKING:
    from xentcli.losses.reference import Rows


def binary_bound(model: PathModel, rows: Rows, logits: Floats, labels: Floats, positive: float) -> Bound:
    """The bound of each row's loss with reduction "none"; logits z and labels y, [rows], and W."""
    unit, small = model.unit, model.subnormal_error + model.arithmetic.smallest
    stored = unit + model.storage_unit + unit * model.storage_unit  # v; 1 + u would be 1 in float64
    twice = stored * (2.0 + stored)
    with np.errstate(all="ignore"):
        loss = np.logaddexp(0.0, -logits) * (1.0 + 2.0**-40)  # ℓ
        linear = (1.0 - labels) * np.abs(logits)
        weight = np.abs(1.0 + (positive - 1.0) * labels)
        log_error = (10.0 * unit + model.storage_unit) * loss + 2.0 * small + model.storage_error
        weight_error = np.zeros(len(logits))
        if positive != 1.0:
            weight_error = twice * (1.0 + stored) * abs(positive - 1.0) * labels + stored * weight + small
        first = twice * linear + small
        product = (weight + weight_error) * (loss + log_error)
        second = log_error * (weight + weight_error) + loss * weight_error + stored * product + small
        total = linear + product + first + second
        error = first + second + stored * total + small
        counted = np.isfinite(rows.loss)
        overflow = ~(OUTWARD * total < model.overflow) & counted
        error = np.where(counted, OUTWARD * error, 0.0)
        none = np.zeros(len(logits), bool)
        return Bound(
            below=error,
            above=error,
            underflow=none,
            overflow=overflow,
            nan=overflow,
            never_finite=none,
            magnitude=np.abs(rows.loss) + error,
        )
