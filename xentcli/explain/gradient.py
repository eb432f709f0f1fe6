"""The gradient of one sample's loss with respect to its logits."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.bounds.gradient import gradient_bound
from xentcli.explain.exact import text
from xentcli.losses import library, manual
from xentcli.measuring.facts import ratio
from xentcli.records.explanation import Gradient, GradientNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.explain.exact import TrueNumbers
    from xentcli.explain.sample import Sample
    from xentcli.explain.terms import Target
    from xentcli.explain.verdict import JudgedSample
    from xentcli.measuring.facts import Floats
    from xentcli.numbers.given import Form
    from xentcli.question.block import Block

EXAMINED = 2048  # classes up to which the error of every one is computed; of more, that of the shown ones


def gradient(sample: Sample, true: TrueNumbers, target: Target, judged: JudgedSample, shown: Sequence[int]) -> Gradient:
    """dL/dx_c = Q·p_c − a_c with Q = Σ a_c, beside what autograd makes of both paths; p_c − [c = y] for a label.

    With respect to given log-probabilities it is −a_c, and to given probabilities −a_c/p_c.
    """
    options = sample.whole.options
    by_torch = _autograd(sample, lambda block: library.cross_entropy(block, options))
    by_hand = _autograd(sample, lambda block: manual.cross_entropy(block, options, manual.probabilities(block)))
    exact = SLOPES[sample.alone.block.given](true, target)
    numbers = (GradientNumber(index, by_torch[index], by_hand[index], text(exact(index))) for index in shown)
    examined = range(len(by_torch)) if len(by_torch) <= EXAMINED else shown
    errors = np.array([float(abs(Decimal(by_torch[index]) - exact(index))) for index in examined])
    allowed = _allowed(sample, target, judged)
    limits = errors.max() if allowed is None else allowed[list(examined)]
    worst = int(np.argmax(ratio(errors, limits)))
    known = math.isfinite(errors[worst])
    return Gradient(
        classes=tuple(numbers),
        total=math.fsum(by_torch) if known else math.nan,
        error=float(errors[worst]) if known else None,
        allowed=float(allowed[examined[worst]]) if known and allowed is not None else None,
        at=examined[worst] if known else None,
    )


def _autograd(sample: Sample, losses: Callable[[Block], torch.Tensor]) -> list[float]:
    """[C], of the sample among its block."""
    block = sample.whole.there.block
    logits = block.logits.detach().clone().requires_grad_()
    loss = sample.of(losses(replace(block, logits=logits)))
    (slopes,) = torch.autograd.grad(loss, logits)
    numbers: list[float] = sample.classes_of(slopes).tolist()
    return numbers


def _exact(true: TrueNumbers, target: Target) -> Callable[[int], Decimal]:
    total = true.decimal(sum(target.coefficients, Fraction(0)))
    return lambda c: true.context.fma(total, true.probability(c), true.decimal(-target.coefficients[c]))


def _of_logarithms(true: TrueNumbers, target: Target) -> Callable[[int], Decimal]:
    return lambda c: true.decimal(-target.coefficients[c])


def _of_probabilities(true: TrueNumbers, target: Target) -> Callable[[int], Decimal]:
    return lambda c: true.context.divide(true.decimal(-target.coefficients[c]), true.probability(c))


def _of_one_logit(true: TrueNumbers, target: Target) -> Callable[[int], Decimal]:
    """The logit of class 0 is the number 0, on which nothing depends."""
    slope = _exact(true, target)
    return lambda c: slope(c) if c else Decimal(0)


SLOPES: dict[Form, Callable[[TrueNumbers, Target], Callable[[int], Decimal]]] = {
    "logits": _exact,
    "binary": _of_one_logit,
    "log-probabilities": _of_logarithms,
    "probabilities": _of_probabilities,
}


def _allowed(sample: Sample, target: Target, judged: JudgedSample) -> Floats | None:
    """[C]; None where no bound is derived: for smoothed labels, probabilities, and a loss that is off its own."""
    truth, terms = judged.truth, judged.truth.terms
    is_within = judged.verdict.losses.library.status == "within"
    if terms.given != "logits" or terms.labels is None or sample.alone.form.smoothing or not is_within:
        return None
    factor = float(target.coefficients[int(terms.labels[0])])
    with np.errstate(all="ignore"):  # masked classes
        bound = gradient_bound(sample.alone.model, truth.rows, terms.logits, terms.labels, factor)
    return bound.reshape(-1)
