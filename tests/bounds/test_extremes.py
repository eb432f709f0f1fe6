"""Numbers at the ends of the formats: what is certified of them is true, and torch's own values are no faults."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from arb_losses import contains, true_loss
from torch.nn import functional

import xentcli
from xentcli.bounds import probe
from xentcli.errors import CertificateError, InputError, UsageError, XentError
from xentcli.losses import kernels

LARGEST = 1.7976931348623157e308
BALANCED = torch.arange(4000) % 4


def normal(rows: int, classes: int, dtype=torch.float64) -> torch.Tensor:
    return (torch.randn(rows, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3).to(dtype)


def case(logits, target, dtype=torch.float64, *, weight=None, **options):
    logits = logits if isinstance(logits, torch.Tensor) else torch.tensor(logits, dtype=dtype)
    weight = None if weight is None else torch.tensor(weight, dtype=logits.dtype)
    target = target if isinstance(target, torch.Tensor) else torch.tensor(target)
    target = target.to(logits.dtype) if target.is_floating_point() else target
    return {"logits": logits, "labels": target, "weight": weight, **options}


WIDE = normal(3000, 10)
WIDE[7, :2] = torch.tensor([1.7e308, -1.7e308], dtype=torch.float64)
WIDE_LABELS = torch.arange(3000) % 10
WIDE_LABELS[7] = 1

# What is asked, and the statuses that the two paths may have; the truth is Arb's.
FAULTS = {
    "a share that is subnormal": (case([[0, -3e38]], [0], torch.float32, label_smoothing=1e-44), "within underflow"),
    "a share that is no number of the format": (
        case([[0, -30, -110]], [0], torch.float32, label_smoothing=1e-300), "within underflow",
    ),
    "a share that float64 cannot hold": (case([[0, -30, -110]], [0], label_smoothing=5e-324), "within within"),
    "a product that overflows before its weight": (
        case([[0, -30, -60000.0]], [[0, 0, 10.0]], torch.float16, weight=[1e-3] * 3), "overflow underflow",
    ),
    "a smooth part that overflows before its share": (
        case([[-65504, -5.91]], [1], torch.float16, weight=[0.1, 6e-8], label_smoothing=1e-8), "overflow underflow",
    ),
    "an overflow times nothing": (
        case([[0, -9.0]], [1], torch.float16, weight=[60000, 6e4], label_smoothing=1.0), "overflow overflow",
    ),
    "weights that cancel": (
        case(normal(4000, 4, torch.float32), BALANCED, weight=[1.1, -1.1, 0.7, -0.7 + 1e-7]), "within within",
    ),
    "weights that cancel to nothing": (
        case(normal(3, 3, torch.float32), [0, 1, 2], weight=[1, 2**-30, -1]), "within within",
    ),
    "the smallest weight": (case([[0, 1.0, 2]], [1], weight=[1, 5e-324, 1]), "within within"),
    "weights beyond float64 in sum": (case([[0.0], [1.0]], [0, 0], weight=[1e308]), "within within"),
    "the smallest probabilities": (case(normal(3, 1000), torch.full((3, 1000), 5e-324, dtype=torch.float64)),
                                   "within within"),
    "a product of coefficients below float64": (
        case(normal(3, 10), torch.full((3, 10), 1e-20), weight=[1e-300] * 10), "within within",
    ),
    "a product of coefficients beyond float64": (
        case([[0.61], [745.2]], [[10.0], [0.0]], weight=[1e308], reduction="sum"), "within within",
    ),
    "a row that spans more than float64": (case(WIDE, WIDE_LABELS), "overflow overflow"),
    "a weighted row that spans more than float64": (
        case(WIDE, WIDE_LABELS, weight=[1, 0.5, 2, 1, 1, 1, 1, 1, 1, 1]), "overflow underflow",
    ),
    "a loss beyond float64 in a mean that is not": (case([[1.7e308, -1.7e308], [0, 0]], [1, 0]), "overflow overflow"),
    "a sum beyond float64 whose mean is not": (case([[1e308, 0], [1e308, 0]], [1, 1]), "overflow underflow"),
    "a sum beyond float64": (case([[1e308, 0], [1e308, 0]], [1, 1], reduction="sum"), "overflow underflow"),
    "the largest logit": (case([[LARGEST, 745.2, 30]], [2]), "within underflow"),
    "the smallest logits": (case([[5e-324, -5e-324], [-5e-324, 5e-324]], [0, 0]), "within within"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_extremes_are_enclosed_and_explained(fault: str) -> None:
    """A certificate over a false number, or an alarm over torch's own rounding, is worth less than none."""
    asked, statuses = FAULTS[fault]
    report = xentcli.compute(**asked)
    reference = report.losses.reference
    truth = true_loss(
        asked["logits"], asked["labels"], asked["weight"], asked.get("label_smoothing", 0.0),
        asked.get("reduction", "mean"),
    )  # fmt: skip
    assert contains(reference.lower, reference.upper, truth)
    assert reference.lower < math.inf
    assert reference.upper > -math.inf
    assert reference.decimal is not None
    assert (report.losses.library.status, report.losses.manual.status) == tuple(statuses.split())


def test_what_weights_cancel_is_said() -> None:
    """A mean of which rounding left no digit must not look like any other."""
    asked, _ = FAULTS["weights that cancel"]
    assert "cancelling-weights" in {finding.code for finding in xentcli.compute(**asked).findings}
    asked, _ = FAULTS["weights that cancel to nothing"]
    report = xentcli.compute(**asked)
    assert report.verdict == "undecided"
    assert report.summary.startswith("library cannot be judged: rounding in float32 may move its mean by any amount")


@pytest.mark.parametrize("index", [2**63, -(2**63) - 1, 2**64, 10**30])
def test_an_ignore_index_that_no_label_can_be_is_refused(index: int) -> None:
    """torch would end in a riddle about a long long."""
    with pytest.raises(UsageError, match="ignore_index is out of range"):
        xentcli.compute(torch.zeros(1, 2), torch.zeros(1).long(), ignore_index=index)


@pytest.mark.parametrize("index", [2**63 - 1, -(2**63)])
def test_the_outermost_ignore_indices_are_taken(index: int) -> None:
    """They are labels like others."""
    report = xentcli.compute(torch.zeros(2, 2), torch.tensor([0, index]), ignore_index=index)
    assert report.counts.ignored == 1


def test_a_weight_beyond_the_format_is_refused() -> None:
    """It would be infinite for the paths and a number for the truth."""
    with pytest.raises(XentError, match="a class weight is beyond float32"):
        xentcli.compute(torch.zeros(1, 2), torch.zeros(1).long(), weight=np.array([1.0, 1e300]), dtype="float32")


FLUSHED = {
    "a loss that is subnormal": case([[0, -720.0]], [0]),
    "weights that are subnormal": case([[0, -1.0]], [1], torch.float32, weight=[1e-40, 1e-40]),
    "probabilities that are subnormal": case([[0, -1.0]], [[1e-40, 1e-40]], torch.float32),
    "logits that are subnormal": case([[0, 1e-320]], [1]),
}


@pytest.mark.parametrize("fault", FLUSHED)
def test_the_truth_is_not_flushed(fault: str) -> None:
    """torch.set_flush_denormal makes torch's numbers worse, and must not make the certificate false."""
    asked = FLUSHED[fault]
    torch.set_flush_denormal(True)
    try:
        report = xentcli.compute(**asked)
        assert math.ldexp(1.0, -1074) * float("1") == 0.0  # as the caller had it
    finally:
        torch.set_flush_denormal(False)
    reference, library = report.losses.reference, report.losses.library
    assert contains(
        reference.lower, reference.upper, true_loss(*(asked[n] for n in ("logits", "labels", "weight")), 0.0, "mean")
    )
    assert reference.lower > 0.0
    assert library.status == "within"
    assert report.verdict == ("undecided" if "weights" in fault else report.verdict)


@pytest.fixture
def fresh_probe():
    probe.check_paths.cache_clear()
    yield
    probe.check_paths.cache_clear()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2)])
def test_torchs_kernels_are_those_that_the_bounds_assume(dtype: str, shape, fresh_probe) -> None:
    """Else nothing here is certified of anything."""
    xentcli.compute(torch.zeros(shape, dtype=getattr(torch, dtype)), torch.zeros(shape[:1] + shape[2:]).long())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_another_kernel_is_not_believed(dtype: str, fresh_probe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of torch that rounds elsewhere would be judged by the wrong bounds."""
    right = torch.log_softmax

    def coarser(logits, dim):
        return right(logits.half() if dtype == "float32" else logits.float(), dim).to(logits.dtype)

    monkeypatch.setattr(torch, "log_softmax", coarser)
    asked = {"logits": torch.zeros(2, 3, dtype=getattr(torch, dtype)), "labels": torch.zeros(2).long()}
    with pytest.raises(CertificateError, match="is not the one that the bounds were derived for"):
        xentcli.compute(**asked)
    xentcli.compute(**asked, reference="off")


def test_another_rounding_mode_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bound is one of rounding to nearest."""
    monkeypatch.setattr(kernels, "UNIT_IN_LAST_PLACE", 2.0**-51)
    with pytest.raises(CertificateError, match="does not round to nearest"):
        kernels.check_kernels()


POOLS = {
    "float64": (
        (
            0.0,
            1.0,
            -1.0,
            5e-324,
            -5e-324,
            1e-310,
            1.7e308,
            -1.7e308,
            LARGEST,
            1e300,
            -1e300,
            745.2,
            -745.2,
            -110.0,
            30.0,
        ),
        (1.0, 1e-300, 1e-320, 5e-324, 1e300, 1e308, 1e-10, 0.1, 0.0, 2.0**-30, 3.0),
    ),
    "float32": (
        (0.0, 1.0, -1.0, 1e-45, 1e-39, 3.4e38, -3.4e38, 1e30, -104.0, -103.0, -87.5, 30.0, -30.0),
        (1.0, 1e-45, 1e-39, 1e-20, 1e30, 3e38, 0.1, 0.0, 2.0**-30, 3.0),
    ),
    "bfloat16": (
        (0.0, 1.0, -1.0, 1e-39, 3.3e38, -3.3e38, 1e30, -104.0, -92.5, -87.5, 30.0),
        (1.0, 1e-39, 1e-20, 1e30, 3e38, 0.1, 0.0, 3.0),
    ),
    "float16": (
        (0.0, 1.0, -1.0, 6e-8, 65504.0, -65504.0, 3e4, -6000.0, -17.3, -16.6, 10.0, 30.0),
        (1.0, 6e-8, 1e-3, 1e-4, 0.1, 0.0, 10.0, 6e4, 3.0),
    ),
}
SHARES = (0.0, 0.0, 0.0, 0.1, 1e-44, 1e-300, 5e-324, 1e-8, 1e-39, 1.0, 0.9999999999999999, 1e-20)


def drawn(rng: random.Random) -> dict:
    """Some samples whose numbers are mostly extreme, with options that are."""
    name = rng.choice(list(POOLS))
    logits, factors = POOLS[name]
    dtype, rows, classes = getattr(torch, name), rng.randint(1, 4), rng.randint(1, 4)
    mild = rng.random() < 0.7

    def values(pool, *shape) -> torch.Tensor:
        flat = [rng.gauss(0, 3) if mild and pool is logits and rng.random() < 0.5 else rng.choice(pool)
                for _ in range(math.prod(shape))]  # fmt: skip
        return torch.tensor(flat, dtype=torch.float64).reshape(shape).to(dtype)

    soft = rng.random() < 0.4
    weight = values(factors, classes) if rng.random() < 0.5 else None
    if weight is not None and rng.random() < 0.25:
        weight = weight * torch.tensor([rng.choice((1, -1)) for _ in range(classes)], dtype=dtype)
    return {
        "logits": values(logits, rows, classes),
        "labels": values(factors, rows, classes).clamp(max=1e4) if soft
        else torch.tensor([rng.randrange(classes) for _ in range(rows)]),
        "weight": weight,
        "label_smoothing": rng.choice(SHARES),
        "reduction": rng.choice(("mean", "sum")),
        "reference": rng.choice(("fast", "exact")),
    }  # fmt: skip


def check_drawn(rng: random.Random) -> None:
    asked = drawn(rng)
    try:
        report = xentcli.compute(**asked)
    except InputError:  # a few rows of target probabilities that look like logits
        assert asked["labels"].is_floating_point()
        return
    truth = true_loss(*(asked[name] for name in ("logits", "labels", "weight", "label_smoothing", "reduction")))
    if truth is None:
        return
    losses, reference = report.losses, report.losses.reference
    assert contains(reference.lower, reference.upper, truth), (asked, reference, truth)
    for name, path in (("library", losses.library), ("manual", losses.manual)):
        assert path.status != "wrong", (name, asked, path, truth)
    unproven = losses.library.status == "within" and losses.library.allowed in {None, math.inf}
    assert report.verdict == "undecided" or not unproven, (asked, losses.library, truth)


def test_drawn_extremes_are_enclosed_and_explained() -> None:
    """The list above is of what was met; these are what will be."""
    rng = random.Random(0)
    for _ in range(150):
        check_drawn(rng)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_many_drawn_extremes_are_enclosed_and_explained(seed: int) -> None:
    """The same for long."""
    rng = random.Random(seed)
    for _ in range(2500):
        check_drawn(rng)


def test_the_smallest_share_is_what_torch_makes_of_it() -> None:
    """The value that was called wrong is torch's."""
    logits, labels = torch.tensor([[0, -3e38]]), torch.tensor([0])
    value = functional.cross_entropy(logits, labels, label_smoothing=1e-44)
    assert xentcli.compute(logits, labels, label_smoothing=1e-44).losses.library.value == value.item()
