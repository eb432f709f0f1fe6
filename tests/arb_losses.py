"""The true loss of a few samples by Arb, from torch's documentation alone: what enclosures are held against."""

from __future__ import annotations

from fractions import Fraction

import torch
from flint import arb, ctx, fmpq

BITS = 6000  # coefficients and logits of float64 differ by 2^2000 and more
FARTHEST = 10**7  # a gap from which on the exponential is less than 2^-10^7


def true_loss(logits, target, weight, smoothing: float, reduction: str) -> arb | None:
    """The sum or mean as a ball; logits [rows, classes] finite; None for a mean that divides by 0."""
    before, ctx.prec = ctx.prec, BITS
    try:
        return _reduced(logits.double().tolist(), target, weight, Fraction(smoothing), reduction)
    finally:
        ctx.prec = before


def _reduced(logits: list[list[float]], target, weight, smoothing: Fraction, reduction: str) -> arb | None:
    classes = len(logits[0])
    weights = [Fraction(1)] * classes if weight is None else list(map(Fraction, weight.double().tolist()))
    if target.is_floating_point():
        rows = [
            [w * ((1 - smoothing) * Fraction(q) + smoothing / classes) for w, q in zip(weights, row, strict=True)]
            for row in target.double().tolist()
        ]
        divisor = Fraction(len(logits))
    else:
        rows = [
            [(1 - smoothing) * w * (label == index) + smoothing / classes * w for index, w in enumerate(weights)]
            for label in target.tolist()
        ]
        divisor = sum((weights[label] for label in target.tolist()), Fraction(0))
    total = sum((_row(row, coefficients) for row, coefficients in zip(logits, rows, strict=True)), arb(0))
    if reduction == "sum":
        return total
    return total / _exact(divisor) if divisor else None


def _row(logits: list[float], coefficients: list[Fraction]) -> arb:
    exact = list(map(Fraction, logits))
    greatest = max(exact)
    gaps = [greatest - logit for logit in exact]
    top = gaps.index(0)
    others = sum((_exponential(gap) for index, gap in enumerate(gaps) if index != top), arb(0))
    log_sum = others.log1p()
    terms = (_exact(a) * (log_sum + _exact(gap)) for a, gap in zip(coefficients, gaps, strict=True) if a)
    return sum(terms, arb(0))


def _exponential(gap: Fraction) -> arb:
    return (-_exact(gap)).exp() if gap < FARTHEST else arb(0, arb(2) ** -FARTHEST)


def _exact(number: Fraction) -> arb:
    return arb(fmpq(number.numerator, number.denominator))


def contains(lower: float, upper: float, truth: arb) -> bool:
    """Whether the closed interval is not shown to miss the truth; an infinite end must be on its own side."""
    low = lower == -torch.inf or (lower != torch.inf and not arb(lower) > truth)
    return low and (upper == torch.inf or (upper != -torch.inf and not arb(upper) < truth))
