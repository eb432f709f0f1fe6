"""The rows with the highest losses, which every report has: those of a sort of all rows, whatever the blocks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import xentcli
from xentcli.measuring.hardest import SPAN, highest

LOSSES = st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf, math.nan, -1.0])


def sorted_rows(losses: list[float], counted: list[bool], most: int) -> list[int]:
    """By sorting all of them, in plain Python."""
    rows = [row for row, loss in enumerate(losses) if counted[row] and not math.isnan(loss)]
    return sorted(rows, key=lambda row: (-losses[row], row))[:most]


@given(
    st.lists(LOSSES, max_size=12),
    st.sampled_from([0, 1, SPAN - 1, SPAN, SPAN + 1, 4 * SPAN + 3]),
    st.integers(1, 4),
    st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_the_highest_are_those_of_a_sort(some: list[float], padded: int, most: int, seed: int) -> None:
    """A row of the highest loss in a span with a NaN, or equal to others, is not the one that is named."""
    losses = np.array(some + [0.5] * padded)
    numbers = np.random.default_rng(seed)
    numbers.shuffle(losses)
    counted = numbers.random(len(losses)) < 0.8
    assert highest(losses, counted, most).tolist() == sorted_rows(losses.tolist(), counted.tolist(), most)
    every = np.ones(len(losses), bool)
    assert highest(losses, None, most).tolist() == sorted_rows(losses.tolist(), every.tolist(), most)


def drawn(rows: int = 700, classes: int = 5) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(5)
    logits = 4 * torch.randn(rows, classes, generator=generator)
    return logits, torch.randint(classes, (rows,), generator=generator)


@pytest.mark.parametrize("block_bytes", [1 << 8, 1 << 12, 1 << 25])
@pytest.mark.parametrize("weighed", [False, True])
def test_they_are_torchs_own_in_any_blocks(block_bytes: int, weighed: bool) -> None:
    """The row that a user is sent to is another one with another block size, or one that was ignored."""
    logits, labels = drawn()
    labels[torch.nn.functional.cross_entropy(logits, labels, reduction="none").argmax()] = -100
    options: dict[str, Any] = {"weight": torch.arange(1.0, 6.0), "label_smoothing": 0.1} if weighed else {}
    report = xentcli.compute(logits, labels, block_bytes=block_bytes, **options)
    losses = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    shares = logits.double().softmax(1)
    assert report.worst is not None
    assert [each.row for each in report.worst] == losses.argsort(descending=True)[:3].tolist()
    for each in report.worst:
        assert each.label == labels[each.row]
        assert each.top == logits[each.row].argmax()
        others = torch.cat([shares[each.row, : each.label], shares[each.row, each.label + 1 :]])
        expected = [float(one) for one in (losses[each.row], shares[each.row, each.label], shares[each.row].max())]
        assert [each.loss, each.probability, each.confidence] == pytest.approx(expected)
        assert each.margin == pytest.approx(float(shares[each.row, each.label] - others.max()))


@pytest.mark.parametrize("given_as", ["probabilities", "log-probabilities"])
def test_given_probabilities_are_told_as_they_are(given_as: Any) -> None:
    """The model is said to give a class another probability than the file does."""
    logits, labels = drawn(40)
    shares = logits.double().softmax(1)
    report = xentcli.compute(shares if given_as == "probabilities" else shares.log(), labels, input=given_as)
    assert report.worst is not None
    first, own = report.worst[0], shares[torch.arange(40), labels]
    assert (first.row, first.top) == (int(own.argmin()), int(shares[first.row].argmax()))
    assert (first.probability, first.confidence) == pytest.approx((float(own.min()), float(shares[first.row].max())))


def test_a_binary_loss_has_two_classes() -> None:
    """One logit a sample is read as (0, z)."""
    report = xentcli.compute([3.0, -2.0, 0.5], [0, 0, 1], binary=True)
    assert report.worst is None or (report.worst[0].row, report.worst[0].top) == (0, 1)


def test_metrics_name_the_same_rows() -> None:
    """Two tables of one report name two rows as the hardest, or one with two losses."""
    logits, labels = drawn()
    usual, asked = xentcli.compute(logits, labels), xentcli.compute(logits, labels, metrics=True, worst=3)
    assert usual.worst == tuple(replace(each, classes=None, sum=None) for each in asked.worst or ())


def test_without_labels_or_truth_there_are_none() -> None:
    """A row is called the hardest by numbers that nobody certified."""
    logits, labels = drawn(4)
    assert xentcli.compute(logits, labels, reference="off").worst is None
    assert xentcli.compute(logits, logits.softmax(1)).worst is None
    assert "worst" not in xentcli.compute(logits, logits.softmax(1)).to_dict()
