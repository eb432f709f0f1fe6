"""Perplexity, accuracy and the standard error beside every loss: against others, and at the edges."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

import xentcli


def metrics_of(logits, labels, **options):
    return xentcli.compute(torch.as_tensor(logits), torch.as_tensor(labels), **options).metrics


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_accuracy_counts_ties_both_ways(rows: int, classes: int, seed: int) -> None:
    """Two tools that break ties in their own ways print two accuracies; both must be within the ends, and both tell."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.integers(0, 4, (rows, classes)).astype(np.float32), rng.integers(0, classes, rows)
    own = logits[np.arange(rows), labels]
    above, equal = (logits > own[:, None]).sum(1), (logits == own[:, None]).sum(1)
    found = metrics_of(logits, labels)["accuracy"]
    assert found.lower == int(((above == 0) & (equal == 1)).sum()) / rows
    assert found.upper == int((above == 0).sum()) / rows


@given(st.integers(2, 50), st.integers(2, 12), st.floats(0.01, 30.0), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_perplexity_and_its_error_are_those_of_other_libraries(rows, classes, scale, seed) -> None:
    """exp of the mean loss by mpmath, the standard error by scipy, the interval by its Student's t."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, scale, (rows, classes)), rng.integers(0, classes, rows)
    found = metrics_of(logits, labels)
    losses = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), reduction="none").numpy()
    with mpmath.workdps(40):
        sums = [mpmath.log(mpmath.fsum(map(mpmath.exp, map(mpmath.mpf, row)))) for row in logits.tolist()]
        own = [mpmath.mpf(float(logits[row, label])) for row, label in enumerate(labels)]
        true = mpmath.exp(mpmath.fsum(each - mine for each, mine in zip(sums, own, strict=True)) / rows)
        assert found["perplexity"].lower <= true <= found["perplexity"].upper
    assert found["perplexity"].upper - found["perplexity"].lower <= 1e-13 * found["perplexity"].value
    se = scipy.stats.sem(losses)
    assert found["nll"].se == pytest.approx(se, rel=1e-6, abs=1e-9)
    reach = scipy.stats.t.ppf(0.975, rows - 1) * se
    assert found["nll"].interval == pytest.approx((losses.mean() - reach, losses.mean() + reach), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("options", [{"weight": np.array([3.0, 0.5, 1.0])}, {"label_smoothing": 0.2}])
def test_weights_and_smoothing_leave_perplexity_alone(options) -> None:
    """It is a property of the model and the labels: the options of a training loss must not move it."""
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(0, 2, (40, 3)), rng.integers(0, 3, 40)
    plain, altered = metrics_of(logits, labels), metrics_of(logits, labels, **options)
    assert altered["accuracy"] == plain["accuracy"]
    assert altered["nll"].value == pytest.approx(plain["nll"].value, rel=1e-14)
    assert altered["nll"].lower <= plain["nll"].value <= altered["nll"].upper


def test_equal_losses_have_no_spread() -> None:
    """What rounding leaves of ln(3)² · n − (n ln 3)²/n is not a standard error."""
    assert metrics_of(np.zeros((7, 3)), np.zeros(7, np.int64))["nll"].se == 0.0


def test_a_masked_label_is_infinitely_perplexing() -> None:
    """An infinite perplexity is the answer, and has no standard error."""
    found = metrics_of([[0.0, -math.inf], [0.0, 1.0]], [1, 1])
    assert found["perplexity"].value == math.inf
    assert found["nll"].se is None


@pytest.mark.parametrize("labels", [[[0.5, 0.5], [1.0, 0.0]], [-100, -100]])
def test_without_labels_there_is_no_accuracy(labels) -> None:
    """Of target probabilities, or of nothing, an accuracy would be a guess."""
    assert metrics_of([[0.0, 1.0], [0.0, 1.0]], labels) is None


def test_given_probabilities_have_ties_too() -> None:
    """Equal probabilities tie as equal logits do."""
    found = metrics_of([[0.5, 0.5], [0.9, 0.1]], [1, 0], input="probabilities")
    assert (found["accuracy"].lower, found["accuracy"].upper) == (0.5, 1.0)
    assert found["perplexity"].value == pytest.approx(math.sqrt(2 / 0.9))
