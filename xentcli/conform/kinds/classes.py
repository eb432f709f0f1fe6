"""What losses over classes share: coefficients, reductions, and the gradient with respect to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.conform.kinds.bounded import Bounded, exactly, normalised
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from xentcli.conform.kinds.bounded import Floats, Rounding
    from xentcli.conform.kinds.call import Call

FORMED = 2.0**-50  # relative error of coefficients that are formed in float64


@dataclass(frozen=True, eq=False)
class Losses:
    """A loss over classes, reduced, and its gradient."""

    loss: Bounded  # [] or [rows]
    slope: Bounded  # with respect to the logits, [rows, classes]
    squares: Bounded  # z·logsumexp², reduced likewise; zeros without it


@dataclass(frozen=True, eq=False)
class _Targets:
    """What the samples' losses are made of."""

    counted: NDArray[np.bool_]  # [rows]
    coefficients: Bounded  # a_c of L = Σ a_c·(−log p_c), [rows, classes]
    weights: Bounded  # of the labels, [rows]


def values_of(tensor: torch.Tensor, how: Rounding) -> Bounded:
    """The numbers of a tensor, as they are, in its shape."""
    return exactly(floats(tensor).reshape(tuple(tensor.shape)), how)


def cross_entropy(logits: Bounded, call: Call, *, squared: float = 0.0, divisor: float | None = None) -> Losses:
    """The loss of logits [rows, classes] that may be off themselves, by the options of torch's.

    `squared` is z of z·logsumexp², `divisor` what a mean is divided by in place of the weights of what counts.
    """
    how = logits.how
    targets = _targets(call, logits)
    log_chances, log_sum = normalised(logits)
    alive = targets.counted[:, None] & (targets.coefficients.value != 0.0)
    losses = (targets.coefficients * -log_chances).where(alive).over_classes()
    heavy = logits.made(np.full_like(log_sum.value, squared), np.zeros_like(log_sum.value), 1.0 if squared else 0.0)
    squares = (log_sum * log_sum * heavy).where(targets.counted & bool(squared))
    total = targets.coefficients.over_classes()
    pull = (total + (log_sum * heavy).times(2.0)) if squared else total
    scale = _scale(call, targets, divisor)
    slope = (log_chances.exp() * pull.column() - targets.coefficients) * scale.column()
    kept = targets.counted[:, None] & ~np.isneginf(logits.value) | np.zeros_like(logits.value, dtype=bool)
    whole = losses + squares if squared else losses
    return Losses(
        _reduced(whole.where(targets.counted), call, targets, divisor),
        slope.again().where(kept),
        _reduced(squares if squared else exactly(np.zeros_like(log_sum.value), how), call, targets, divisor),
    )


def one_hot(labels: Floats, counted: NDArray[np.bool_], classes: int) -> Floats:
    """1 at the label of each row that counts."""
    hot = np.zeros((len(labels), classes))
    rows = np.flatnonzero(counted)
    hot[rows, labels[rows].astype(np.int64)] = 1.0
    return hot


def _targets(call: Call, logits: Bounded) -> _Targets:
    """From labels, class weights and smoothing."""
    labels = floats(call.arrays["target"]).reshape(-1)
    counted = labels != call.option("ignore_index", -100)
    classes, smoothing = logits.value.shape[-1], call.option("label_smoothing", 0.0)
    hot = one_hot(labels, counted, classes)
    known = call.arrays.get("class_weight")
    weight = np.ones(classes) if known is None else floats(known)
    mixed = (1.0 - smoothing) * hot + smoothing / classes
    spread = np.where(counted[:, None], (mixed if smoothing else hot) * weight, 0.0)
    coefficients = logits.made(spread, FORMED * np.abs(spread) if smoothing else 0.0 * spread, 2.0 * bool(smoothing))
    return _Targets(counted, coefficients, exactly((hot * weight).sum(1), logits.how))


def _divisor(targets: _Targets, given: float | None) -> Bounded:
    if given is not None:
        return exactly(np.array(given), targets.weights.how)
    return targets.weights.over_rows()


def _scale(call: Call, targets: _Targets, divisor: float | None) -> Bounded:
    """The upstream gradient of each sample's loss, over the divisor of a mean."""
    rows = len(targets.counted)
    upstream = np.ones(rows) if call.upstream is None else floats(call.upstream).reshape(-1) * np.ones(rows)
    scale = exactly(upstream, targets.weights.how)
    return scale / _divisor(targets, divisor) if call.option("reduction", "mean") == "mean" else scale


def _reduced(losses: Bounded, call: Call, targets: _Targets, divisor: float | None) -> Bounded:
    reduction = call.option("reduction", "mean")
    if reduction == "none":
        return losses
    total = losses.over_rows()
    return total / _divisor(targets, divisor) if reduction == "mean" else total
