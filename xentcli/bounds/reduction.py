"""Rounding-error bounds of torch's sums and means over the samples.

Two ways of adding are met: `nll_loss` adds labels' losses, and their weights, in the format itself, in eight levels of
blocks; `torch.sum` and `torch.mean` add in the arithmetic (float32 for 16 bits), in four levels of vectors, and store
the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from xentcli.bounds.model import OUTWARD, LossForm, PathModel, gamma

LEVELS = 8  # of nll_loss


@dataclass(frozen=True)
class ReductionBound:
    """What a reduced value R̂ may be, next to the true sum R = Σ L_i / W.

    slack     |R̂ − R| ≤ Σ allowed_i / |W| + slack, the first for the losses' own errors
    overflow  what the format cannot hold on the way, in words; "" if it can hold all: an infinity, a NaN or a zero
              may come of it
    """

    slack: float
    overflow: str


def library_reduction(
    model: PathModel,
    form: LossForm,
    *,
    mean: bool,
    samples: int,
    classes: int,
    magnitude: float,
    denominator: float,
) -> ReductionBound:
    """Of `cross_entropy(..., reduction="sum" | "mean")`.

    magnitude    Σ of the rows' `Bound.magnitude`
    denominator  W: counted rows or their weights for labels, samples for probabilities; 1 for a sum

    `losses.cascade` reproduces the case of labels without smoothing bit for bit; this is the bound for the others.
    """
    unit = model.precision.unit_roundoff
    cascade = gamma(cascade_height(samples), unit)
    if form.probabilities:
        relative = _stored_sum(model, samples * classes) * (1.0 + unit) ** mean - 1.0
    elif form.smoothing:  # of nll and of the smooth part, whichever is worse; a division, a factor and a sum of both
        growth = max(1.0 + cascade, _stored_sum(model, samples)) * (1.0 + unit) ** 5
        relative = growth / (1.0 - (_weight_error(model, form, samples, cascade) if mean else 0.0)) - 1.0
    elif mean:
        relative = (1.0 + cascade) * (1.0 + unit) / (1.0 - _weight_error(model, form, samples, cascade)) - 1.0
    else:
        relative = cascade
    largest = magnitude * (classes / form.smoothing if form.smoothing and not form.probabilities else 1.0)
    return _bound(model, relative, magnitude, largest, denominator)


def manual_reduction(
    model: PathModel, *, mean: bool, weighted: bool, samples: int, magnitude: float, denominator: float
) -> ReductionBound:
    """Of `losses.sum()`, `losses.mean()`, and `losses.sum() / weights.sum()`; arguments as for `library_reduction`."""
    unit = model.precision.unit_roundoff
    growth = _stored_sum(model, samples)
    if mean:
        growth *= (1.0 + unit) * (1.0 + model.unit)
    if weighted:
        growth /= 2.0 - _stored_sum(model, samples)
    stores_total = weighted or not mean
    return _bound(model, growth - 1.0, magnitude, magnitude if stores_total else 0.0, denominator)


def cascade_height(samples: int) -> int:
    """Additions that one loss passes through in nll_loss: a block of 2^p at each level, and the eight levels' sum."""
    power = max(4, _ceil_log2(samples) // LEVELS)
    return LEVELS + sum(min(1 << power, max(samples >> (power * level), 1)) for level in range(LEVELS))


def tree_height(values: int) -> int:
    """Additions that one value passes through in torch.sum: four levels of blocks, on vectors of partial sums."""
    power = max(4, _ceil_log2(values) // 4)
    return min(max(values - 1, 0), 12 * (1 << power) + 64)


def _ceil_log2(count: int) -> int:
    return max(count - 1, 0).bit_length()


def _stored_sum(model: PathModel, values: int) -> float:
    """Growth of the error in torch.sum."""
    return (1.0 + gamma(tree_height(values), model.unit)) * (1.0 + model.storage_unit)


def _weight_error(model: PathModel, form: LossForm, samples: int, cascade: float) -> float:
    """Relative error of the denominator: a count is rounded once, weights are added up."""
    unit = model.precision.unit_roundoff
    return unit if form.weight is None else min(max(cascade, _stored_sum(model, samples) - 1.0), 1.0)


def _bound(model: PathModel, relative: float, magnitude: float, largest: float, denominator: float) -> ReductionBound:
    limit = model.overflow
    overflow = ""
    if largest * (1.0 + relative) >= limit:
        overflow = "the sum of the losses"
    elif abs(denominator) * (1.0 + relative) >= limit:
        overflow = "the number of samples"
    slack = OUTWARD * relative * magnitude / abs(denominator) if denominator else 0.0
    return ReductionBound(slack + model.precision.smallest, overflow)
