"""A temperature and a cap: torch's own expressions, next to the true loss of the transformed stored logits."""

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
from xentcli.bounds.probe import check_transform
from xentcli.errors import CertificateError, UsageError
from xentcli.measuring.case import Case
from xentcli.measuring.measure import measure
from xentcli.measuring.paths import Losses, Part
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.question.transform import Transform
from xentcli.running import engine
from xentcli.sources.memory import from_memory

ASKED = (
    {"temperature": 0.7},
    {"temperature": 37.0},
    {"temperature": 2.0**-12},
    {"softcap": 30.0},
    {"softcap": 0.4},
    {"softcap": 3000.0},
    {"temperature": 1.3, "softcap": 50.0},
    {"temperature": 0.01, "softcap": 15.0},
)
SHAPES = ((64, 7), (7,), (5, 3, 4), (40, 1))
SCALES = (1e-3, 1.0, 20.0, 1e3)


FILES = "data/logits.npy data/labels.npy"


def here(command, folder):
    return xent_here(*command.split(), cwd=folder)


def by_torch(logits, temperature=None, softcap=None):
    """As people write it."""
    if temperature is not None:
        logits = logits / temperature
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    return logits


def drawn(shape, dtype, scale, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(getattr(torch, dtype))
    dim = min(1, len(shape) - 1)
    labels = torch.randint(shape[dim], shape[:dim] + shape[dim + 1 :], generator=generator)
    return logits, labels


def measured(logits, labels, **asked):
    problem = Problem(from_memory(logits, "logits"), from_memory(labels, "labels"), Options(reduction="none", **asked))
    return measure(Part.whole(problem), Policy(rows=0), shown=0, bits=None)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_right_losses_are_never_wrong_and_torchs_own(dtype, asked):
    """Else a right loss is refused, or another number is printed than torch's; from tiny logits to overflow."""
    for seed, (scale, shape) in enumerate(zip(SCALES, SHAPES, strict=True)):
        logits, labels = drawn(shape, dtype, scale, seed)
        options = {"reduction": "sum", "label_smoothing": 0.1} if seed % 2 else {"reduction": "mean"}
        report = compute(logits, labels, rows=0, **asked, **options)
        own = functional.cross_entropy(by_torch(logits, **asked), labels, **options)
        assert report.losses.library.value == pytest.approx(own.item(), rel=0, abs=0, nan_ok=True)
        assert "wrong" not in {report.losses.library.status, report.losses.manual.status}, report.summary


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_no_row_is_wrong_in_thousands(dtype, asked):
    """Else single rows are called wrong that are as right as torch is; masks, ties and confident rows among them."""
    for scale in SCALES:
        logits, labels = drawn((400, 9), dtype, scale, 3)
        logits[:40, 0] = -math.inf
        logits[40:80] = logits[40:80, :1]
        logits[torch.arange(80, 200), labels[80:200]] = 60.0
        labels[200:210] = -100
        found = measured(logits, labels, **asked)
        for path in (found.library, found.manual):
            assert "wrong" not in path.statuses, (scale, path.statuses)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_true_value_is_enclosed(asked):
    """Else the certificate is of another loss: Arb has it from the stored numbers, of 16 bits and of float64."""
    ctx.prec = 600
    transform = {name: arb(fmpq(*Fraction(value).as_integer_ratio())) for name, value in asked.items()}
    for dtype in ("float64", "bfloat16"):
        logits, labels = drawn((20, 5), dtype, 10.0, 4)
        total = arb(0)
        for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
            y = [arb(fmpq(*Fraction(each).as_integer_ratio())) / transform.get("temperature", arb(1)) for each in row]
            if cap := transform.get("softcap"):
                y = [cap * (each / cap).tanh() for each in y]
            total += sum((each.exp() for each in y), arb(0)).log() - y[label]
        for reference in ("fast", "exact"):
            found = compute(logits, labels, reduction="sum", rows=0, reference=reference, **asked).losses.reference
            assert arb(found.lower) <= total <= arb(found.upper)
            assert found.upper - found.lower <= 1e-11 * max(1.0, found.upper)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("left_out", [{"temperature": 1.3}, {"softcap": 30.0}])
def test_a_path_that_leaves_a_step_out_is_caught(dtype, left_out, monkeypatch):
    """Else the certificate would follow the path whatever it computes."""
    both = {"temperature": 1.3, "softcap": 30.0}
    rest = {name: value for name, value in both.items() if name not in left_out}
    monkeypatch.setattr(engine, "check_transform", lambda *_: None)
    monkeypatch.setattr(Transform, "applied", lambda _self, logits: by_torch(logits, **rest))
    logits, labels = drawn((100, 9), dtype, 10.0)
    report = compute(logits, labels, rows=0, **both)
    assert report.losses.library.status == report.losses.manual.status == "wrong"
    assert measured(logits, labels, **both).library.statuses["wrong"] > 90


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_cap_left_out_is_caught_in_16_bits(dtype, monkeypatch):
    """Three roundings to 16 bits are less than what the cap takes of great logits."""
    monkeypatch.setattr(engine, "check_transform", lambda *_: None)
    monkeypatch.setattr(Transform, "applied", lambda _self, logits: logits)
    logits, labels = drawn((100, 9), dtype, 40.0)
    assert compute(logits, labels, rows=0, softcap=10.0).losses.library.status == "wrong"


def test_what_the_format_cannot_hold_is_an_overflow():
    """1e4 / 0.1 is infinite in float16: an overflow of the format, next to a true loss that is a number."""
    logits = torch.tensor([[1e4, 0.0], [1.0, 0.0]], dtype=torch.float16)
    found = measured(logits, torch.tensor([1, 0]), temperature=0.1)
    assert found.library.statuses == {"overflow": 1, "within": 1}
    report = compute(logits, [1, 0], temperature=0.1, reduction="sum")
    assert report.losses.reference.lower == pytest.approx(1e5, rel=1e-3)


def test_beyond_float64_nothing_is_claimed():
    """The quotient is no float64, and no digit of the loss is told."""
    report = compute(np.array([[1e300, 0.0], [1.0, 0.0]]), [1, 0], temperature=1e-20, reduction="sum")
    assert report.verdict != "holds"
    assert report.losses.reference.decimal is None


def test_masked_classes_stay_masked_by_a_temperature_alone():
    """As torch has it: −inf / T is −inf, and its cap is −cap."""
    logits, labels = torch.tensor([[0.0, -math.inf, 1.0]]), torch.tensor([1])
    assert compute(logits, labels, temperature=2.0).losses.library.value == math.inf
    capped = compute(logits, labels, softcap=2.0)
    assert capped.verdict == "holds"
    assert capped.losses.library.value == functional.cross_entropy(by_torch(logits, softcap=2.0), labels).item()


@pytest.mark.parametrize("asked", [{"temperature": 0.7}, {"softcap": 30.0}])
def test_target_probabilities_and_weights_go_with_it(asked):
    """They are of the transformed logits' loss, as in torch."""
    logits, labels = drawn((30, 6), "float32", 10.0)
    shares = torch.softmax(drawn((30, 6), "float32", 1.0, 9)[0], 1)
    weight = torch.linspace(0.5, 2.0, 6)
    for target in (labels, shares):
        report = compute(logits, target, weight=weight, rows=0, **asked)
        own = functional.cross_entropy(by_torch(logits, **asked), target, weight=weight)
        assert (report.verdict, report.losses.library.value) == ("holds", own.item())


def test_blocks_parts_and_casts_have_the_same_transform():
    """An input that is read in blocks, and one that is cast, is transformed all the same."""
    logits, labels = drawn((300, 6), "float32", 10.0)
    whole = compute(logits, labels, softcap=30.0, temperature=0.9, rows=0).to_dict()
    cut = compute(logits, labels, softcap=30.0, temperature=0.9, rows=0, block_bytes=600).to_dict()
    assert whole == cut
    cast = compute(logits, labels, softcap=30.0, temperature=0.9, rows=0, dtype="bfloat16")
    assert cast.verdict == "holds"
    assert cast.cast.effect == pytest.approx(
        cast.losses.reference.lower - whole["losses"]["reference"]["lower"], abs=1e-9
    )


def test_the_labels_that_are_right_are_those_of_the_stored_logits():
    """A cap that rounds two logits to one number makes no tie of them: the true ones still differ."""
    report = compute(np.array([[1000.0, 1001.0]], np.float32), [1], softcap=1.0)
    assert report.metrics["accuracy"].value == 1.0


def test_ordinary_runs_have_no_transform():
    """Both are off unless they are asked for, and what is on is in the record."""
    logits, labels = drawn((3, 4), "float32", 1.0)
    plain = compute(logits, labels).to_dict()["options"]
    assert (plain["temperature"], plain["softcap"]) == (None, None)
    asked = compute(logits, labels, temperature=2.0, softcap=5.0).to_dict()["options"]
    assert (asked["temperature"], asked["softcap"]) == (2.0, 5.0)
    block = Case(Problem(from_memory(logits, "l"), from_memory(labels, "t"), Options()).block(), Options()).block
    assert block.untransformed is block


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"temperature": 2.0, "binary": True}, "--temperature beside --binary"),
        ({"softcap": 2.0, "input": "probabilities"}, "--softcap beside --input probabilities"),
        ({"softcap": 2.0, "temperature": 1.0, "input": "log-probabilities"}, "--temperature and --softcap beside"),
        ({"temperature": 0.0}, "0.0"),
        ({"temperature": -1.0}, "-1.0"),
        ({"softcap": math.nan}, "nan"),
        ({"softcap": math.inf}, "inf"),
        ({"temperature": 1e-31}, "1e-31"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options, found):
    """Numbers that are no logits have no temperature, and none is 0, negative or beyond float32."""
    with pytest.raises(UsageError) as refused:
        Options(**options)
    assert found in refused.value.details["found"]


def test_metrics_are_refused():
    """They are of the stored logits, and would be shown beside another loss."""
    with pytest.raises(UsageError, match="metrics are of the logits as they are stored"):
        compute([[1.0, 2.0]], [1], temperature=2.0, metrics=True)


def test_the_command_has_both(tmp_path):
    """In `compute` and `random`; elsewhere they are unknown."""
    both = "--temperature 0.5 --softcap 3 --json"
    told = here(f"random --samples 5 --classes 4 --seed 1 --save data {both}", tmp_path)
    again = here(f"compute {FILES} {both}", tmp_path)
    one, two = (json.loads(each.out) for each in (told, again))
    assert one["losses"] == two["losses"]
    assert one["verdict"] == "holds"
    assert here(f"compute {FILES} --temperature 0", tmp_path).code == 2
    assert here(f"explain {FILES} --row 0 --temperature 2", tmp_path).code == 2


def test_parts_add_up_to_the_whole(tmp_path):
    """Shards of a transformed loss are merged, and one without the transform is not taken among them."""
    here("random --samples 20 --classes 4 --seed 1 --save data", tmp_path)
    for part in (1, 2):
        here(f"compute {FILES} --softcap 3 --shard {part}/2 --partial {part}.json", tmp_path)
    here(f"compute {FILES} --shard 2/2 --partial other.json", tmp_path)
    merged = json.loads(here("merge 1.json 2.json --json", tmp_path).out)
    whole = json.loads(here(f"compute {FILES} --softcap 3 --json", tmp_path).out)
    assert merged["losses"]["reference"]["lower"] == pytest.approx(whole["losses"]["reference"]["lower"], rel=1e-12)
    assert merged["options"]["softcap"] == 3.0
    assert here("merge 1.json other.json", tmp_path).code == 2


def test_a_claim_about_a_row_is_of_the_transformed_logits(tmp_path):
    """Its cause is looked for among mistakes with these logits, not with logits that are transformed twice."""
    logits, labels = drawn((4, 6), "float64", 5.0)
    losses = functional.cross_entropy(logits / 4.0, labels, reduction="none")
    smoothed = functional.cross_entropy(logits / 4.0, labels, reduction="none", label_smoothing=0.1)
    report = compute(logits, labels, temperature=4.0, reduction="none", expect=losses)
    assert report.verdict == "holds"
    np.save(tmp_path / "logits.npy", logits.numpy())
    np.save(tmp_path / "labels.npy", labels.numpy())
    claim = f"--expect-row 2={smoothed[2].item():.9f}"
    told = here(f"compute logits.npy labels.npy --temperature 4 --reduction none {claim}", tmp_path)
    assert told.code == 1
    assert "smoothing" in told.out


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_torchs_transform_is_put_to_the_test(dtype, monkeypatch):
    """Else another release, or processor, rounds in other places than the bounds assume."""
    for far in ({"temperature": 0.5, "softcap": 2e4}, {"temperature": 1e-30, "softcap": 1e30}):
        check_transform.__wrapped__(dtype, Transform(**far))  # of which 16 bits may hold nothing
    for asked in ASKED:
        check_transform.__wrapped__(dtype, Transform(**asked))
        with monkeypatch.context() as patched:
            honest = Transform.applied
            patched.setattr(Transform, "applied", lambda self, logits, own=honest: own(self, logits) * 1.1)
            with pytest.raises(CertificateError, match="transform"):
                check_transform.__wrapped__(dtype, Transform(**asked))


def test_losses_are_computed_once():
    """Both paths have the same transformed logits, of the logits' own format."""
    logits, labels = drawn((6, 4), "bfloat16", 10.0)
    problem = Problem(from_memory(logits, "l"), from_memory(labels, "t"), Options(softcap=5.0))
    case = Case(problem.block(), problem.options)
    assert case.block.logits.dtype == torch.bfloat16
    assert torch.equal(case.block.untransformed.logits, logits)
    own = functional.cross_entropy(by_torch(logits, softcap=5.0), labels, reduction="none")
    assert torch.equal(Losses.of(case).library, own)
