"""A z-loss: torch's own expression, next to the true loss with the square of the true logsumexp in it."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import arb, ctx, fmpq
from process import xent_here
from torch.nn import functional

from xentcli import compute
from xentcli.bounds.probe import check_log_sums
from xentcli.errors import CertificateError, UsageError
from xentcli.losses import z_loss as by_xent
from xentcli.measuring.measure import measure
from xentcli.measuring.paths import Part
from xentcli.numbers.precision import PRECISIONS
from xentcli.question import problem as problems
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running import engine
from xentcli.sources.memory import from_memory

FILES = "data/logits.npy data/labels.npy"
SHAPES = ((64, 7), (7,), (5, 3, 4), (40, 1))
SCALES = (1e-3, 1.0, 20.0, 1e3)
BESIDE = ({}, {"temperature": 0.7}, {"softcap": 30.0}, {"label_smoothing": 0.1})


def here(command, folder):
    return xent_here(*command.split(), cwd=folder)


def exact(number):
    return arb(fmpq(*Fraction(number).as_integer_ratio()))


def drawn(shape, dtype, scale, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    logits = (offset + scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(getattr(torch, dtype))
    dim = min(1, len(shape) - 1)
    return logits, torch.randint(shape[dim], shape[:dim] + shape[dim + 1 :], generator=generator)


def by_torch(logits, target, z, reduction="mean", **options):
    """As people write it: over the samples that count, whatever the cross-entropy is smoothed with."""
    dim = min(1, logits.ndim - 1)
    squares = torch.logsumexp(logits, dim).square()
    if not target.is_floating_point() and bool((target == -100).any()):
        squares = squares[target != -100]
    total = squares.mean() if reduction == "mean" else squares.sum()
    return functional.cross_entropy(logits, target, reduction=reduction, **options) + z * total


def measured(logits, labels, **asked):
    problem = Problem(from_memory(logits, "logits"), from_memory(labels, "labels"), Options(reduction="none", **asked))
    return measure(Part.whole(problem), Policy(rows=0), shown=0, bits=None)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_library_is_torchs_own_and_no_right_loss_is_wrong(dtype, reduction):
    """Else another number is printed than torch's, or a right one is refused; from tiny logits to overflow."""
    for seed, (scale, shape) in enumerate(zip(SCALES, SHAPES, strict=True)):
        logits, labels = drawn(shape, dtype, scale, seed)
        if seed == 0:
            labels[::3] = -100
        options = {"reduction": reduction, "label_smoothing": 0.1 * (seed % 2)}
        report = compute(logits, labels, rows=0, z_loss=0.3, **options)
        own = by_torch(logits, labels, 0.3, **options).item()
        assert report.losses.library.value == pytest.approx(own, rel=0, abs=0, nan_ok=True)
        assert "wrong" not in {report.losses.library.status, report.losses.manual.status}, report.summary
        assert report.verdict == "holds" or math.isinf(own)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("beside", BESIDE, ids=str)
def test_no_row_is_wrong_in_thousands(dtype, beside):
    """Else single rows are called wrong that are as right as torch is; masks, ties, ignored and confident ones, too."""
    for number, (scale, offset) in enumerate([(1e-3, 0.0), (1.0, -5.0), (20.0, 100.0), (1e3, 0.0)]):
        logits, labels = drawn((400, 9), dtype, scale, 3, offset)
        logits[:40, 0] = -math.inf
        logits[40:80] = logits[40:80, :1]
        logits[torch.arange(80, 200), labels[80:200]] = 60.0
        labels[200:210] = -100
        found = measured(logits, labels, z_loss=(1e-4, 0.3, 30.0)[number % 3], **beside)
        for path in (found.library, found.manual):
            assert "wrong" not in path.statuses, (scale, path.statuses)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("beside", BESIDE, ids=str)
def test_no_row_is_wrong_in_hundreds_of_thousands(dtype, beside):
    """The proof behind it: many classes or one, offsets and scales of every size."""
    for classes in (1, 2, 9, 300):
        for scale in SCALES:
            for offset in (0.0, -5.0, 100.0):
                logits, labels = drawn((400, classes), dtype, scale, classes, offset)
                for z in (1e-4, 0.3, 30.0):
                    found = measured(logits, labels, z_loss=z, **beside)
                    assert "wrong" not in found.library.statuses | found.manual.statuses, (classes, scale, offset, z)


@pytest.mark.parametrize("beside", [*BESIDE, {"temperature": 1.3, "softcap": 5.0}], ids=str)
def test_the_true_value_is_enclosed(beside):
    """Else the certificate is of another loss: Arb has it from the stored numbers, of 16 bits and of float64."""
    ctx.prec = 600
    t, cap = exact(beside.get("temperature", 1.0)), beside.get("softcap")
    smoothing, z = exact(beside.get("label_smoothing", 0.0)), exact(0.3)
    for dtype, offset in (("float64", 0.0), ("bfloat16", 50.0), ("float64", -2.0)):
        logits, labels = drawn((20, 5), dtype, 4.0, 4, offset)
        total = arb(0)
        for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
            y = [exact(each) / t for each in row]
            y = y if cap is None else [exact(cap) * (each / exact(cap)).tanh() for each in y]
            log_sum = sum((each.exp() for each in y), arb(0)).log()
            smooth = log_sum - sum(y, arb(0)) / 5
            total += (1 - smoothing) * (log_sum - y[label]) + smoothing * smooth + z * log_sum * log_sum
        for reference in ("fast", "exact"):
            asked = {"reduction": "sum", "reference": reference, "z_loss": 0.3, **beside}
            found = compute(logits, labels, rows=0, **asked).losses.reference
            assert arb(found.lower) <= total <= arb(found.upper)
            assert found.upper - found.lower <= 1e-11 * max(1.0, found.upper)


def test_float64_enclosures_hold_each_row():
    """Small inputs are enclosed exactly, so that only rows say whether the quick pass's radius is right, and narrow."""
    ctx.prec = 300
    for scale, offset in ((1.0, 0.0), (1e-6, -math.log(9.0)), (30.0, 1e5), (1e-3, 0.0)):
        logits, labels = drawn((300, 9), "float64", scale, 5, offset)
        rows = engine_rows(logits, labels, 0.3)
        for row, label, loss, radius in zip(logits.tolist(), labels.tolist(), *rows, strict=True):
            values = [exact(each) for each in row]
            log_sum = sum((each.exp() for each in values), arb(0)).log()
            off = log_sum - values[label] + exact(0.3) * log_sum * log_sum - exact(loss)
            assert abs(off) <= exact(radius)
            assert radius <= 1e-13 * max(1.0, loss)


def engine_rows(logits, labels, z):
    """The middles and the radii of the quick pass."""
    from xentcli.measuring.case import Case
    from xentcli.measuring.paths import certify

    options = Options(z_loss=z)
    problem = Problem(from_memory(logits, "l"), from_memory(labels, "t"), options)
    truth = certify(Case(problem.block(), options), None)
    return truth.rows.loss.tolist(), truth.rows.radius.tolist()


def test_an_exact_square_is_exact():
    """One class has the logsumexp x and the loss Z·x², to the last of 30 digits; and log 2 squared is known."""
    assert compute([[3.0]], [0], z_loss=0.5).losses.reference.decimal == "4.5"
    told = compute([[0.0, 0.0]], [0], z_loss=1.0).losses.reference.decimal
    assert told == "1.17360019447814673408433464778"  # ln 2 + (ln 2)², by mpmath


BROKEN = {
    "left out": (lambda _: torch.zeros(()), lambda _: torch.zeros(())),
    "not squared": (
        lambda block: torch.logsumexp(block.logits, block.class_dim),
        lambda block: torch.logsumexp(block.logits, block.class_dim),
    ),
    "of base 2": (
        lambda block: (torch.logsumexp(block.logits, block.class_dim) / math.log(2.0)).square(),
        lambda block: (torch.logsumexp(block.logits, block.class_dim) / math.log(2.0)).square(),
    ),
    "of the maximum": (
        lambda block: block.logits.amax(block.class_dim).square(),
        lambda block: block.logits.amax(block.class_dim).square(),
    ),
}


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_path_that_does_something_else_is_caught(dtype, broken, monkeypatch):
    """Else the certificate would follow the path whatever it computes."""
    library, manual = BROKEN[broken]
    logits, labels = drawn((100, 9), dtype, 3.0, offset=4.0)
    honest = by_xent.squares

    def like(values, block):
        return values.expand(honest(block).shape)

    monkeypatch.setattr(by_xent, "squares", lambda block: like(library(block), block))
    monkeypatch.setattr(by_xent, "squares_by_hand", lambda block: like(manual(block), block))
    report = compute(logits, labels, rows=0, z_loss=0.2)
    assert report.losses.library.status == report.losses.manual.status == "wrong"
    assert measured(logits, labels, z_loss=0.2).library.statuses["wrong"] > 60


def test_a_reduction_that_divides_by_all_samples_is_caught(monkeypatch):
    """The rows are right, and their mean is not: it is held against the rows' own."""
    logits, labels = drawn((100, 9), "float32", 3.0)
    labels[::2] = -100
    monkeypatch.setattr(by_xent, "reduced", lambda values, _counted, **_: values.mean())
    report = compute(logits, labels, rows=0, z_loss=0.2)
    assert report.losses.library.status == "wrong"
    assert report.losses.library.rows == {"within": 100}


def test_squares_that_16_bits_cannot_hold_are_an_overflow():
    """300² is infinite in float16, as it is in a kernel that squares in it; no loss is wrong for that."""
    report = compute(torch.tensor([[300.0, 0.0]], dtype=torch.float16), [0], z_loss=1e-4)
    assert report.losses.library.status == report.losses.manual.status == "overflow"
    assert report.losses.reference.lower == pytest.approx(9.0)


def test_beyond_float64_exact_arithmetic_decides():
    """The square of 1e200 is no float64; the true loss is known to be finite, and the library's infinite."""
    report = compute(np.array([[1e200, 0.0]]), [0], z_loss=1e-4, reduction="sum")
    assert report.verdict != "holds"
    assert report.losses.library.status == "overflow" or report.verdict == "undecided"
    known = compute(np.array([[1e150, 0.0]]), [0], z_loss=1e-20, reduction="sum")
    assert known.losses.reference.lower == pytest.approx(1e280)


def test_ignored_samples_have_none_and_targets_that_are_probabilities_one_each():
    """Their logits may be anything; a row of probabilities counts as one sample, smoothed or not."""
    logits, labels = drawn((6, 4), "float64", 2.0)
    labels[2], logits[2] = -100, math.nan
    losses = compute(logits, labels, z_loss=0.1, reduction="none")
    assert [each.library == 0.0 for each in losses.samples] == [False, False, True, False, False, False]
    assert losses.verdict == "holds"
    logits, _ = drawn((6, 4), "float64", 2.0)
    shares = torch.softmax(drawn((6, 4), "float64", 1.0, 9)[0], 1)
    for smoothing in (0.0, 0.1):
        report = compute(logits, shares, z_loss=0.1, label_smoothing=smoothing)
        assert report.verdict == "holds"
        assert report.losses.library.value == by_torch(logits, shares, 0.1, label_smoothing=smoothing).item()


def test_masked_and_undefined_rows_are_as_without():
    """A masked label has an infinite loss, and logits that are no numbers none; the z-loss changes neither."""
    logits = torch.tensor([[0.0, -math.inf, 1.0], [0.0, math.inf, 1.0], [-math.inf] * 3, [0.0, 1.0, 2.0]])
    report = compute(logits, [1, 0, 0, 2], z_loss=0.1, reduction="none")
    assert [str(each.library) for each in report.samples][:3] == ["inf", "nan", "nan"]
    assert report.losses.library.rows == {"within": 2, "nan": 2}


def test_perplexity_and_nll_are_of_the_cross_entropy_alone():
    """e to a loss with something added is no perplexity."""
    logits, labels = drawn((50, 6), "float32", 2.0)
    plain, added = compute(logits, labels, rows=0), compute(logits, labels, rows=0, z_loss=0.5)
    for name in ("perplexity", "nll", "accuracy"):
        assert added.metrics[name].value == pytest.approx(plain.metrics[name].value, rel=1e-12)
        assert added.metrics[name].lower <= plain.metrics[name].upper


def test_blocks_threads_and_streams_give_the_same_bytes(monkeypatch):
    """A report does not depend on how the input was cut; of a streamed one torch's own total is followed, too."""
    logits, labels = drawn((90, 6), "float32", 5.0)
    labels[::7] = -100
    for options in ({"label_smoothing": 0.1}, {"reduction": "sum", "softcap": 30.0}):
        asked = {"z_loss": 0.01, "rows": 0, **options}
        whole = compute(logits, labels, **asked).to_dict()
        assert compute(logits, labels, block_bytes=600, threads=2, **asked).to_dict() == whole
        with monkeypatch.context() as patched:
            patched.setattr(problems, "WHOLE_BYTES", 0)
            streamed = [compute(logits, labels, block_bytes=size, **asked).to_dict() for size in (600, 1 << 20)]
        assert streamed[0] == streamed[1]
        assert not streamed[0]["streamed"]
        assert streamed[0]["losses"]["library"]["value"] == whole["losses"]["library"]["value"]


def test_parts_jobs_and_merges_agree(tmp_path):
    """Shards are merged to one report, whoever computed them; one without the z-loss is not taken among them."""
    here("random --samples 40 --classes 5 --seed 1 --save data", tmp_path)
    for part in (1, 2, 3):
        here(f"compute {FILES} --z-loss 0.1 --shard {part}/3 --partial {part}.json", tmp_path)
    here(f"compute {FILES} --z-loss 0.1 --partial whole.json", tmp_path)
    here(f"compute {FILES} --z-loss 0.2 --shard 3/3 --partial other.json", tmp_path)
    merged, whole = here("merge 1.json 2.json 3.json --json", tmp_path), here("merge whole.json --json", tmp_path)
    assert merged.out == whole.out
    here(f"compute {FILES} --z-loss 0.1 --partial by-two.json --jobs 2 --block-bytes 65", tmp_path)
    assert (tmp_path / "by-two.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    told = json.loads(merged.out)
    assert (told["options"]["z_loss"], told["streamed"], told["verdict"]) == (0.1, True, "holds")
    assert here("merge 1.json 2.json other.json", tmp_path).code == 2


def test_claims_are_of_the_loss_with_it_and_its_mistakes_have_a_name():
    """Somebody who left a part out is told which."""
    logits, labels = drawn((40, 9), "float64", 2.0)
    labels[::4] = -100
    counted, z = labels != -100, 0.05
    plain, lse = functional.cross_entropy(logits, labels), torch.logsumexp(logits, 1)
    right = plain + z * lse[counted].square().mean()
    assert compute(logits, labels, z_loss=z, expect=f"{right.item():.8f}").verdict == "holds"
    wrong = {
        "without the z-loss": plain,
        "without its square": plain + z * lse[counted].mean(),
        "averaged over ignored samples": plain + z * lse.square().mean(),
        "the ignored ones as 0": plain + z * lse[counted].square().sum() / 40,
        "added twice": plain + 2 * z * lse[counted].square().mean(),
    }
    for words, value in wrong.items():
        first, *_ = compute(logits, labels, z_loss=z, expect=f"{value.item():.9f}").expectation.causes
        assert first.code == "z-loss-wrong"
        assert words in first.statement
    first, *_ = compute(logits, labels, z_loss=z, expect=f"{right.item() * 30:.8f}").expectation.causes
    assert first.code == "sum-instead-of-mean"


def test_claims_about_rows_are_of_the_loss_with_it(tmp_path):
    """A file of losses is held against them, and one without the z-loss is told so."""
    logits, labels = drawn((6, 5), "float64", 3.0)
    plain = functional.cross_entropy(logits, labels, reduction="none")
    added = plain + 0.2 * torch.logsumexp(logits, 1).square()
    asked = {"z_loss": 0.2, "reduction": "none"}
    assert compute(logits, labels, expect=added, **asked).verdict == "holds"
    report = compute(logits, labels, expect=plain, **asked)
    assert report.verdict == "fails"
    assert report.row_claims.cause.code == "z-loss-wrong"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"z_loss": 0.1, "binary": True}, "--z-loss beside --binary"),
        ({"z_loss": 0.1, "input": "probabilities"}, "--z-loss beside --input probabilities"),
        ({"z_loss": 0.1, "weight": from_memory([1.0, 2.0], "w")}, "--z-loss beside --weight"),
        ({"z_loss": 0.0}, "0.0"),
        ({"z_loss": -1.0}, "-1.0"),
        ({"z_loss": math.nan}, "nan"),
        ({"z_loss": 1e31}, "1e+31"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_one_answer_is_refused(options, found):
    """Kernels weigh the z-loss, or do not; and what is no logit has no logsumexp."""
    with pytest.raises(UsageError) as refused:
        Options(**options)
    assert found in refused.value.details["found"]


def test_metrics_are_refused():
    """They would be shown beside another loss."""
    with pytest.raises(UsageError, match="metrics are of the logits as they are stored") as refused:
        compute([[1.0, 2.0]], [1], z_loss=0.1, metrics=True)
    assert refused.value.details["hint"] == "leave --z-loss out, or the metrics"


def test_the_command_has_it_and_explain_says_where_to_look(tmp_path):
    """A row is explained of the stored logits alone: the hint is a command that works, and no wrong lesson."""
    told = here("random --samples 5 --classes 4 --seed 1 --save data --z-loss 0.5 --json", tmp_path)
    again = here(f"compute {FILES} --z-loss 0.5 --json", tmp_path)
    assert json.loads(told.out)["losses"] == json.loads(again.out)["losses"]
    assert "--z-loss 0.5" in here(f"compute {FILES} --z-loss 0.5", tmp_path).out
    for name in ("--z-loss", "--temperature", "--softcap"):
        refused = here(f"explain {FILES} --row 0 {name} 2", tmp_path)
        assert refused.code == 2
        hint = refused.err.partition("hint")[2].strip()
        assert hint == f"xent compute {FILES} {name} 2 --reduction none"
        assert here(hint.removeprefix("xent "), tmp_path).code == 0
        fails = here(f"compute {FILES} {name} 2 --reduction none --atol 0 --dtype float32", tmp_path)
        assert "explain" not in fails.out
    assert "xent explain" in here(f"compute {FILES} --reduction none --atol 0", tmp_path).out


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("kernel", ["last", "inner"])
def test_torchs_logsumexp_is_put_to_the_test(dtype, kernel, monkeypatch):
    """Else another release, or processor, rounds in other places than the bounds assume."""
    check_log_sums.__wrapped__(dtype, kernel)
    honest = torch.logsumexp
    monkeypatch.setattr(torch, "logsumexp", lambda *given: honest(*given) * 1.1)
    with pytest.raises(CertificateError, match="logsumexp"):
        check_log_sums.__wrapped__(dtype, kernel)
    assert engine.check_log_sums is check_log_sums


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_head_goes_with_it(dtype):
    """The logits are the exact product of the stored hidden states and weights, and so is their logsumexp."""
    hidden, labels = drawn((30, 6), dtype, 1.0)
    weight, _ = drawn((6, 6), dtype, 1.0, 5)
    report = compute(hidden, labels, head=weight, z_loss=0.1, reduction="sum", rows=0)
    logits = hidden.double() @ weight.double().T
    assert report.verdict == "holds"
    assert report.losses.reference.lower == pytest.approx(by_torch(logits, labels, 0.1, "sum").item(), rel=1e-12)
