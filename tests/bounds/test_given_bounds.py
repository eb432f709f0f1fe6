"""The bounds of given probabilities and log-probabilities are sound and tight, in every format and option."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from xentcli import compute
from xentcli.numbers.precision import PRECISIONS

SEEDS = range(1)
GIVEN = {
    "log-probabilities": lambda logits: logits.log_softmax(1),
    "probabilities": lambda logits: logits.softmax(1),
}
WIDTHS = (1.0, 10.0, 60.0, 400.0)  # of the logits: from ordinary ones to all that underflows
OPTIONS = {
    "plain": {},
    "weights": {"weight": True},
    "smoothing": {"label_smoothing": 0.1},
    "weights and smoothing": {"weight": True, "label_smoothing": 0.3},
    "shares": {"shares": True},
    "weights, smoothing and shares": {"weight": True, "label_smoothing": 0.1, "shares": True},
}


def drawn(seed, width, inner, dtype, given):
    generator = torch.Generator().manual_seed(seed)
    shape = (24, 11, inner) if inner else (240, 11)
    logits = width * torch.randn(shape, generator=generator, dtype=torch.float64)
    numbers = GIVEN[given](logits).to(getattr(torch, dtype))
    labels = torch.randint(11, (24, inner) if inner else (240,), generator=generator)
    labels.view(-1)[::7] = -100
    shares = torch.rand(shape, generator=generator).softmax(1).to(numbers.dtype)
    weight = torch.rand(11, generator=generator).to(numbers.dtype)
    return numbers, labels, shares, weight


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_torch_is_never_wrong(dtype, given, options):
    """Else a right loss fails in somebody's checks; the widest logits underflow in all formats, at each reduction."""
    for seed in SEEDS:
        for width in WIDTHS:
            for inner in (0, 5):
                numbers, labels, shares, weight = drawn(seed, width, inner, dtype, given)
                asked = {name: value for name, value in options.items() if name != "shares"}
                if "weight" in asked:
                    asked["weight"] = weight
                target = shares if "shares" in options else labels
                for reduction in ("none", "mean", "sum"):
                    report = compute(numbers, target, input=given, reduction=reduction, rows=0, **asked)
                    paths = (report.losses.library, report.losses.manual)
                    case = (seed, width, inner, reduction, report.summary)
                    assert not any(path.rows.get("wrong") or path.status == "wrong" for path in paths), case


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_library_is_torchs_own_number(dtype, given, reduction):
    """Else the report's number is not the one that somebody's `nll_loss` prints."""
    numbers, labels, _, weight = drawn(1, 2.0, 0, dtype, given)
    logs = numbers if given == "log-probabilities" else numbers.log()
    own = functional.nll_loss(logs, labels, weight, reduction=reduction)
    report = compute(numbers, labels, input=given, reduction=reduction, weight=weight)
    assert report.losses.library.value == own.item()
    assert report.verdict == "holds"


@pytest.mark.parametrize(("dtype", "units"), [("float64", 12), ("float32", 12), ("bfloat16", 6), ("float16", 6)])
@pytest.mark.parametrize("given", GIVEN)
def test_the_bounds_are_tight(dtype, units, given):
    """Else anything is within: of an ordinary loss a few roundings are allowed, and of a given logarithm none."""
    numbers, labels, *_ = drawn(2, 1.0, 0, dtype, given)
    report = compute(numbers, labels, input=given, reduction="none", rows=240)
    roundoff = PRECISIONS[dtype].unit_roundoff
    assert report.losses.library.worst is not None
    worst = max(report.losses.library.worst.allowed, report.losses.manual.worst.allowed)
    assert worst <= 4 * units * roundoff
    if given == "log-probabilities":
        assert report.losses.library.worst.allowed == 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_the_edge_of_underflow_is_explained(dtype):
    """Else exp of a log-probability that is just representable, or just not, is called wrong; every number near it."""
    edge = {"float32": 103.97, "float64": 745.13, "float16": 17.33, "bfloat16": 92.88}[dtype]
    logs = -torch.linspace(edge - 17, edge + 2, 20_000, dtype=torch.float64).to(getattr(torch, dtype))
    numbers = torch.stack([torch.zeros_like(logs), logs], dim=1)
    report = compute(numbers, np.ones(20_000, np.int64), input="log-probabilities", reduction="none", rows=0)
    assert not report.losses.manual.rows.get("wrong")
    assert report.losses.manual.rows["underflow"] > 0
    assert report.losses.library.rows == {"within": 20_000}
