"""The metrics beside those of torchmetrics and scikit-learn: equal where these are right, and else told apart."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error
from torchmetrics.functional.text import perplexity

import xentcli

CASES = 150


def test_they_are_torchmetrics_own() -> None:
    """Accuracy, perplexity, ECE and MCE of random models, whose confidences lie on no edge."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(CASES):
        rows, classes = (int(torch.randint(2, most, (), generator=generator)) for most in (60, 8))
        logits = torch.randn(rows, classes, dtype=torch.float64, generator=generator) * 3
        labels = torch.randint(classes, (rows,), generator=generator)
        softmax = logits.softmax(1)
        theirs = {
            "ece": multiclass_calibration_error(softmax, labels, num_classes=classes, n_bins=15, norm="l1"),
            "mce": multiclass_calibration_error(softmax, labels, num_classes=classes, n_bins=15, norm="max"),
            "accuracy": multiclass_accuracy(logits, labels, num_classes=classes, average="micro"),
            "perplexity": perplexity(logits[None], labels[None]),
        }
        ours = xentcli.compute(logits, labels, metrics=True).metrics
        assert {name: ours[name].value for name in theirs} == pytest.approx(
            {name: value.item() for name, value in theirs.items()}, rel=1e-5, abs=1e-6
        )


def test_a_tie_is_right_or_wrong_by_the_order_of_the_classes() -> None:
    """Two equal logits: torchmetrics calls the label 1 wrong and the label 0 right, and says nothing of it."""
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    for label, theirs in ((0, 1.0), (1, 0.0)):
        labels = torch.full((2,), label)
        assert multiclass_accuracy(logits, labels, num_classes=2, average="micro") == theirs
        accuracy = xentcli.compute(logits, labels).metrics["accuracy"]
        assert (accuracy.lower, accuracy.upper) == (0.0, 1.0)


def test_scikit_learn_halves_the_brier_score_of_two_classes() -> None:
    """The convention is named, as half of a number looks like a better model."""
    logits, labels = torch.tensor([[0.3, 1.2], [2.0, -1.0], [0.0, 0.5]], dtype=torch.float64), torch.tensor([1, 1, 0])
    halved = brier_score_loss(labels, logits.softmax(1)[:, 1])
    assert xentcli.compute(logits, labels, metrics=True).metrics["brier"].value == pytest.approx(2 * halved)
