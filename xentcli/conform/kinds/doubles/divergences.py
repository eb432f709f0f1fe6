"""Divergences: right, and with one step changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xentcli.conform.kinds.doubles.building import reduced, right, wide, wrong

if TYPE_CHECKING:
    from torch import Tensor


def torchs(given: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """torch's own."""
    if reduction == "mean":  # of which torch warns
        return functional.kl_div(given, target, reduction="none", log_target=log_target).mean()
    return functional.kl_div(given, target, reduction=reduction, log_target=log_target)


def by_terms(given: Tensor, target: Tensor, *, reduction: str = "batchmean", log_target: bool = False) -> Tensor:
    """p·(log p − ℓ), in float32."""
    return _pointwise(_terms(given, target, log_target=log_target), reduction).to(given.dtype)


def no_negative_terms(given: Tensor, target: Tensor, *, reduction: str = "batchmean", log_target: bool = False) \
        -> Tensor:  # fmt: skip
    """Terms below 0 are taken for rounding errors."""
    return _pointwise(_terms(given, target, log_target=log_target).clamp(min=0.0), reduction).to(given.dtype)


def batchmean_over_all(given: Tensor, target: Tensor, *, reduction: str = "batchmean", log_target: bool = False) \
        -> Tensor:  # fmt: skip
    """batchmean is the mean over all terms."""
    mean = "mean" if reduction == "batchmean" else reduction
    return _pointwise(_terms(given, target, log_target=log_target), mean).to(given.dtype)


def target_taken_for_chances(given: Tensor, target: Tensor, *, reduction: str = "batchmean",
                             log_target: bool = False) -> Tensor:  # fmt: skip
    """A target of logarithms is not told apart."""
    terms = _terms(given, target, log_target=False) if not log_target else target * (target - wide(given))
    return _pointwise(terms, reduction).to(given.dtype)


def zero_times_infinity(given: Tensor, target: Tensor, *, reduction: str = "batchmean", log_target: bool = False) \
        -> Tensor:  # fmt: skip
    """0·log 0 is no number."""
    logs = wide(target) if log_target else wide(target).log()
    return _pointwise(logs.exp() * (logs - wide(given)), reduction).to(given.dtype)


def cross_term_alone(given: Tensor, target: Tensor, *, reduction: str = "batchmean", log_target: bool = False) \
        -> Tensor:  # fmt: skip
    """The entropy of the target is left out."""
    chances = wide(target).exp() if log_target else wide(target)
    return _pointwise(-chances * wide(given), reduction).to(given.dtype)


def distilled(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """KL of the other's softmax, masked classes left out, in float32."""
    return _rows(_between(*_logs(other, logits)), reduction).to(logits.dtype)


def distilled_by_torch(student: Tensor, teacher: Tensor, reduction: str = "batchmean") -> Tensor:
    """By torch's pointwise terms, whose masked ones are replaced."""
    logs, others = student.log_softmax(1), teacher.log_softmax(1)
    masked = torch.isneginf(others)
    terms = functional.kl_div(logs.masked_fill(masked, 0.0), others.masked_fill(masked, 0.0), reduction="none",
                              log_target=True)  # fmt: skip
    return _rows(terms.masked_fill(masked, 0.0).sum(1), reduction)


def reversed_sides(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The two sides are exchanged."""
    return distilled(other, logits, reduction=reduction)


def masks_are_nan(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """−∞ is subtracted from −∞ where both mask."""
    logs, others = wide(logits).log_softmax(1), wide(other).log_softmax(1)
    return _rows((others.exp() * (others - logs)).sum(1), reduction).to(logits.dtype)


def mean_over_classes(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """A sample's divergence is the mean of its terms."""
    return distilled(logits, other, reduction=reduction) / logits.shape[1]


def log_of_softmax(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The logarithm of a softmax that has underflowed, lifted by 1e-10."""
    p, q = wide(other).softmax(1), wide(logits).softmax(1)
    return _rows((p * ((p + 1e-10).log() - (q + 1e-10).log())).sum(1), reduction).to(logits.dtype)


def both_have_slopes(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The gradient is twice what it is."""
    return distilled(2.0 * logits - logits.detach(), other, reduction=reduction)


def in_the_middle(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """Half the divergences from the mean of both, in float32."""
    own, others = _logs(logits, other)
    middle = torch.logaddexp(own, others) - math.log(2.0)
    return _rows(0.5 * (_between(own, middle) + _between(others, middle)), reduction).to(logits.dtype)


def middle_of_logits(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The middle is the softmax of the mean logits."""
    own, others = _logs(logits, other)
    middle = (own + others).div(2.0).log_softmax(1)
    return _rows(0.5 * (_between(own, middle) + _between(others, middle)), reduction).to(logits.dtype)


def not_halved(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The divergences are added, not averaged."""
    return 2.0 * in_the_middle(logits, other, reduction=reduction)


def jeffreys(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """The mean of both KL, without the middle."""
    own, others = _logs(logits, other)
    return _rows(0.5 * (_between(own, others) + _between(others, own)), reduction).to(logits.dtype)


def middle_without_slope(logits: Tensor, other: Tensor, *, reduction: str = "batchmean") -> Tensor:
    """One of the two halves has no gradient."""
    own, others = _logs(logits, other)
    middle = torch.logaddexp(own, others) - math.log(2.0)
    halves = _between(own, middle).detach() + _between(others, middle)
    return _rows(0.5 * halves, reduction).to(logits.dtype)


def _terms(given: Tensor, target: Tensor, *, log_target: bool) -> Tensor:
    x, t = wide(given), wide(target)
    if log_target:
        return t.exp() * (t - x)
    return torch.where(t > 0.0, t * (t.clamp(min=1e-300 if t.dtype == torch.float64 else 1e-38).log() - x), 0.0)


def _pointwise(terms: Tensor, reduction: str) -> Tensor:
    return reduced(terms, reduction, terms.numel() if reduction == "mean" else len(terms))


def _logs(left: Tensor, right_one: Tensor) -> tuple[Tensor, Tensor]:
    """log p of both; a class that both mask is far below all."""
    first, second = (wide(each).masked_fill(torch.isneginf(each), -1e4).log_softmax(1) for each in (left, right_one))
    return first, second


def _between(left: Tensor, right_one: Tensor) -> Tensor:
    return (left.exp() * (left - right_one)).sum(1)


def _rows(losses: Tensor, reduction: str) -> Tensor:
    return reduced(losses, reduction, len(losses))


KL_DIV = (
    wrong("plain", no_negative_terms),
    wrong("gradient", batchmean_over_all),
    wrong("log-target", target_taken_for_chances),
    wrong("zeros", zero_times_infinity),
    wrong("plain", cross_term_alone),
    right(by_terms),
    right(torchs),
)
KL = (
    wrong("plain", reversed_sides),
    wrong("masked", masks_are_nan),
    wrong("plain", mean_over_classes),
    wrong("far", log_of_softmax),
    wrong("gradient", both_have_slopes),
    right(distilled),
    right(distilled_by_torch),
)
JS = (
    wrong("plain", middle_of_logits),
    wrong("plain", not_halved),
    wrong("far", jeffreys),
    wrong("gradient", middle_without_slope),
    right(in_the_middle),
)
