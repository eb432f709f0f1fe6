"""Rounding-error bounds of torch's sums and means over the samples.

Two ways of adding are met: `nll_loss` adds labels' losses, and their weights, in the format itself, in eight levels of
blocks; `torch.sum` and `torch.mean` add in the arithmetic (float32 for 16 bits), in four levels of vectors, and store
the result.

On a CUDA device `nll_loss` of logits [N, C] adds in the arithmetic, in one block of up to 1024 threads, and stores the
quotient alone.  With axes behind the classes blocks of threads add so, and each one's sums, of losses and of weights or
samples, are stored and added atomically: in the format itself, in an order that differs from run to run.  `torch.sum`
and `torch.mean` add in the arithmetic, the latter times a rounded 1/N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.bounds.model import OUTWARD, THREADS, LossForm, PathModel, ceil_log2, gamma
from xentcli.numbers.exactsum import nearest_float

if TYPE_CHECKING:
    from fractions import Fraction

    from xentcli.numbers.exactsum import ExactSum

LEVELS = 8  # of nll_loss
PARTIALS = 1056  # additions of the threads' sums at the most, and of the few losses of a thread in a small block
MAP_OF_A_BLOCK = 1 << 16  # samples of an entry for each further block that adds them up atomically, at least


@dataclass(frozen=True)
class Amounts:
    """What the error of a reduction scales with.

    magnitude    Σ of the rows' `Bound.magnitude`
    denominator  W: counted rows or their weights for labels, samples for probabilities; 1 for a sum
    size         Σ of the absolute values that W adds up
    share        magnitude / |W|, which may be a float64 where the magnitude is none
    """

    magnitude: float
    denominator: float
    size: float
    share: float

    @classmethod
    def of(cls, magnitude: ExactSum, denominator: Fraction, size: Fraction) -> Amounts:
        """From exact sums."""
        known = magnitude.is_finite and denominator
        share = nearest_float(magnitude.fraction() / abs(denominator)) if known else math.inf
        return cls(magnitude.value(), nearest_float(denominator), nearest_float(size), share if denominator else 0.0)

    @property
    def cancelled(self) -> float:
        """Σ|w| / |Σw|: by how much weights of both signs make the error of their sum greater."""
        return self.size / abs(self.denominator) if self.denominator else math.inf


@dataclass(frozen=True)
class ReductionBound:
    """What a reduced value R̂ may be, next to the true sum R = Σ L_i / W.

    slack     |R̂ − R| ≤ Σ allowed_i / |W| + slack, the first for the losses' own errors; infinite where weights cancel
              so far that their rounded sum may be 0
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
    amounts: Amounts,
    entries: int = 1,
) -> ReductionBound:
    """Of `cross_entropy(..., reduction="sum" | "mean")`; `entries` of the batch axis.

    `losses.cascade` reproduces the case of labels without smoothing bit for bit; this is the bound for the others.
    """
    unit = model.precision.unit_roundoff
    cascade = label_sum_error(model, samples, entries)
    weights = max(cascade, _stored_sum(model, samples) - 1.0)
    count = cascade if model.adds_labels_atomically else unit
    divisor = _weight_error(model, weights, samples, amounts) if form.weight is not None else count
    if form.probabilities:
        relative = _stored_sum(model, samples * classes) * (1.0 + unit) ** mean - 1.0
    elif form.smoothing:  # of nll and of the smooth part, whichever is worse; a division, a factor and a sum of both
        growth = max(1.0 + cascade, _stored_sum(model, samples)) * (1.0 + unit) ** 5
        relative = _divided(growth, divisor if mean else 0.0)
    elif mean:
        relative = _divided((1.0 + cascade) * (1.0 + unit), divisor)
    else:
        relative = cascade
    largest = max(amounts.magnitude, amounts.share)
    if form.smoothing and not form.probabilities and largest:  # the smooth part is reduced before its factor e/C
        largest = largest * classes / form.smoothing
    if form.is_added_up and model.stores_label_quotients:
        return _bound(model, relative, amounts.share if mean else amounts.magnitude, replace(amounts, size=0.0))
    if not form.z_loss:
        return _bound(model, relative, largest, amounts)
    return _with_squares(_Reduced(relative, largest), model, form.z_loss, mean=mean, samples=samples, amounts=amounts)


@dataclass(frozen=True)
class _Reduced:
    """The relative error of a total, and the greatest intermediate on the way."""

    relative: float
    largest: float


def _with_squares(
    plain: _Reduced, model: PathModel, factor: float, *, mean: bool, samples: int, amounts: Amounts
) -> ReductionBound:
    """Of that total plus Z times the sum or the mean of l²: a product with a rounded Z, and an addition, of both."""
    unit = model.precision.unit_roundoff
    growth = _stored_sum(model, samples) * _divided_by_count(model) ** mean
    product = (1.0 + model.unit) ** 2 * (1.0 + unit)
    relative = max(1.0 + plain.relative, growth * product) * (1.0 + unit) * (1.0 + model.unit) - 1.0
    squares = (amounts.share if mean else amounts.magnitude) / factor  # a mean is divided before it is stored
    bound = _bound(model, relative, max(plain.largest, squares), amounts)
    return replace(bound, slack=bound.slack + 2.0 * (1.0 + factor) * model.subnormal_error)


def label_sum_error(model: PathModel, samples: int, entries: int = 1) -> float:
    """Relative error of the labels' losses, or weights, as `nll_loss` adds them up."""
    if model.device == "cpu":
        return gamma(cascade_height(samples), model.precision.unit_roundoff)
    if not model.adds_labels_atomically:
        height = min(max(samples - 1, 0), samples // THREADS + PARTIALS)
        return (1.0 + gamma(height, model.unit)) * (1.0 + model.storage_unit) - 1.0
    blocks = min(samples, entries + samples // MAP_OF_A_BLOCK)
    inside = (1.0 + gamma(PARTIALS, model.unit)) * (1.0 + model.storage_unit)
    return inside * (1.0 + gamma(blocks, model.precision.unit_roundoff)) - 1.0


def manual_reduction(model: PathModel, *, mean: bool, weighted: bool, samples: int, amounts: Amounts) -> ReductionBound:
    """Of `losses.sum()`, `losses.mean()`, and `losses.sum() / weights.sum()`; arguments as for `library_reduction`."""
    growth = _stored_sum(model, samples)
    if mean:
        growth *= _divided_by_count(model)
    error = _weight_error(model, _stored_sum(model, samples) - 1.0, samples, amounts) if weighted else 0.0
    stores_total = weighted or not mean or not model.precision.is_half
    largest = max(amounts.magnitude if stores_total else 0.0, amounts.share if mean else 0.0)
    return _bound(model, _divided(growth, error), largest, amounts)


def cascade_height(samples: int) -> int:
    """Additions that one loss passes through in nll_loss: a block of 2^p at each level, and the eight levels' sum."""
    power = max(4, ceil_log2(samples) // LEVELS)
    return LEVELS + sum(min(1 << power, max(samples >> (power * level), 1)) for level in range(LEVELS))


def _stored_sum(model: PathModel, values: int) -> float:
    """Growth of the error in torch.sum."""
    return (1.0 + gamma(model.total_height(values), model.unit)) * (1.0 + model.storage_unit)


def _divided_by_count(model: PathModel) -> float:
    """Growth of the error where torch.mean divides, or multiplies with 1/N on a CUDA device, which rounds N and 1/N."""
    roundings = 1 if model.device == "cpu" else 3
    return (1.0 + model.precision.unit_roundoff) * (1.0 + model.unit) ** roundings


def _weight_error(model: PathModel, growth: float, samples: int, amounts: Amounts) -> float:
    """Relative error of the weights' sum, each of which may be flushed."""
    if not amounts.size:
        return 0.0
    flushed = samples * model.arithmetic.smallest_normal / amounts.size if model.flush else 0.0
    return (growth + flushed) * amounts.cancelled


def _divided(growth: float, error: float) -> float:
    """Relative error of a sum that grew so, divided by one that errs so; infinite where that may be 0."""
    return growth / (1.0 - error) - 1.0 if error < 1.0 else math.inf


def _bound(model: PathModel, relative: float, largest: float, amounts: Amounts) -> ReductionBound:
    limit = model.overflow
    overflow = ""
    if largest * (1.0 + min(relative, 1.0)) >= limit:
        overflow = "the sum of the losses"
    elif amounts.size * (1.0 + min(relative, 1.0)) >= limit:
        overflow = "the number of samples"
    slack = OUTWARD * relative * amounts.share if amounts.share else 0.0
    return ReductionBound(slack + model.precision.smallest, overflow)
