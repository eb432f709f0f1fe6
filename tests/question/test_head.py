"""Hidden states × head: torch's own product, next to the true loss of the exact product of the stored numbers."""

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
from xentcli.bounds.probe import check_product
from xentcli.errors import CertificateError, InputError, UsageError
from xentcli.measuring.case import Case
from xentcli.measuring.measure import measure
from xentcli.measuring.paths import Part, certify
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.head import Layer, group_rows
from xentcli.question.policy import Policy
from xentcli.question.problem import BLOCK_BYTES, Options, Problem
from xentcli.running import engine
from xentcli.sources.memory import from_memory

SHAPES = ((300, 3, 1), (200, 2, 2), (300, 11, 7), (150, 40, 64))  # samples, classes, width
LARGE = ((2000, 50, 64), (1500, 100, 513), (400, 64, 4096))
SCALES = (1e-3, 1.0, 30.0)
MASKED = -math.inf


def drawn(shape, dtype, scale=1.0, seed=0, bias=True):
    """Hidden states, labels, a head and its bias."""
    samples, classes, width = shape
    generator = torch.Generator().manual_seed(seed)
    sizes = ((samples, width), (classes, width), (classes,))
    hidden, head, shift = (torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes)
    kind = getattr(torch, dtype)
    labels = torch.randint(classes, (samples,), generator=generator)
    own = (scale * shift).to(kind) if bias else None
    return hidden.to(kind), labels, (scale * head / width**0.5).to(kind), own


def problem(hidden, labels, head, bias=None, block_bytes=BLOCK_BYTES, **asked):
    arrays = {name: from_memory(value, name) for name, value in (("head", head), ("bias", bias)) if value is not None}
    options = Options(**{"reduction": "none"} | asked, **arrays)
    return Problem(from_memory(hidden, "hidden"), from_memory(labels, "labels"), options, block_bytes)


def measured(*given, **asked):
    asked_of = problem(*given, **asked)
    blocks = [measure(Part.read(asked_of, *span), Policy(rows=0), shown=0, bits=None) for span in asked_of.spans()]
    return sum(blocks[1:], blocks[0])


def exact(value):
    return arb(fmpq(*Fraction(value).as_integer_ratio()))


def true_losses(hidden, labels, head, bias, temperature=1.0, softcap=None, z_loss=0.0):
    """By Arb, of the exact products; one a row."""
    numbers = [[Fraction(each) for each in row] for row in hidden.double().tolist()]
    weights = [[Fraction(each) for each in row] for row in head.double().tolist()]
    shifts = [0.0] * len(weights) if bias is None else bias.double().tolist()
    for row, label in zip(numbers, labels.tolist(), strict=True):
        products = (sum((h * w for h, w in zip(row, own, strict=True)), Fraction(0)) for own in weights)
        own = [
            exact(product + Fraction(shift)) / exact(temperature)
            for product, shift in zip(products, shifts, strict=True)
        ]
        if softcap is not None:
            own = [exact(softcap) * (each / exact(softcap)).tanh() for each in own]
        log_sum = sum((each.exp() for each in own), arb(0)).log()
        yield log_sum - own[label] + exact(z_loss) * log_sum**2


def never_wrong(dtype, shapes):
    for seed, shape in enumerate(shapes):
        for scale in SCALES:
            given = drawn(shape, dtype, scale, seed, bias=seed % 2 == 0)
            given[1][:7] = -100
            options = {"label_smoothing": 0.1 * (seed % 3 == 2), "z_loss": 0.01 if seed % 4 == 1 else None}
            found = measured(*given, **options)
            for path in (found.library, found.manual):
                assert "wrong" not in path.statuses, (shape, scale, path.statuses)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_no_row_is_wrong_in_thousands(dtype):
    """Else a right loss of a language model's last layer fails a build; confident and even rows among them."""
    never_wrong(dtype, SHAPES)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_no_row_is_wrong_in_wide_products(dtype):
    """The same where 4,096 products are added up, in whatever order."""
    never_wrong(dtype, LARGE)


@pytest.mark.parametrize(
    "asked", [{}, {"temperature": 0.7}, {"temperature": 1.5, "softcap": 3.0, "z_loss": 0.25}], ids=str
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_the_true_value_is_enclosed(dtype, asked):
    """Else the certificate is of another loss than that of the stored numbers; and it must be tight to be worth any."""
    ctx.prec = 400
    hidden, labels, head, bias = drawn((12, 5, 17), dtype, 3.0, 4)
    asked_of = problem(hidden, labels, head, bias, **asked)
    case = Case(asked_of.block(), asked_of.options)
    true = list(true_losses(hidden, labels, head, bias, **asked))
    for bits, width in ((None, 1e-12), (128, 1e-15)):
        rows = certify(case, bits).rows
        for lower, upper, loss in zip(rows.lower.tolist(), rows.upper.tolist(), true, strict=True):
            assert arb(lower) <= loss <= arb(upper)
            assert upper - lower <= width * max(1.0, upper)


def test_small_inputs_have_exact_digits():
    """What is printed of a small input is exact, to 30 digits."""
    ctx.prec = 400
    given = drawn((3, 4, 5), "float32", 2.0, 9)
    found = compute(given[0], given[1], head=given[2], bias=given[3]).losses.reference.decimal
    mean = sum(true_losses(*given), arb(0)) / 3
    assert len(found) > 25
    assert abs(arb(found) - mean) < arb(10) ** -25


def test_products_are_exact_whatever_the_exponents():
    """Integers of any length, or the certificate of numbers far apart is of others."""
    hidden = torch.tensor([1e300, -3.0, 2.0**-1060, 0.0], dtype=torch.float64)
    weight = torch.tensor([[1e-300, 1 / 3, 2.0**1000, 5.0], [0.0, 0.0, 0.0, 1e308]], dtype=torch.float64)
    bias = torch.tensor([0.1, MASKED], dtype=torch.float64)
    expected = sum(
        (Fraction(h) * Fraction(w) for h, w in zip(hidden.tolist(), weight[0].tolist(), strict=True)), Fraction(0)
    )
    assert Layer(weight, bias).exactly(hidden) == [expected + Fraction(0.1), MASKED]
    assert Layer(weight, None).exactly(hidden) == [expected, 0]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_paths_are_torchs_own_product(dtype):
    """Of one group of rows they are F.linear and F.cross_entropy to the last bit, and the total is their exact sum."""
    hidden, labels, head, bias = drawn((60, 33, 20), dtype)
    report = compute(hidden, labels, head=head, bias=bias, reduction="none", rows=60)
    own = functional.cross_entropy(functional.linear(hidden, head, bias), labels, reduction="none")
    assert [sample.library for sample in report.samples] == own.double().tolist()
    total = compute(hidden, labels, head=head, bias=bias)
    assert total.streamed
    assert total.losses.library.value == pytest.approx(own.double().mean().item(), rel=1e-12)
    assert "F.cross_entropy itself may print another number" in total.summary


def without_bias(layer, hidden):
    return functional.linear(hidden, layer.weight)


def without_bias_of_a_block(layer, hidden):
    logits = functional.linear(hidden, layer.weight, layer.bias)
    logits[:16] -= layer.bias
    return logits


def without_last_classes(layer, hidden):
    logits = functional.linear(hidden, layer.weight, layer.bias)
    logits[:, -8:] = 0.0
    return logits


def in_bfloat16(layer, hidden):
    return functional.linear(hidden.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16()).to(hidden.dtype)


def without_last_width(layer, hidden):
    return functional.linear(hidden[:, :-1], layer.weight[:, :-1], layer.bias)


def turned(layer, hidden):
    return hidden @ layer.weight + layer.bias


DOUBLES = (
    without_bias,
    without_bias_of_a_block,
    without_last_classes,
    in_bfloat16,
    without_last_width,
    turned,
)


@pytest.mark.parametrize("double", DOUBLES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_product_is_caught(double, dtype, monkeypatch):
    """Else the certificate would follow the paths whatever they multiply."""
    given = drawn((48, 40, 40), dtype, 2.0, 5)
    monkeypatch.setattr(engine, "check_product", lambda *_: None)
    monkeypatch.setattr(Layer, "linear", double)
    report = compute(given[0], given[1], head=given[2], bias=given[3], reduction="none")
    assert report.verdict == "fails"
    assert report.losses.library.rows["wrong"] >= 15
    (finding,) = (each for each in report.findings if each.code == "library-wrong")
    assert "--reduction none" in finding.hint, "no row of hidden states is explained step by step"


def accumulated_in_float16(layer, hidden):
    total = torch.zeros(len(hidden), len(layer.weight), dtype=torch.float16)
    for h, w in zip(hidden.T, layer.weight.T, strict=True):
        total += h[:, None] * w
    return total


@pytest.mark.parametrize("double", [accumulated_in_float16, without_bias, without_last_classes])
def test_a_wrong_product_of_float16_is_caught(double, monkeypatch):
    """Sums that grow in 16 bits lose what they are added to; float32 keeps it, and is stored once."""
    hidden, labels, head, bias = drawn((48, 40, 512), "float16", 2.0, 5)
    bias = None if double is accumulated_in_float16 else 8.0 * bias
    monkeypatch.setattr(engine, "check_product", lambda *_: None)
    monkeypatch.setattr(Layer, "linear", double)
    report = compute(2.0 * hidden.abs(), labels, head=2.0 * head.abs(), bias=bias)
    assert report.losses.library.rows.get("wrong", 0) > 0, report.summary


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_machine_that_multiplies_otherwise_is_refused(dtype, monkeypatch):
    """A product in fewer bits than assumed breaks every bound, so nothing is certified there."""
    check_product.__wrapped__(dtype)
    monkeypatch.setattr(Layer, "linear", lambda layer, hidden: functional.linear(hidden, layer.weight))
    with pytest.raises(CertificateError, match="linear"):
        check_product.__wrapped__(dtype)


def test_blocks_threads_and_layouts_do_not_change_a_byte():
    """A report that depends on the machine's threads cannot be compared with yesterday's."""
    hidden, labels, head, bias = drawn((2200, 1000, 8), "float32")
    assert group_rows(1000) < 2200
    usual = compute(hidden, labels, head=head, bias=bias, rows=5)
    for how in ({"threads": 1}, {"threads": 3, "block_bytes": 1}, {"block_bytes": 1 << 22}):
        assert compute(hidden, labels, head=head, bias=bias, rows=5, **how).to_dict() == usual.to_dict()
    deep = compute(hidden.reshape(22, 100, 8), labels.reshape(22, 100), head=head, bias=bias, rows=5)
    assert deep.losses == usual.losses
    assert deep.input.logits.shape == (22, 100, 8)


@pytest.mark.parametrize("shape", [(7,), (1, 7), (5, 3, 7), (1, 6, 7), (2, 3, 4, 7)])
def test_any_shape_of_samples(shape):
    """The last axis is that of the width, whatever stands before it; probabilities have the logits' shape."""
    generator = torch.Generator().manual_seed(3)
    hidden, head = torch.randn(shape, generator=generator).double(), torch.randn(5, 7, generator=generator).double()
    labels = torch.randint(5, shape[:-1], generator=generator)
    logits = (hidden @ head.T).reshape(-1, 5)
    own = functional.cross_entropy(logits, labels.reshape(-1))
    assert compute(hidden, labels, head=head).losses.library.value == pytest.approx(own.item(), rel=1e-12)
    shares = torch.randn(*shape[:-1], 5, generator=generator).double().softmax(-1)
    own = functional.cross_entropy(logits, shares.reshape(-1, 5))
    assert compute(hidden, shares, head=head).losses.library.value == pytest.approx(own.item(), rel=1e-12)


def test_sizes_of_none_and_of_one():
    """No samples are nothing to check, no numbers no hidden states, and a bias of one class may be a number alone."""
    none = compute(np.zeros((0, 4)), np.zeros(0, np.int64), head=np.ones((3, 4)))
    assert (none.verdict, none.counts.samples, none.counts.classes) == ("undecided", 0, 3)
    with pytest.raises(InputError, match="have no numbers"):
        compute(np.zeros((2, 0)), [0, 2], head=np.zeros((3, 0)))
    assert compute([[1.0, 2.0]], [0], head=[[3.0, 4.0]], bias=np.float64(5.0)).losses.library.value == 0.0


def test_shift_and_weights_and_smoothing_are_of_the_logits():
    """What follows the product is what it is of stored logits."""
    generator = torch.Generator().manual_seed(8)
    hidden, head = torch.randn(4, 9, 6, generator=generator).double(), torch.randn(5, 6, generator=generator).double()
    tokens, weight = torch.randint(5, (4, 9), generator=generator), torch.rand(5, generator=generator).double()
    tokens[0, 3] = -100
    options = {"label_smoothing": 0.2, "weight": weight, "shift": True, "class_axis": -1}
    found, plain = compute(hidden, tokens, head=head, **options), compute(hidden @ head.T, tokens, **options)
    assert found.losses.library.value == pytest.approx(plain.losses.library.value, rel=1e-12)
    assert found.losses.reference.lower == pytest.approx(plain.losses.reference.lower, rel=1e-12)
    assert found.counts == plain.counts
    assert found.metrics["accuracy"] == plain.metrics["accuracy"]


def test_a_cast_is_told_apart():
    """The bits that --dtype takes from hidden states and head are no error of the computation."""
    hidden, labels, head, bias = drawn((50, 9, 12), "float64", 2.0)
    report = compute(hidden, labels, head=head, bias=bias, dtype="bfloat16")
    rounded = [each.bfloat16().double() for each in (hidden, head, bias)]
    true = [
        functional.cross_entropy(functional.linear(*each), labels).item() for each in (rounded, (hidden, head, bias))
    ]
    assert report.cast.effect == pytest.approx(true[0] - true[1], rel=1e-9)
    assert report.losses.reference.lower == pytest.approx(true[0], rel=1e-12)
    alone = compute(hidden.bfloat16(), labels, head=head.bfloat16(), bias=bias, dtype="bfloat16")
    assert alone.cast.effect != 0.0, "of the bias alone"


def test_masks_numbers_that_are_none_and_overflows():
    """A bias of −inf masks a class; what a format cannot hold is its overflow, and NaN is told as NaN."""
    hidden, labels, head, bias = drawn((40, 6, 5), "float32")
    bias[5], labels[labels == 5] = MASKED, 0
    own = functional.cross_entropy(functional.linear(hidden, head, bias), labels).item()
    assert compute(hidden, labels, head=head, bias=bias).losses.library.value == pytest.approx(own, rel=1e-6)
    labels[7] = 5
    assert measured(hidden, labels, head, bias).library.statuses == {"within": 40}
    hidden[3, 2] = math.nan
    assert measured(hidden, labels, head, bias).library.statuses == {"within": 39, "nan": 1}
    large = 600.0 * torch.ones(2, 4, dtype=torch.float16)
    found = measured(large, torch.tensor([0, 1]), torch.tensor([[100.0] * 4, [0.0] * 4], dtype=torch.float16))
    assert set(found.library.statuses) <= {"overflow", "within"}


def test_accuracy_is_open_where_rounding_hides_the_greatest():
    """Two classes of equal weights tie, and a tie is not called right."""
    hidden = torch.tensor([[1.0, 2.0], [3.0, 1.0]], dtype=torch.float64)
    head = torch.tensor([[1.0, 0.5], [1.0, 0.5], [-5.0, 0.0]], dtype=torch.float64)
    found = compute(hidden, torch.tensor([0, 2]), head=head).metrics["accuracy"]
    assert (found.lower, found.upper) == (0.0, 0.5)


@pytest.mark.parametrize("left_out", ["head", "bias"])
def test_a_bias_that_was_left_out_is_named(left_out):
    """The loss without the bias is what a fused kernel prints that forgets it."""
    hidden, labels, head, bias = drawn((500, 12, 8), "float32", 2.0)
    claimed = functional.cross_entropy(functional.linear(hidden, head), labels).item()
    given = {"head": head, "bias": bias if left_out == "bias" else None}
    expectation = compute(hidden, labels, expect=f"{claimed:.6f}", **given).expectation
    assert expectation.holds is (left_out == "head")
    if left_out == "bias":
        assert expectation.causes[0].code == "bias-left-out"


def test_a_claim_of_a_row_is_explained():
    """The logits of one row are explained as any others, and not multiplied with the head once more."""
    hidden, labels, head, bias = drawn((30, 12, 8), "float32", 2.0)
    losses = functional.cross_entropy(functional.linear(hidden, head, bias), labels, reduction="none").double()
    losses[7] *= 2.0
    found = compute(hidden, labels, head=head, bias=bias, reduction="none", expect=losses.numpy()).row_claims
    assert (found.wrong, found.rows[0].row) == (1, 7)
    assert found.cause.code == "not-divided-by-steps"


def test_no_block_holds_all_logits():
    """Hidden states of two numbers each, whose logits are gigabytes, are multiplied a few rows at a time."""
    hidden, head = torch.zeros(400_000, 2), torch.zeros(4000, 2)
    asked_of = problem(hidden, torch.zeros(400_000, dtype=torch.int64), head)
    spans = list(asked_of.spans())
    assert spans[0][0] == 0
    assert spans[-1][1] == 400_000
    assert max(stop - start for start, stop in spans) * 4000 * 12 <= 2 * BLOCK_BYTES
    assert asked_of.block(*spans[1]).logits.shape == (spans[1][1] - spans[1][0], 4000)


REFUSED = {
    "turned": ({"head": (6, 11)}, {}, "the head does not fit"),
    "too wide": ({"head": (11, 7)}, {}, "the head does not fit"),
    "three axes": ({"head": (1, 11, 6)}, {}, "the head does not fit"),
    "a bias of the width": ({"bias": (6,)}, {}, "the bias does not fit"),
    "other labels": ({"labels": (9,)}, {}, "the target does not fit"),
    "binary": ({}, {"binary": True}, "hidden states are multiplied"),
    "probabilities": ({}, {"input": "probabilities"}, "hidden states are multiplied"),
    "another axis": ({}, {"class_axis": 0}, "on the last axis"),
    "metrics": ({}, {"metrics": True}, "metrics are of logits that are stored"),
    "a bias alone": ({"head": None}, {}, "a bias is added"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    """What cannot be told is refused, before anything is computed."""
    sizes, asked, message = REFUSED[name]
    given = {"hidden": (10, 6), "labels": (10,), "head": (11, 6), "bias": (11,)} | sizes
    arrays = {key: None if size is None else np.zeros(size, np.float32) for key, size in given.items()}
    hidden, labels = arrays.pop("hidden"), arrays.pop("labels").astype(np.int64)
    with pytest.raises((InputError, UsageError), match=message):
        compute(hidden, labels, **arrays, **asked)


def test_numbers_that_are_refused():
    """A head of another format is what torch refuses; NaN in it, or a cast beyond the format, makes every loss none."""
    hidden, labels, head, bias = drawn((10, 6, 5), "float32")
    with pytest.raises(InputError, match="another dtype") as found:
        compute(hidden, labels, head=head.double(), bias=bias)
    assert found.value.details["hint"] == "--dtype float32"
    head[2, 3] = math.nan
    with pytest.raises(InputError, match="not finite") as found:
        compute(hidden, labels, head=head)
    assert "[2, 3]" in found.value.details["at"]
    head[2, 3], bias[1] = 1e30, math.inf
    with pytest.raises(InputError, match="not finite"):
        compute(hidden, labels, head=head, bias=bias)
    with pytest.raises(InputError, match="beyond float16"):
        compute(hidden, labels, head=head, dtype="float16")


def test_hours_of_exact_products_are_refused(monkeypatch):
    """--reference exact says how much it can, instead of beginning."""
    monkeypatch.setattr(engine, "MOST_STEPS", 100)
    with pytest.raises(UsageError, match="takes hours"):
        compute(*drawn((10, 6, 5), "float32")[:2], head=torch.zeros(6, 5), reference="exact")


@pytest.fixture
def files(tmp_path):
    hidden, labels, head, bias = drawn((700, 9000, 4), "float32", 2.0)
    for name, values in (("h", hidden), ("y", labels), ("W", head), ("b", bias), ("turned", head.T.contiguous())):
        np.save(tmp_path / f"{name}.npy", values.numpy())
    np.savez(tmp_path / "model.npz", **{"lm_head.weight": head.numpy(), "lm_head.bias": bias.numpy()})
    return tmp_path


def test_parts_processes_and_names_give_the_same_bytes(files):
    """Shares that begin inside a group of rows multiply that group in whole, as the whole run does."""
    command = ("compute", "h.npy", "y.npy", "--head", "W.npy", "--bias", "b.npy")
    whole = json.loads(xent_here(*command, "--json", cwd=files).out)
    for share in ("1/3", "2/3", "3/3"):
        xent_here(*command, "--shard", share, "--partial", f"{share[0]}.json", "-qq", cwd=files)
    parts = ("merge", "1.json", "2.json", "3.json")
    merged = json.loads(xent_here(*parts, "--json", cwd=files).out)
    assert merged | {"command": "compute"} == whole
    assert {"path", "format", "shape", "dtype", "digest"} == set(whole["input"]["head"])
    inside = ("--head", "model.npz:lm_head.weight", "--bias", "model.npz:lm_head.bias")
    named = json.loads(xent_here(*command[:3], *inside, "--json", cwd=files).out)
    assert named["losses"] == whole["losses"]
    np.save(files / "W.npy", np.load(files / "W.npy") + 1)
    changed = xent_here(*parts, cwd=files)
    assert changed.code == 2
    assert "the head is not what these facts are of" in changed.err


@pytest.mark.slow
def test_processes_give_the_same_bytes(files):
    """Workers read the head themselves."""
    command = ("compute", "h.npy", "y.npy", "--head", "W.npy", "--json")
    assert xent_here(*command, "--jobs", "2", cwd=files).out == xent_here(*command, cwd=files).out


def test_a_head_the_other_way_round_is_turned_by_the_hint(files):
    """The hint is a command that works when it is pasted."""
    found = xent_here("compute", "h.npy", "y.npy", "--head", "turned.npy", cwd=files)
    assert found.code == 2
    assert "np.load('turned.npy').T" in found.err.replace("'\"'\"'", "'")
    assert "xent compute h.npy y.npy --head head-turned.npy" in found.err
