"""Sums and means on a CUDA device: within their bounds, and those of labels in an order that is known to the bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli.bounds.model import LossForm, PathModel
from xentcli.bounds.reduction import Amounts, library_reduction, manual_reduction
from xentcli.losses.machine import kernels_of
from xentcli.losses.threads import label_total
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.precision import PRECISIONS

pytestmark = pytest.mark.gpu

SAMPLES = (1, 5, 31, 735, 736, 5807, 11_600, 65_519, 10**6, 5 * 10**6)


def exact(losses: torch.Tensor) -> Fraction:
    return ExactSum.of(losses.double().cpu().numpy()).fraction()


def problem(dtype, samples, equal):
    generator = torch.Generator().manual_seed(samples)
    logits = torch.randn(samples, 3, generator=generator, dtype=torch.float64) * 2
    labels = torch.randint(0, 3, (samples,), generator=generator)
    if equal:
        logits, labels = torch.tensor([[0.0, 1.7, -1.0]]).expand(samples, 3).double(), torch.ones_like(labels)
    return logits.to(dtype).cuda(), labels.cuda()


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", PRECISIONS)
def test_labels_are_added_in_the_known_order(name, reduction, equal):
    """To the bit: else the report's allowance is the bound's, and not what the order explains."""
    for samples in SAMPLES:
        logits, labels = problem(getattr(torch, name), samples, equal)
        losses = functional.cross_entropy(logits, labels, reduction="none").cpu()
        mine = label_total(losses, None, samples, mean=reduction == "mean")
        given = functional.cross_entropy(logits, labels, reduction=reduction).cpu()
        assert torch.equal(mine, given) or (mine.isinf() and given.isinf()), samples


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", PRECISIONS)
@pytest.mark.parametrize("kernel", ["last", "inner"])
def test_totals_on_a_gpu_are_within_their_bounds(name, kernel, reduction, weighted):
    """Else the total is called wrong where every sample is right."""
    dtype, precision, mean = getattr(torch, name), PRECISIONS[name], reduction == "mean"
    model, form = PathModel(precision, **kernels_of("cuda", kernel)), LossForm(weight=np.ones(3) if weighted else None)
    weight = torch.tensor([0.5, 1.25, 2.0], dtype=dtype, device="cuda") if weighted else None
    for samples in SAMPLES:
        for equal in (False, True):
            logits, labels = problem(dtype, samples, equal)
            if kernel == "inner":
                logits, labels = logits.t()[None].contiguous(), labels[None]
            arguments = (logits, labels, weight)
            losses = functional.cross_entropy(*arguments, reduction="none")
            size = exact(weight[labels]) if weighted and mean else Fraction(samples if mean else 1)
            amounts = Amounts.of(ExactSum.of(losses.abs().double().cpu().numpy().reshape(-1)), size, size)
            bound = library_reduction(model, form, mean=mean, samples=samples, classes=3, amounts=amounts)
            value = functional.cross_entropy(*arguments, reduction=reduction).double().item()
            true = float(exact(losses.reshape(-1)) / size)
            assert bound.overflow or abs(value - true) <= bound.slack, (samples, value, true)
            value = (losses.mean() if mean else losses.sum()).double().item()
            true = float(exact(losses.reshape(-1)) / (samples if mean else 1))
            plain = Amounts.of(amounts_of(losses), *2 * (Fraction(samples if mean else 1),))
            bound = manual_reduction(model, mean=mean, weighted=False, samples=samples, amounts=plain)
            assert bound.overflow or abs(value - true) <= bound.slack, (samples, value, true)


def amounts_of(losses: torch.Tensor) -> ExactSum:
    return ExactSum.of(losses.abs().double().cpu().numpy().reshape(-1))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", PRECISIONS)
def test_totals_over_the_classes_are_within_their_bounds(name, reduction, soft):
    """Those of smoothed labels and of target probabilities, which torch.sum adds up."""
    dtype, precision, mean = getattr(torch, name), PRECISIONS[name], reduction == "mean"
    model, form = PathModel(precision, **kernels_of("cuda", "last")), LossForm(soft, smoothing=0.0 if soft else 0.1)
    for samples in SAMPLES[:-1]:
        logits, labels = problem(dtype, samples, False)
        target = torch.softmax(logits.roll(1, 0), 1) if soft else labels
        options = {"label_smoothing": form.smoothing}
        losses = functional.cross_entropy(logits, target, reduction="none", **options)
        size = Fraction(samples if mean else 1)
        bound = library_reduction(
            model, form, mean=mean, samples=samples, classes=3, amounts=Amounts.of(amounts_of(losses), size, size)
        )
        value = functional.cross_entropy(logits, target, reduction=reduction, **options).double().item()
        each = (
            precision.unit_roundoff * 40 * float(amounts_of(losses).fraction() / size)
        )  # of the losses' own roundings
        assert bound.overflow or abs(value - float(exact(losses) / size)) <= bound.slack + each


def test_what_axes_behind_the_classes_do_to_a_mean_in_16_bits():
    """The faults that the page on torch tells of: where one is mended the page must say so."""
    zeros = torch.zeros(1, 2, 65_520, device="cuda").half()
    assert functional.cross_entropy(zeros, zeros[:, 0].long()).item() == 0.0
    flat = zeros.transpose(1, 2).reshape(-1, 2)
    assert abs(functional.cross_entropy(flat, zeros.reshape(-1)[: len(flat)].long()).item() - 0.6931) < 1e-3
