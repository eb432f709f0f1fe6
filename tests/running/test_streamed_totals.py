"""Totals of inputs that are read in blocks: torch's own, bit for bit, or said to be none."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional

import xentcli
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.question.share import Share
from xentcli.running.engine import measure_rows, run
from xentcli.running.merging import merged, merged_report
from xentcli.running.partial import Asked, Partial
from xentcli.sources.memory import from_memory
from xentcli.sources.named import NamedInputs

NAMED = NamedInputs("logits.npy", "labels.npy", None, None, None)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SHAPES = ((1, 3), (17, 3), (300, 5), (2049, 2), (40_000, 3), (3, 4, 700), (64, 3, 16), (5, 4, 6, 7))
IGNORED = ("none", "scattered", "carries")


@pytest.fixture(autouse=True)
def streamed(monkeypatch):
    """Every input is read in blocks."""
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", -1)


def labels_of(shape, ignored):
    sample_shape = (shape[0], *shape[2:])
    labels = torch.randint(shape[1], sample_shape)
    if ignored == "scattered":
        labels[torch.rand(sample_shape) < 0.2] = -100
    if ignored == "carries":  # the rows at which torch would carry
        labels.view(-1)[::16] = -100
    return labels


def by_hand(logits, labels, weight, reduction, smoothing):
    """The textbook's path in plain torch."""
    counted, known = labels != -100, labels.clamp(min=0)
    softmax = logits.softmax(1)
    losses = -softmax.gather(1, known[:, None]).squeeze(1).log()
    if weight is not None:
        losses = weight[known] * losses
    if smoothing:
        terms = -softmax.log()
        if weight is not None:
            terms = terms * weight.reshape(-1, *[1] * (logits.ndim - 2))
        losses = (1 - smoothing) * losses + (smoothing / logits.shape[1]) * terms.sum(1)
    losses = losses.masked_fill(~counted, 0.0)
    if reduction == "sum":
        return losses.sum()
    return losses[counted].mean() if weight is None else losses.sum() / weight[labels[counted]].sum()


def same(value, tensor):
    return value == tensor.item() or (math.isnan(value) and math.isnan(tensor.item()))


def problem_of(logits, labels, *, block_bytes=4096, in_parts=False, **options):
    weight = options.pop("weight", None)
    given = Options(weight=None if weight is None else from_memory(weight, "weight"), **options)
    return Problem(from_memory(logits, "logits"), from_memory(labels, "labels"), given, block_bytes, in_parts=in_parts)


@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_are_torch_s_own_bit_for_bit(shape, dtype, ignored):
    """A bfloat16 mean of many rows was 1.1 % off torch's number, and a finite float16 one stood for its NaN."""
    torch.manual_seed(len(shape))
    logits, labels = (2.0 * torch.randn(shape)).to(dtype), labels_of(shape, ignored)
    choices = [*itertools.product((None, torch.rand(shape[1]).to(dtype)), ("mean", "sum"), (0.0, 0.1))]
    for weight, reduction, smoothing in choices[IGNORED.index(ignored) :: 3]:
        options = {"reduction": reduction, "label_smoothing": smoothing, "weight": weight}
        report = run(problem_of(logits, labels, block_bytes=1 << 15, **options), Policy(reference="off", rows=0))
        losses = report.losses
        expected = functional.cross_entropy(logits, labels, weight, reduction=reduction, label_smoothing=smoothing)
        assert same(losses.library.value, expected), options
        assert same(losses.manual.value, by_hand(logits, labels, weight, reduction, smoothing)), options
        assert not losses.library.streamed
        assert not losses.manual.streamed
        assert not report.streamed
        assert "itself" not in report.summary


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_of_target_probabilities_say_that_torch_prints_another_number(dtype):
    """torch adds all products of all classes in an order that depends on its threads: that number is not claimed."""
    torch.manual_seed(0)
    logits, shares = torch.randn(500, 7).to(dtype), torch.randn(500, 7).softmax(1).to(dtype)
    report = run(problem_of(logits, shares), Policy())
    assert report.losses.library.streamed
    assert not report.losses.manual.streamed
    assert report.streamed
    assert "F.cross_entropy itself may print another number" in report.summary
    assert report.losses.manual.value == (-(shares * logits.softmax(1).log()).sum(1)).mean().item()


@pytest.mark.parametrize(("rows", "reduction"), [(40_000, "mean"), (40_000, "sum"), (2000, "mean")])
def test_of_target_probabilities_in_float16_that_surely_overflow_are_called_so(rows, reduction):
    """torch stores the sum of all products in float16 before it divides: a finite mean beside its inf said "within"."""
    logits, shares = torch.zeros(rows, 10).half(), torch.full((rows, 10), 0.1).half()
    problem = problem_of(logits, shares, block_bytes=1 << 20, reduction=reduction)
    library = run(problem, Policy()).losses.library
    expected = functional.cross_entropy(logits, shares, reduction=reduction).item()
    if rows == 2000:
        assert library.streamed
        assert abs(library.value - expected) < 0.01
    else:
        assert (library.value, library.status) == (expected, "overflow") == (math.inf, "overflow")
        assert not library.streamed


def partial_of(problem, share):
    asked, rows = Asked.of(problem, Policy()), share.rows(problem.sample_shape)
    return Partial.of(asked, NAMED, rows.start, measure_rows(problem, Policy(), rows))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", ["none", "scattered"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_of_partials_are_torch_s_own_for_the_library(dtype, ignored, weighted):
    """Sixteen machines that share the rows out must give the number that torch gives on one."""
    torch.manual_seed(1)
    draw = random.Random(1)
    logits, labels = (2.0 * torch.randn(3001, 4)).to(dtype), labels_of((3001, 4), ignored)
    weight = torch.rand(4).to(dtype) if weighted else None
    for reduction, count in (("mean", 5), ("sum", 16)):
        problem = problem_of(logits, labels, reduction=reduction, weight=weight, in_parts=True)
        parts = [(f"{number}", partial_of(problem, Share(number, count))) for number in range(1, count + 1)]
        draw.shuffle(parts)
        report = merged_report(merged(parts), None)
        assert same(report.losses.library.value, functional.cross_entropy(logits, labels, weight, reduction=reduction))
        assert not report.losses.library.streamed
        assert report.losses.manual.streamed
        assert "manual's total is an exact sum: torch.sum itself may print another number" in report.summary


def test_of_partials_whose_rows_hardly_carry_say_so():
    """Where every row at which torch carries is ignored, a partial would have to hold all its losses."""
    logits, labels = torch.randn(20_000, 2), torch.zeros(20_000, dtype=torch.long)
    labels[::16] = -100
    problem = problem_of(logits, labels, block_bytes=1 << 20, in_parts=True)
    parts = [(f"{number}", partial_of(problem, Share(number, 2))) for number in (1, 2)]
    assert len(parts[1][1].to_bytes()) < 20_000
    report = merged_report(merged(parts), None)
    assert report.losses.library.streamed
    assert "both totals are exact sums: F.cross_entropy itself may print another number" in report.summary


def test_of_one_share_alone_are_exact_sums():
    """Its rows are not the whole input, so that no call of torch gives its number by this order."""
    problem = problem_of(torch.randn(90, 3), torch.zeros(90, dtype=torch.long), in_parts=True)
    assert partial_of(problem, Share(2, 3)).report("compute").losses.library.streamed


def test_of_more_samples_than_are_kept(monkeypatch):
    """torch.sum needs all losses at once: beyond what memory allows, the manual path's total is said to be exact."""
    monkeypatch.setattr("xentcli.question.problem.KEPT_BYTES", 1000)
    logits, labels = torch.randn(300, 3), torch.randint(3, (300,))
    report = run(problem_of(logits, labels), Policy())
    assert report.losses.library.value == functional.cross_entropy(logits, labels).item()
    assert (report.losses.library.streamed, report.losses.manual.streamed) == (False, True)
    smoothed = run(problem_of(logits, labels, label_smoothing=0.1), Policy())
    assert smoothed.losses.library.streamed


def test_of_a_torch_that_adds_otherwise(monkeypatch):
    """Another build may have another order: then its number is not claimed."""
    monkeypatch.setattr("xentcli.measuring.reduce.is_torchs_order", lambda dtype: False)
    report = run(problem_of(torch.randn(300, 3), torch.randint(3, (300,))), Policy())
    assert report.losses.library.streamed


def test_sixteen_bits_are_judged_as_torch_adds_them():
    """The mean of equal losses in bfloat16 is off by more than a rounding, and that is torch's order, not a fault."""
    logits, labels = torch.zeros(20_000, 10).bfloat16(), torch.zeros(20_000, dtype=torch.long)
    report = run(problem_of(logits, labels), Policy())
    assert report.losses.library.value == functional.cross_entropy(logits, labels).item()
    assert report.losses.library.error > 0.02
    assert report.losses.library.status == "within"
    assert "sixteen-bit-accumulation" in {finding.code for finding in report.findings}


@pytest.mark.parametrize(("rows", "value"), [(100_000, math.nan), (65_520, 0.0)])
def test_float16_that_overflows_on_the_way_is_called_so(rows, value):
    """torch gives NaN, or 0, where the mean is 2.3: a finite total of the same losses said "within"."""
    logits = torch.zeros(rows, 10 if rows == 100_000 else 2).half()
    labels = torch.zeros(rows, dtype=torch.long)
    report = run(problem_of(logits, labels, block_bytes=1 << 20), Policy())
    assert same(report.losses.library.value, torch.tensor(value))
    assert same(report.losses.library.value, functional.cross_entropy(logits, labels))
    assert report.losses.library.status == "overflow"
    assert report.exit_code() == 1


def test_any_block_size_and_number_of_threads_gives_the_same_bytes():
    """Two users with other amounts of memory must get the same number, torch's own."""
    torch.manual_seed(2)
    logits, labels = torch.randn(5000, 3).bfloat16(), labels_of((5000, 3), "scattered")
    seen = {
        repr(run(problem_of(logits, labels, block_bytes=size, label_smoothing=0.1), Policy(rows=0), threads=threads))
        for size, threads in ((100, 1), (777, 2), (1 << 14, 2), (1 << 30, 1))
    }
    assert len(seen) == 1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_beyond_64_mib_for_real(dtype, monkeypatch):
    """What is shown above on small inputs holds where memory is what makes blocks of them."""
    monkeypatch.undo()
    torch.manual_seed(3)
    for shape in ((2_000_000, 12), (9000, 2003), (70, 33, 9000)):
        logits, labels = torch.randn(shape).to(dtype), labels_of(shape, "scattered")
        weight = torch.rand(shape[1]).to(dtype)
        for smoothing in (0.0, 0.1):
            problem = Problem(
                from_memory(logits, "logits"),
                from_memory(labels, "labels"),
                Options(weight=from_memory(weight, "weight"), label_smoothing=smoothing),
            )
            report = run(problem, Policy(reference="off"))
            expected = functional.cross_entropy(logits, labels, weight, label_smoothing=smoothing)
            assert problem.streamed or dtype.itemsize == 2
            assert same(report.losses.library.value, expected), (shape, smoothing)
            assert same(report.losses.manual.value, by_hand(logits, labels, weight, "mean", smoothing)), (
                shape,
                smoothing,
            )


def test_of_another_class_axis(tmp_path):
    """A language model's layout is read in another order than it is stored."""
    torch.manual_seed(4)
    logits, labels = torch.randn(40, 9, 5).bfloat16().float(), torch.randint(5, (40, 9))
    np.save(tmp_path / "logits.npy", logits.numpy())
    np.save(tmp_path / "labels.npy", labels.numpy())
    report = xentcli.compute(tmp_path / "logits.npy", tmp_path / "labels.npy", class_axis=-1, dtype="bfloat16")
    moved = logits.bfloat16().movedim(-1, 1)
    assert report.losses.library.value == functional.cross_entropy(moved, labels).item()
    assert report.losses.manual.value == by_hand(moved, labels, None, "mean", 0.0).item()
    shares = torch.randn(40, 9, 5).softmax(-1)
    problem = Problem(from_memory(logits, "logits"), from_memory(shares, "labels"), Options(class_axis=2))
    assert run(problem, Policy()).losses.manual.streamed
