"""Logits, target probabilities and weights that come in different floating-point formats."""

from __future__ import annotations

import itertools

import flint
import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli import compute
from xentcli.errors import InputError
from xentcli.explain.run import explain
from xentcli.question.problem import Options, Problem
from xentcli.sources.memory import from_memory

FORMATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SHAPES = ((6, 5), (3, 5, 4))


def true_total(logits, target, weight, smoothing):
    """Σ of the losses of the numbers as they are stored, by 300-bit balls; logits and target [rows, classes]."""
    weights = [flint.arb(1)] * logits.shape[1] if weight is None else list(map(flint.arb, weight.tolist()))
    keep, share = 1 - flint.arb(smoothing), flint.arb(smoothing) / logits.shape[1]
    total = flint.arb(0)
    for row, shares in zip(logits.tolist(), target.tolist(), strict=True):
        log_sum = sum((flint.arb(x).exp() for x in row), flint.arb(0)).log()
        for x, q, w in zip(row, shares, weights, strict=True):
            total += w * (keep * flint.arb(q) + share) * (log_sum - flint.arb(x))
    return total


@pytest.fixture(autouse=True)
def precise():
    """Balls of 300 bits."""
    with flint.ctx.workprec(300):
        yield


def rows(values):
    return values.movedim(1, -1).reshape(-1, values.shape[1]).double()


def drawn(shape, logits, target, weight=None):
    draw = torch.Generator().manual_seed(len(shape))
    x = (2.0 * torch.randn(shape, generator=draw, dtype=torch.float64)).to(logits)
    q = torch.randn(shape, generator=draw, dtype=torch.float64).softmax(1).to(target)
    w = (0.1 + torch.rand(shape[1], generator=draw, dtype=torch.float64)).to(weight or torch.float64)
    return x, q, None if weight is None else w


def by_hand(x, q, w, smoothing):
    """The textbook's expressions in plain torch, promoted as torch promotes them."""
    shares = q * (1 - smoothing) + smoothing / x.shape[1] if smoothing else q
    terms = shares * x.softmax(1).log()
    return -(terms if w is None else terms * w.reshape(-1, *[1] * (x.ndim - 2))).sum(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("logits", "target"), [*itertools.product(FORMATS, FORMATS)])
def test_each_number_counts_in_its_own_format(logits, target, smoothing):
    """float64 probabilities next to float32 logits, NumPy's default, gave digits of a loss that nobody asked for."""
    other = FORMATS[(FORMATS.index(logits) + FORMATS.index(target) + bool(smoothing)) % len(FORMATS)]
    for shape, weight, reduction in itertools.product(SHAPES, (None, other), ("mean", "sum", "none")):
        x, q, w = drawn(shape, logits, target, weight)
        report = compute(x, q, weight=w, label_smoothing=smoothing, reduction=reduction)
        library = functional.cross_entropy(x, q, w, label_smoothing=smoothing, reduction=reduction)
        losses = by_hand(x, q, w, smoothing)
        where = (shape, weight, reduction)
        assert report.verdict == "holds", where
        assert report.cast is None, where
        if reduction == "none":
            assert [sample.library for sample in report.samples] == library.double().flatten().tolist(), where
            assert [sample.manual for sample in report.samples] == losses.double().flatten().tolist(), where
            continue
        assert report.losses.library.value == library.item(), where
        assert report.losses.manual.value == (losses.sum() if reduction == "sum" else losses.mean()).item(), where
        true = true_total(rows(x), rows(q), w, smoothing) / (1 if reduction == "sum" else len(rows(x)))
        reference = report.losses.reference
        assert abs(flint.arb(reference.decimal) - true) < abs(true) * 1e-28, where
        assert reference.lower <= float(true.mid()) <= reference.upper, where


@pytest.mark.parametrize(("logits", "target"), [*itertools.permutations(FORMATS, 2)])
def test_the_bounds_are_those_of_the_promoted_products(logits, target):
    """A loss in float64 of 16-bit logarithms may err as those do, and no more: a bound too wide finds no bug."""
    widest = {"library": 0.0, "manual": 0.0}
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        x = (1.5 * torch.randn(64, 8, generator=generator, dtype=torch.float64)).to(logits)
        q = torch.randn(64, 8, generator=generator, dtype=torch.float64).softmax(1).to(target)
        report = compute(x, q, reduction="none")
        for path, greatest in widest.items():
            result = getattr(report.losses, path)
            assert result.rows == {"within": 64}, (path, seed)
            widest[path] = max(greatest, result.worst.error / result.worst.allowed)
    assert min(widest.values()) > 0.05, widest


def test_the_digits_are_those_of_the_stored_probabilities():
    """They were those of the probabilities cast to float32, wrong from the ninth digit on, and certified."""
    x, q, _ = drawn((40, 10), torch.float32, torch.float64)
    stored, cast = (true_total(rows(x), rows(each), None, 0.0) / 40 for each in (q, q.float()))
    assert abs(stored - cast) > 1e-9
    decimal = flint.arb(compute(x.numpy(), q.numpy()).losses.reference.decimal)
    assert abs(decimal - stored) < 1e-28
    assert abs(flint.arb(compute(x, q, dtype="float32").losses.reference.decimal) - cast) < 1e-28


@pytest.mark.parametrize(("logits", "weight"), [*itertools.permutations(FORMATS, 2)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_that_torch_refuses_are_refused(logits, weight, smoothing):
    """A loss of weights that were cast without a word is not the one that torch will compute: it computes none."""
    x, _, w = drawn((6, 5), logits, logits, weight)
    labels = torch.arange(6) % 5
    with pytest.raises(RuntimeError, match="expected scalar type"):
        functional.cross_entropy(x, labels, w, label_smoothing=smoothing)
    with pytest.raises(InputError, match="torch refuses class weights") as error:
        compute(x, labels, weight=w, label_smoothing=smoothing)
    option, dtype = error.value.details["hint"].split()[:2]
    assert option == "--dtype"
    report = compute(x, labels, weight=w, label_smoothing=smoothing, dtype=dtype)
    cast = functional.cross_entropy(x, labels, w.to(x.dtype), label_smoothing=smoothing)
    assert report.losses.library.value == cast.item()


def test_what_dtype_takes_from_weights_and_probabilities_is_told():
    """float32 logits under --dtype float32 lose nothing, their float64 weights do, and no word was said of that."""
    x, q, w = drawn((6, 5), torch.float32, torch.float64, torch.float64)
    labels = torch.arange(6) % 5
    one_hot = functional.one_hot(labels, 5).double()
    casts = (
        (compute(x, q, dtype="float32", reduction="sum"), (q.float(), None), (q, None)),
        (compute(x, labels, weight=w, dtype="float32", reduction="sum"), (one_hot, w.float()), (one_hot, w)),
    )
    for report, after, before in casts:
        assert report.cast is not None
        effect = true_total(rows(x), *after, 0.0) - true_total(rows(x), *before, 0.0)
        assert report.cast.lower < effect < report.cast.upper
        assert report.cast.effect != 0.0


@pytest.mark.parametrize("weight", [[1, 2, 3, 4, 5], [1.5, 2.0, 0.25, 1.0, 1.0], np.arange(1, 6), np.ones(5, np.int8)])
def test_weights_without_a_format_are_taken_in_that_of_the_logits(weight):
    """A list, or counts, have no dtype that torch could refuse; what each format holds is no cast worth a word."""
    x, _, _ = drawn((6, 5), torch.bfloat16, torch.bfloat16)
    labels = torch.arange(6) % 5
    report = compute(x, labels, weight=weight)
    expected = functional.cross_entropy(x, labels, torch.tensor(np.asarray(weight), dtype=torch.bfloat16))
    assert report.losses.library.value == expected.item()
    assert report.cast is None


def test_weights_of_a_list_that_the_format_cannot_hold_are_told_as_a_cast():
    """0.1 is no bfloat16: the loss computed is that of 0.10009765625, and the report says what that moved."""
    x, _, _ = drawn((6, 5), torch.bfloat16, torch.bfloat16)
    labels, weight = torch.arange(6) % 5, [0.1, 0.2, 0.3, 0.7, 1.0]
    report = compute(x, labels, weight=weight, reduction="sum")
    one_hot = functional.one_hot(labels, 5).double()
    wide = torch.tensor(weight, dtype=torch.float64)
    effect = true_total(rows(x), one_hot, wide.bfloat16(), 0.0) - true_total(rows(x), one_hot, wide, 0.0)
    assert report.cast is not None
    assert report.cast.lower < effect < report.cast.upper


def test_text_is_taken_in_the_format_of_typed_logits(tmp_path):
    """A CSV of probabilities or weights has no dtype: what torch gets is cast, and what the cast moves is told."""
    x, q, w = drawn((6, 5), torch.float32, torch.float64, torch.float64)
    np.save(tmp_path / "logits.npy", x.numpy())
    np.savetxt(tmp_path / "q.csv", q.numpy(), delimiter=",", fmt="%.17g")
    np.savetxt(tmp_path / "w.csv", w.numpy()[None], delimiter=",", fmt="%.17g")
    report = compute(tmp_path / "logits.npy", tmp_path / "q.csv", weight=tmp_path / "w.csv")
    assert report.losses.library.value == functional.cross_entropy(x, q.float(), w.float()).item()
    after, before = true_total(rows(x), q.float(), w.float(), 0.0) / 6, true_total(rows(x), q, w, 0.0) / 6
    assert report.cast is not None
    assert report.cast.lower < after - before < report.cast.upper


def test_logits_without_a_format_take_weights_of_any():
    """Nested lists are read as float64, which holds every weight; torch has no word on a dtype that is not there."""
    weight = np.array([0.1, 0.7], np.float32)
    report = compute([[2.0, 0.0], [0.0, 1.0]], [0, 1], weight=weight)
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    expected = functional.cross_entropy(logits, torch.tensor([0, 1]), torch.from_numpy(weight).double())
    assert report.losses.library.value == expected.item()


def test_one_row_is_told_in_the_promoted_format():
    """The sum over the classes that explains a row must be the loss that the row has."""
    x, q, w = drawn((6, 5), torch.float32, torch.float64, torch.float64)
    told = explain(Problem(from_memory(x, "logits"), from_memory(q, "labels"), Options(weight=from_memory(w, "w"))), 2)
    assert told.losses.library.value == functional.cross_entropy(x, q, w, reduction="none")[2].item()
    assert told.class_sum is not None
    assert abs(told.class_sum.library - told.losses.library.value) < 1e-14


def test_a_streamed_input_keeps_its_formats(monkeypatch):
    """Blocks must not be promoted otherwise than the whole."""
    x, q, _ = drawn((64, 5), torch.float16, torch.float32)
    whole = compute(x, q, reduction="none").losses
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", -1)
    report = compute(x, q, block_bytes=100)
    assert report.losses.manual.value == by_hand(x, q, None, 0.0).mean().item()
    assert whole.library.rows == report.losses.library.rows == {"within": 64}
