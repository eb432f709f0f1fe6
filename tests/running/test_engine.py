"""The pipeline as a whole: no split into blocks shows, open questions are decided, what is asked is reported."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases

import xentcli
from xentcli.question.claims import Claim
from xentcli.question.policy import Policy, Tolerance
from xentcli.question.problem import BLOCK_BYTES, Options, Problem
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory


def problem_of(case: Case, block_bytes: int) -> Problem:
    weight = None if case.weight is None else from_memory(case.weight, "weight")
    options = Options(weight=weight, class_axis=case.class_axis, **case.options)
    return Problem(from_memory(case.logits, "logits"), from_memory(case.target, "labels"), options, block_bytes)


@given(cases(), st.integers(1, 200), st.sampled_from([1, 2]), st.booleans())
@settings(max_examples=60)
def test_the_split_into_blocks_cannot_be_seen(case: Case, size: int, threads: int, streams: bool) -> None:
    """Two users with other amounts of memory, or other numbers of cores, must get the same bytes."""
    with pytest.MonkeyPatch.context() as patch:
        if streams:
            patch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
        usual, other = (problem_of(case, block_bytes) for block_bytes in (BLOCK_BYTES, size))
        assert usual.streamed == other.streamed
        first = run(usual, Policy(rows=3)).to_dict()
        second = run(other, Policy(rows=3), threads=threads).to_dict()
    assert json.dumps(first) == json.dumps(second)


SHAPES = {
    (300, 10): 1,
    (24, 1000): 1,
    (12, 50, 40): 1,
    (10, 250): 0,
    (6, 9, 8, 60): -1,
}  # of the logits -> class axis


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_no_block_size_and_no_thread_can_be_seen(shape: tuple[int, ...], dtype: str, monkeypatch) -> None:
    """The same over all options, with blocks of one entry up to all of them, and calls of torch of any size."""
    monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    axis, rng = SHAPES[shape], torch.Generator().manual_seed(len(shape))
    logits = (torch.randn(shape, generator=rng) * 4).to(getattr(torch, dtype))
    classes, sample_shape = shape[axis], tuple(np.delete(shape, axis))
    labels = torch.randint(classes, sample_shape, generator=rng)
    labels[torch.rand(sample_shape, generator=rng) < 0.1] = -100
    shares = torch.rand(shape, generator=rng).softmax(axis).to(logits.dtype)
    weight = torch.rand(classes, generator=rng).to(logits.dtype)
    choices = product([labels, shares], [None, weight], [0.0, 0.1], ["mean", "sum", "none"], ["fast", "off"])
    for target, weights, smoothing, reduction, reference in choices:
        options = Options(
            weight=None if weights is None else from_memory(weights, "weight"),
            label_smoothing=smoothing,
            reduction=reduction,
            class_axis=axis,
        )
        seen = set()
        for size, threads, chunk in zip(
            (1, 999, 40_000, 1 << 20, 1 << 30), (2, 1, 2, 1, 2), (1, 1 << 12, 1 << 14, 1 << 16, 1 << 21), strict=True
        ):
            monkeypatch.setattr(xentcli.measuring.paths, "CHUNK_BYTES", chunk)
            problem = Problem(from_memory(logits, "logits"), from_memory(target, "labels"), options, size)
            policy = Policy(rows=4, reference=reference)
            seen.add(json.dumps(run(problem, policy, threads=threads).to_dict()))
        assert len(seen) == 1, (smoothing, reduction, reference)


@given(cases())
@settings(max_examples=60)
def test_streamed_totals_are_the_exact_sums_of_the_samples(case: Case) -> None:
    """A total that is not torch's own is rounded once, whatever the order of the blocks."""
    if case.options["reduction"] != "sum":
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
        patch.setattr(xentcli.question.problem, "KEPT_BYTES", 0)
        rows = run(problem_of(dataclasses.replace(case, options=case.options | {"reduction": "none"}), 1), Policy())
        report = run(problem_of(case, 1), Policy())
    for path in ("library", "manual"):
        if not getattr(report.losses, path).streamed:
            continue
        losses = [getattr(sample, path) for sample in rows.samples]
        if np.isfinite(losses).all():
            exact = sum(map(Fraction, losses), Fraction(0))
            assert getattr(report.losses, path).value == exact.numerator / exact.denominator


def test_the_worst_row_is_shown_wherever_it_stands() -> None:
    """A table of the first rows alone would hide what matters."""
    logits = torch.zeros(500, 3)
    logits[450] = torch.tensor([0.0, 150.0, 0.0])
    report = xentcli.compute(logits, torch.zeros(500, dtype=torch.long), rows=4)
    assert [sample.row for sample in report.samples][-1] == 450
    assert len(report.samples) == 4


@pytest.mark.parametrize(("claim", "holds"), [("0.6931", True), ("0.693147", True), ("0.69", True), ("0.70", False)])
def test_a_claim_is_held_to_its_own_digits(claim: str, holds: bool) -> None:
    """Whoever printed two digits claimed two digits."""
    report = xentcli.compute([[0.0, 0.0]], [1], expect=claim)
    assert report.expectation is not None
    assert report.expectation.holds is holds
    assert report.exit_code() == (0 if holds else 1)


def test_what_the_float64_pass_leaves_open_is_decided_exactly() -> None:
    """20 digits of ln 2 are more than float64 has; the enclosure of many rows must be narrowed, not guessed at."""
    logits = from_memory(np.zeros((8200, 2)), "logits")
    labels = from_memory(np.zeros(8200, np.int64), "labels")
    for text, holds in (("0.69314718055994530942", True), ("0.69314718055994530943", False)):
        report = run(Problem(logits, labels, Options()), Policy(expect=Claim.parse(text)))
        assert report.expectation is not None
        assert report.expectation.holds is holds


def test_a_tolerance_finer_than_what_is_known_is_said_to_be_so() -> None:
    """The paths give ln 2 to a rounding; whether within 2.4e-17 of the truth is open to an enclosure in float64."""
    rows = 1 << 20
    problem = Problem(
        from_memory(np.zeros((rows, 2)), "logits"), from_memory(np.zeros(rows, np.int64), "labels"), Options()
    )
    report = run(problem, Policy(tolerance=Tolerance(rtol=0.0, atol=2.4e-17)))
    assert report.verdict == "undecided"
    assert report.exit_code() == 5


@pytest.mark.parametrize("reference", ["fast", "exact"])
def test_digits_are_as_many_as_asked(reference: Any) -> None:
    """`--digits 50` of ln 2, by either way to the truth."""
    report = xentcli.compute([[0.0, 0.0]], [0], digits=50, reference=reference)
    assert report.losses.reference is not None
    assert report.losses.reference.decimal == "0.69314718055994530941723212145817656807550013436026"


def test_without_a_reference_the_paths_are_compared_alone() -> None:
    """`--reference off` is for speed, and must not claim to know the truth."""
    report = xentcli.compute([[0.0, 1.0]], [1], reference="off")
    assert report.losses.reference is None
    assert report.losses.library.status is None
    assert report.verdict == "holds"
    far = xentcli.compute([[0.0, 120.0]], torch.tensor([0]), dtype="float32", reference="off")
    assert far.verdict == "fails"


@pytest.mark.parametrize("labels", [[], [-100, -100]])
def test_nothing_counted_is_its_own_exit_code(labels: list[int]) -> None:
    """A CI check of an empty file must not be green."""
    report = xentcli.compute(np.zeros((len(labels), 3)), np.array(labels, dtype=np.int64))
    assert report.exit_code() == 5
    assert [finding.code for finding in report.findings] == ["nothing-counted"]
    assert np.isnan(report.losses.library.value)


def test_no_block_of_few_classes_can_be_seen(monkeypatch) -> None:
    """Samples in vectors, and those that fill none, have the bits of one call wherever the blocks end."""
    monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    rng = torch.Generator().manual_seed(5)
    logits, labels = torch.randn(1501, 5, generator=rng) * 6, torch.randint(5, (1501,), generator=rng)
    labels[::9] = -100
    seen = set()
    for size, threads, rows in ((999, 2, 1 << 13), (4_000, 1, 100), (1 << 30, 2, 1 << 13), (7_777, 1, 65)):
        monkeypatch.setattr(xentcli.measuring.paths, "CHUNK_ROWS", rows)
        problem = Problem(from_memory(logits, "logits"), from_memory(labels, "labels"), Options(), size)
        seen.add(json.dumps(run(problem, Policy(rows=4), threads=threads).to_dict()))
    (report,) = seen
    assert json.loads(report)["losses"]["library"]["value"] == torch.nn.functional.cross_entropy(logits, labels).item()
