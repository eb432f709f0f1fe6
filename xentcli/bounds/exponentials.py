"""The rounding error of S = 1 + T = Σ exp(−d_c) and of its logarithm, which all paths share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xentcli.bounds.model import KERNEL, Floats, PathModel, gamma
from xentcli.numbers.precision import FLOAT64

LEAST = FLOAT64.smallest


@dataclass(frozen=True)
class SumErrors:
    """What rounding makes of S in a path's arithmetic, before it is stored; [rows]."""

    absolute: Floats
    relative: Floats  # σ = absolute / S
    log_down: Floats  # −ln(1 − σ)

    @classmethod
    def of(cls, model: PathModel, excess: Floats, classes: int) -> SumErrors:
        """Of rows with these T, `excess`."""
        absolute = sum_error(model, excess, classes)
        relative = absolute / (1.0 + excess)
        return cls(absolute, relative, log_ratio(relative))


def sum_error(model: PathModel, excess: Floats, classes: int) -> Floats:
    """Absolute error of S in the path's arithmetic, before it is stored; `excess` is T, [rows].

    shift   rounding the gaps to d(1 + r) moves T by at most u'·T·ln(n/T), n = C − 1, as −e·ln e is concave
    kernel  4u of each exponential, and half a subnormal or what flushing takes
    sum     γ_h of all addends; and never more than all that was added to the maximum's own 1, because rounding a + b
            to nearest errs by no more than |b|.  The second makes the bound tight where one class has it all
    """
    others = classes - 1
    unit = model.unit / (1.0 - model.unit)
    entropy = np.log(max(others, 1)) - np.log(np.maximum(excess, 2.0**-1022))  # ln(n/T)
    shift = unit * excess * entropy / (1.0 - unit * entropy)
    bottom = max(np.exp(model.log_bottom), LEAST)  # half of a subnormal float64 is none
    kernel = KERNEL * model.unit * (excess + shift) + others * bottom
    side = excess + shift + kernel
    growth = gamma(model.summation_height(classes), model.unit)
    error: Floats = shift + kernel + np.minimum(growth * (1.0 + side), side * (1.0 + 2.0 * growth))
    return error


def log_sum_error(model: PathModel, excess: Floats, log_sum: Floats, sums: SumErrors) -> Floats:
    """Absolute error of λ = ln S as log_softmax keeps it; its "last" kernel stores both in 16 bits."""
    error = sums.log_down
    if model.stores_sum:
        total, lost = 1.0 + excess, sums.absolute
        error = log_ratio((lost + np.minimum(model.storage_unit * (total + lost), excess + lost)) / total)
    error = error + KERNEL * model.unit * (log_sum + error)
    if model.stores_sum:
        error = error + model.storage_unit * (log_sum + error) + model.storage_error
    return error


def log_ratio(relative: Floats) -> Floats:
    """−ln(1 − r): the error of a logarithm whose argument errs by r relatively; infinite from r = 1 on."""
    if relative.max(initial=0.0) < 1.0:
        return -np.log1p(-relative)
    ratio: Floats = np.where(relative < 1.0, -np.log1p(-np.minimum(relative, 1.0)), np.inf)
    return ratio
