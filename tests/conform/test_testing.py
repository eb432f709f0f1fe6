"""What other people's tests import."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli.conform.cases.corpus import corpus
from xentcli.testing import assert_cross_entropy, conformance

LOGITS = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 4, -100, 2, 1, 1])


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_right_loss_passes(reduction: str, smoothing: float) -> None:
    """All options are torch's."""
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0])
    options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
    assert_cross_entropy(functional.cross_entropy(LOGITS, LABELS, **options), LOGITS, LABELS, **options)


def test_arrays_of_numpy_will_do() -> None:
    """A NumPy project has no tensors."""
    assert_cross_entropy(np.float32(0.6931472), np.zeros((1, 2), np.float32), np.array([1]))


def test_a_wrong_loss_fails_with_its_numbers() -> None:
    """The message is what a developer has to go on."""
    losses = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    losses[3] += 1e-4
    with pytest.raises(AssertionError) as caught:
        assert_cross_entropy(losses, LOGITS, LABELS, reduction="none")
    message = str(caught.value)
    assert "at index (3,)" in message
    assert "derived for float32" in message
    assert "Computed" in message
    assert "certified" in message


def test_a_convention_is_named() -> None:
    """A mean over ignored samples is the classic."""
    losses = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    with pytest.raises(AssertionError, match="over all samples, the ignored ones too"):
        assert_cross_entropy(losses.mean(), LOGITS, LABELS)


def test_a_shape_is_checked() -> None:
    """A scalar is not a row of one."""
    with pytest.raises(AssertionError, match=r"the loss has shape \(1,\), not \(\)"):
        assert_cross_entropy(torch.zeros(1), torch.zeros(1, 2), torch.tensor([0]))


@pytest.mark.parametrize("case", conformance(functional.cross_entropy, ["plain", "gradient"]), ids=repr)
def test_the_battery_parametrises_a_test(case: object) -> None:
    """Two lines in somebody's test file."""
    case()


def test_families_are_those_of_the_corpus() -> None:
    """None given means all."""
    assert len(conformance(functional.cross_entropy)) == len(
        [case for case in corpus().cases if not case.large and case.family != "smoke"]
    )


def test_a_failure_raises_and_the_unsupported_is_skipped() -> None:
    """pytest shows the one in red and the other as skipped."""

    def wrong(logits: torch.Tensor, target: torch.Tensor, *, reduction: str = "mean") -> torch.Tensor:
        return functional.cross_entropy(logits, target, reduction=reduction) * 1.001

    with pytest.raises(AssertionError, match="Case ties/float64: several classes"):
        conformance(wrong, ["ties"])[0]()
    with pytest.raises(SkipTest, match="it has no option weight"):
        conformance(wrong, ["weights"])[0]()
