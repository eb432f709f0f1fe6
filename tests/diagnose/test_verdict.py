"""Each finding on both sides of its condition, with the words that a user needs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import xentcli

INF = math.inf


def codes(report: xentcli.Report) -> list[str]:
    return [finding.code for finding in report.findings]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    # code: a call that fires it, a near miss that does not, words of the message or the hint
    "softmax-underflow": (
        {"logits": torch.tensor([[0.0, 104.0]]), "labels": torch.tensor([0])},
        {"logits": torch.tensor([[0.0, 103.0]]), "labels": torch.tensor([0])},
        ("e^-103.28", "row 0 is 104", "--dtype float64", "library"),
    ),
    "library-reduction-overflow": (
        {"logits": torch.zeros(65520, 2).half(), "labels": torch.zeros(65520, dtype=torch.long)},
        {"logits": torch.zeros(65519, 2).half(), "labels": torch.zeros(65519, dtype=torch.long)},
        ("gives 0.0", "0.693147", "the number of samples", "float16", "65504"),
    ),
    "library-overflow": (
        {"logits": torch.zeros(1, 65520).half(), "labels": torch.tensor([0])},
        {"logits": torch.zeros(1, 60000).half(), "labels": torch.tensor([0])},
        ("float16", "65504"),
    ),
    "nan-loss": (
        {"logits": torch.tensor([[0.0, math.nan], [0.0, 0.0]]), "labels": torch.tensor([0, 1])},
        {"logits": torch.tensor([[0.0, math.nan], [0.0, 0.0]]), "labels": torch.tensor([-100, 1])},
        ("1 of 2 rows", "1 logits are NaN"),
    ),
    "zero-weight": (
        {"logits": torch.zeros(1, 2), "labels": torch.tensor([0]), "weight": torch.tensor([0.0, 1.0])},
        {"logits": torch.zeros(1, 2), "labels": torch.tensor([1]), "weight": torch.tensor([0.0, 1.0])},
        ("add up to 0", "--reduction sum"),
    ),
    "infinite-loss": (
        {"logits": torch.tensor([[0.0, -INF]]), "labels": torch.tensor([1])},
        {"logits": torch.tensor([[0.0, -INF]]), "labels": torch.tensor([0])},
        ("1 of 1 rows", "-inf", "probability 0"),
    ),
    "nothing-counted": (
        {"logits": torch.zeros(1, 2), "labels": torch.tensor([-100])},
        {"logits": torch.zeros(1, 2), "labels": torch.tensor([0])},
        ("all 1 samples are ignored",),
    ),
    "sixteen-bit-accumulation": (
        {"logits": torch.zeros(1000, 10).bfloat16(), "labels": torch.zeros(1000, dtype=torch.long)},
        {"logits": torch.zeros(8, 10).bfloat16(), "labels": torch.zeros(8, dtype=torch.long)},
        ("bfloat16", "lost on the way", "bit for bit"),
    ),
    "manual-wrong": (
        {"logits": torch.tensor([[0.0, 100.0]]), "labels": torch.tensor([0]), "atol": 1e-3, "reduction": "none"},
        {"logits": torch.tensor([[0.0, 100.0]]), "labels": torch.tensor([0]), "atol": 1.0, "reduction": "none"},
        ("outside the given tolerance", "1 of 1 rows"),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_a_finding_fires_where_it_should(code: str) -> None:
    """The words say what is the matter with this very input."""
    call, _, words = CASES[code]
    report = xentcli.compute(**call)
    (finding,) = [finding for finding in report.findings if finding.code == code]
    for word in words:
        assert word in finding.message + finding.hint


@pytest.mark.parametrize("code", CASES)
def test_a_finding_is_silent_next_to_its_condition(code: str) -> None:
    """A false alarm is worse than a miss."""
    assert code not in codes(xentcli.compute(**CASES[code][1]))


def test_an_underflow_of_the_textbook_is_told_and_no_fault() -> None:
    """The logits are right and torch is right: a build must not fail over what a third way of computing cannot do."""
    report = xentcli.compute(torch.tensor([[0.0, 120.0]]), torch.tensor([0]))
    assert (report.losses.library.status, report.losses.manual.status) == ("within", "underflow")
    assert report.verdict == "holds"
    assert report.summary == (
        "library is within rounding of the true mean 120.00000; manual underflows in 1 of 1 rows; "
        "1 warning: softmax-underflow"
    )
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 1)


def test_an_ignored_sample_has_no_say() -> None:
    """NaN in the padding must not alarm anybody."""
    logits = torch.tensor([[math.nan, 0.0], [0.0, 0.0]])
    report = xentcli.compute(logits, torch.tensor([-100, 1]))
    assert report.verdict == "holds"
    assert codes(report) == []


def test_the_cast_is_told_apart_from_the_computation() -> None:
    """bfloat16 moves the true loss; that is no error of a path that computes with the moved logits."""
    logits = torch.tensor([[1.001, 0.0, 2.002]])
    report = xentcli.compute(logits, torch.tensor([0]), dtype="bfloat16")
    assert report.cast is not None
    moved = torch.nn.functional.cross_entropy(logits.bfloat16().double(), torch.tensor([0]))
    stored = torch.nn.functional.cross_entropy(logits.double(), torch.tensor([0]))
    assert report.cast.effect == pytest.approx((moved - stored).item(), rel=1e-9)
    assert report.cast.lower <= report.cast.effect <= report.cast.upper
    assert report.verdict == "holds"
    assert xentcli.compute(logits, torch.tensor([0]), dtype="float64").cast is None


def test_a_masked_class_with_probability_zero_is_nan_as_in_torch() -> None:
    """Zero times infinity: both paths and the definition say NaN, and the words say why."""
    report = xentcli.compute(torch.tensor([[0.0, -INF]]), torch.tensor([[1.0, 0.0]]))
    assert math.isnan(report.losses.library.value or 0.0)
    assert report.losses.library.status == "nan"
    assert "masked" in report.findings[0].message
    assert report.verdict == "fails"


def test_strict_makes_warnings_count() -> None:
    """An infinite loss agrees with the truth; --strict still stops the build."""
    report = xentcli.compute(torch.tensor([[0.0, -INF]]), torch.tensor([1]))
    assert report.verdict == "holds"
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 1)
