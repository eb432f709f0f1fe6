"""One logit a sample: what is read, what is refused, and that the loss is torch's own, explained and in parts."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import arb, ctx, fmpq
from process import xent_here
from torch.nn.functional import binary_cross_entropy_with_logits

from xentcli import compute
from xentcli.errors import InputError, UsageError
from xentcli.explain.run import explain
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.problem import Options, Problem
from xentcli.sources.memory import from_memory

Z, Y = [-18.6, 0.51, 2.94, -12.8], [0, 1, 0, 0]
SHAPES = ((60,), (60, 1), (5, 3, 4))


def drawn(shape, dtype, scale, soft=False):
    generator = torch.Generator().manual_seed(int(scale))
    logits = (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(getattr(torch, dtype))
    shares = torch.rand(shape, generator=generator).to(logits.dtype)
    return logits, shares if soft else torch.randint(2, shape, generator=generator)


def true_sum(logits, labels, positive):
    """By Arb: (1 − y)·log(1 + e^z) + W·y·log(1 + e^−z)."""
    ctx.prec = 2000
    total = arb(0)
    for z, y in zip(logits.double().flatten().tolist(), labels.double().flatten().tolist(), strict=True):
        exact, share = (arb(fmpq(*Fraction(each).as_integer_ratio())) for each in (z, y))
        total += (1 - share) * exact.exp().log1p() + fmpq(*Fraction(positive).as_integer_ratio()) * share * (
            -exact
        ).exp().log1p()
    return total


def test_the_loss_of_a_model_with_one_output():
    """The number that people ask about."""
    report = compute(Z, Y, binary=True)
    assert report.verdict == "holds"
    assert f"{report.losses.library.value:.6g}" == "0.865458"
    assert report.losses.library.value == binary_cross_entropy_with_logits(
        torch.tensor(Z, dtype=torch.float64), torch.tensor(Y, dtype=torch.float64)
    )


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("positive", [None, 0.25, 3.7])
@pytest.mark.parametrize("soft", [False, True])
def test_the_library_is_torchs_own_and_never_wrong(dtype, positive, soft):
    """Else a right loss is refused, or another number is printed than torch's; from ordinary logits to underflow."""
    weight = None if positive is None else torch.tensor(positive, dtype=getattr(torch, dtype))
    for scale in (1.0, 10.0, 100.0):
        for shape in SHAPES:
            logits, labels = drawn(shape, dtype, scale, soft)
            for reduction in ("mean", "sum", "none"):
                asked = {"binary": True, "pos_weight": positive, "reduction": reduction, "rows": 0}
                report = compute(logits, labels, **asked)
                assert report.verdict == "holds", (scale, shape, reduction, report.summary)
                if reduction != "none":
                    own = binary_cross_entropy_with_logits(
                        logits, labels.to(logits.dtype), pos_weight=weight, reduction=reduction
                    )
                    assert report.losses.library.value == own.item()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("positive", [1.0, 0.3, 25.0])
def test_the_true_value_is_enclosed(soft, positive):
    """Else the certificate is of another loss: Arb has it from the definition."""
    for scale in (1.0, 30.0, 700.0):
        logits, labels = drawn((40,), "float64", scale, soft)
        report = compute(logits, labels, binary=True, pos_weight=positive, reduction="sum")
        truth = true_sum(logits, labels, positive)
        reference = report.losses.reference
        assert arb(reference.lower) <= truth <= arb(reference.upper)
        assert reference.upper - reference.lower <= 1e-13 * reference.upper


def test_the_bounds_are_tight():
    """Else anything is within: a float32 logit near 0 allows a few roundings, and the sure one some of |z|."""
    report = compute(np.float32([0.3, -0.2]), [1, 0], binary=True, reduction="none")
    roundoff = PRECISIONS["float32"].unit_roundoff
    assert report.losses.library.worst.allowed < 20 * roundoff
    assert report.losses.manual.worst.allowed < 20 * roundoff


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_bound_has_room_for_each_rounding(dtype):
    """Else what torch's steps may lose is called wrong on another machine: 1 + u is 1 in the format of the bound."""
    report = compute(torch.tensor([2.94], dtype=getattr(torch, dtype)), [0], binary=True, reduction="none")
    assert report.losses.library.worst.allowed >= 2.94 * PRECISIONS[dtype].unit_roundoff


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_blocks_and_threads_change_nothing(reduction):
    """Else the report depends on the machine."""
    logits, labels = drawn((500,), "float32", 3.0)
    whole = compute(logits, labels, binary=True, reduction=reduction, pos_weight=2.0)
    for block_bytes in (1, 1000):
        again = compute(logits, labels, binary=True, reduction=reduction, pos_weight=2.0, block_bytes=block_bytes)
        assert again.to_dict() == whole.to_dict()


def test_files_shares_and_claims(tmp_path):
    """Columns of text, true and false, parts of a cluster, and a claim that is the sum."""
    np.savetxt(tmp_path / "z.csv", Z)
    np.save(tmp_path / "y.npy", np.array(Y, bool).reshape(4, 1))
    files = ("compute", "z.csv", "y.npy", "--binary", "--pos-weight", "2")
    ended = xent_here(*files, "--json", cwd=tmp_path)
    whole = json.loads(ended.out)
    own = binary_cross_entropy_with_logits(
        torch.tensor(Z, dtype=torch.float64), torch.tensor(Y).double(), pos_weight=torch.tensor(2.0).double()
    )
    assert whole["losses"]["library"]["value"] == own.item()
    assert whole["options"]["binary"] is True
    assert whole["counts"]["denominator"] == 4.0
    for number in (1, 2):
        xent_here(*files, "--shard", f"{number}/2", "--partial", f"{number}.json", "-qq", cwd=tmp_path)
    merged = json.loads(xent_here("merge", "1.json", "2.json", "--json", cwd=tmp_path).out)
    assert merged["losses"]["reference"] == whole["losses"]["reference"]
    claimed = xent_here(*files, "--expect", f"{4 * own.item():.6f}", "-q", cwd=tmp_path)
    assert "sum-instead-of-mean" in claimed.out
    assert "--binary --pos-weight 2" in xent_here(*files, cwd=tmp_path).out


@pytest.mark.parametrize(
    ("labels", "found", "hint"),
    [([0, 1, -1, 0], "-1", "(labels + 1) / 2"), ([0, 1, 2, 0], "2", "leave"), ([0, 1, -100, 0], "-100", "leave")],
)
def test_labels_that_are_none_are_refused(labels, found, hint):
    """Labels of -1 and 1, several classes, and padding are other losses."""
    with pytest.raises(InputError) as caught:
        compute(Z, labels, binary=True)
    assert caught.value.details["found"] == found
    assert "[" in caught.value.details["at"]
    assert hint in caught.value.details["hint"]


@pytest.mark.parametrize("share", [1.5, -0.5, float("nan")])
def test_shares_beyond_one_are_refused(share):
    """A y outside of 0 to 1 makes a negative loss."""
    with pytest.raises(InputError):
        compute(Z, [0.5, share, 0.0, 1.0], binary=True)


def test_another_shape_is_refused():
    """Two logits a sample are no binary output, and are not flattened."""
    with pytest.raises(InputError, match="one logit and one label"):
        compute([[1.0, 2.0], [0.5, 3.0]], [0, 1], binary=True)


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"ignore_index": 1},
        {"weight": [1.0, 2.0]},
        {"class_axis": 0},
        {"input": "probabilities"},
    ],
    ids=str,
)
def test_options_that_torch_does_not_have_there_are_refused(options):
    """Else they are ignored without a word."""
    with pytest.raises(UsageError, match="no such option"):
        compute(Z, Y, binary=True, **options)


@pytest.mark.parametrize("options", [{"pos_weight": 2.0}, {"binary": True, "pos_weight": float("inf")}], ids=str)
def test_a_weight_of_no_positive_class_is_refused(options):
    """Else `--pos-weight` of many classes weighs nothing."""
    with pytest.raises(UsageError, match="pos_weight"):
        compute([[1.0, 2.0]] if len(options) == 1 else Z, [0] if len(options) == 1 else Y, **options)


@pytest.mark.parametrize("labels", [Y, [0.25, 1.0, 0.5, 0.0]], ids=["labels", "soft"])
def test_an_explanation_adds_up(labels):
    """Else the steps tell of a softmax that nobody took."""
    problem = Problem(from_memory(torch.tensor(Z), "z"), from_memory(labels, "y"), Options(binary=True, pos_weight=2.0))
    told = explain(problem, 2)
    assert told.verdict == "holds"
    assert "sigmoids" in told.steps[1].why
    for path in ("library", "manual"):
        adds = sum(getattr(step, path).adds for step in told.steps if getattr(step, path))
        loss = getattr(told.losses, path)
        assert adds == pytest.approx(loss.value - float(told.losses.reference.decimal), abs=1e-12)
    assert told.gradient is not None
    assert told.gradient.error < 1e-6
