"""torch's sums and means are within their bounds, next to the exact sum of the true losses."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from families import draw
from torch.nn import functional
from torch_paths import enclose_form, library, manual, model, tensor, widened

from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import LossForm, tree_height
from xentcli.bounds.reduction import Amounts, cascade_height, library_reduction, manual_reduction
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.precision import FLOAT16, FLOAT32, PRECISIONS

FORMS = {"plain": (False, 0.0), "weight": (True, 0.0), "smoothing": (False, 0.1), "weight, smoothing": (True, 0.1)}


def problem(precision, samples, weighted, smoothing, soft=False):
    rng = np.random.default_rng(samples)
    logits, labels = draw("normal 1", rng, samples, 5, precision)
    weight = tensor(rng.uniform(0.2, 2, 5), precision) if weighted else None
    target = torch.from_numpy(labels)
    if soft:
        target = torch.softmax(torch.from_numpy(rng.normal(0, 1, (samples, 5))), 1).to(getattr(torch, precision.name))
    form = LossForm(soft, None if weight is None else widened(weight), smoothing)
    rows, coefficients = enclose_form(logits, labels, form, widened(target) if soft else None)
    return logits, target, weight, form, rows, coefficients


def check(value, rows, allowed, bound, denominator, case):
    truth = math.fsum(rows.loss) / denominator
    error = abs(value.double().item() - truth)
    assert error <= math.fsum(bound.allowed) / denominator + allowed.slack, (*case, value, truth)


def known(magnitude: float, denominator: float) -> Amounts:
    """Amounts of a sum whose terms all have one sign."""
    return Amounts.of(ExactSum.of([magnitude]), Fraction(denominator), Fraction(denominator))


def amounts(bound, denominator: float) -> Amounts:
    return known(float(bound.magnitude.sum()), denominator)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("weighted", "smoothing"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_reduced_losses_are_within_their_bounds(precision, weighted, smoothing, reduction):
    """Else the total is called wrong where every sample is right."""
    for samples in (1, 30, 1000, 5000):
        logits, target, weight, form, rows, _ = problem(precision, samples, weighted, smoothing)
        mean = reduction == "mean"
        label_weights = torch.ones(samples, dtype=torch.float64) if weight is None else weight[target].double()
        denominator = float(label_weights.sum()) if mean else 1.0
        place = {"mean": mean, "samples": samples}
        case = (precision.name, samples)

        arguments = (tensor(logits, precision), target)
        options = {"weight": weight, "label_smoothing": smoothing}
        shape = model(precision)
        bound = library_bound(shape, rows, form)
        allowed = library_reduction(shape, form, classes=5, amounts=amounts(bound, denominator), **place)
        value = functional.cross_entropy(*arguments, reduction=reduction, **options)
        assert allowed.overflow or np.isfinite(value.item())
        if not allowed.overflow:
            check(value, rows, allowed, bound, denominator, case)

        bound = manual_bound(shape, rows, form, logits)
        losses = manual(*arguments, 0, **options)
        value = losses.mean() if mean else losses.sum()
        if mean and weighted:
            value = losses.sum() / weight[target].sum()
        allowed = manual_reduction(shape, weighted=mean and weighted, amounts=amounts(bound, denominator), **place)
        if not allowed.overflow:
            check(value, rows, allowed, bound, denominator, case)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("weighted", "smoothing"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_reduced_soft_losses_are_within_their_bounds(precision, weighted, smoothing, reduction):
    """Else target probabilities are called wrong in total."""
    for samples in (1, 30, 1000):
        logits, target, weight, form, rows, coefficients = problem(precision, samples, weighted, smoothing, soft=True)
        mean, denominator = reduction == "mean", float(samples) if reduction == "mean" else 1.0
        place = {"mean": mean, "samples": samples}
        shape, case = model(precision), (precision.name, samples)
        options = {"weight": weight, "label_smoothing": smoothing}

        bound = library_bound(shape, rows, form)
        allowed = library_reduction(shape, form, classes=5, amounts=amounts(bound, denominator), **place)
        value = functional.cross_entropy(tensor(logits, precision), target, reduction=reduction, **options)
        check(value, rows, allowed, bound, denominator, case)

        bound = manual_bound(shape, rows, form, logits, coefficients)
        losses = manual(tensor(logits, precision), target, 0, **options)
        allowed = manual_reduction(shape, weighted=False, amounts=amounts(bound, denominator), **place)
        check(losses.mean() if mean else losses.sum(), rows, allowed, bound, denominator, case)


@pytest.mark.parametrize(
    ("samples", "classes", "reason"),
    [(65_519, 2, "the sum of the losses"), (30, 2, ""), (65_520, 1, "the number of samples")],
)
def test_float16_overflows_are_named(samples, classes, reason):
    """Else F.cross_entropy(zeros(65520, 1).half(), ...) and its like are riddles."""
    magnitude = samples * (math.log(2) * 3 if classes == 2 else 0.0)
    place = {"mean": True, "samples": samples, "amounts": known(magnitude, samples)}
    assert library_reduction(model(FLOAT16), LossForm(), classes=classes, **place).overflow == reason
    assert library_reduction(model(FLOAT32), LossForm(), classes=classes, **place).overflow == ""


def test_a_plain_mean_in_float16_keeps_its_sum_wide():
    """Else torch.mean, which adds in float32, is suspected of an overflow that it cannot have."""
    place = {"samples": 50_000, "weighted": False}
    assert manual_reduction(model(FLOAT16), mean=True, amounts=known(1e5, 50_000), **place).overflow == ""
    total = manual_reduction(model(FLOAT16), mean=False, amounts=known(1e5, 1), **place)
    assert total.overflow == "the sum of the losses"


def test_bounds_are_not_infinite():
    """Else everything would pass; float32 means of a million rows stay certain to five digits."""
    place = {"mean": True, "samples": 10**6, "amounts": known(2.3e6, 10**6)}
    assert library_reduction(model(FLOAT32), LossForm(), classes=10, **place).slack < 2.3e-5
    assert manual_reduction(model(FLOAT32), weighted=False, **place).slack < 2e-4
    assert cascade_height(16) <= 40
    assert tree_height(100) == 99


def test_per_sample_losses_are_those_of_the_reduced_call():
    """Else the bounds of samples say nothing about their mean: torch computes both from the same values."""
    logits, target, *_ = problem(FLOAT32, 1000, False, 0.0)
    exact = library(tensor(logits, FLOAT32), target).double().mean()
    assert functional.cross_entropy(tensor(logits, FLOAT32), target).item() == pytest.approx(exact.item(), rel=1e-6)
