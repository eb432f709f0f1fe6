"""Claims: which real numbers a printed number stands for."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import UsageError
from xentcli.question.claims import Claim

LN2 = (Fraction("0.6931471805599453094171"), Fraction("0.6931471805599453094174"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("0.693147", True),
        ("0.693148", False),
        ("0.7", True),
        (".69", True),
        ("6.931e-1", True),
        ("69.3e-2", True),
        ("1", True),
        ("0", False),
        ("-0.693", False),
        ("0.69314718055994530942", True),
        ("0.6931471805599453094172", None),
        ("nan", False),
        ("inf", False),
    ],
)
def test_a_claim_is_its_printed_digits(text: str, holds: bool | None) -> None:
    """More digits claim more; where the enclosure straddles the edge of the last digit nothing is certain."""
    assert Claim.parse(text).holds(LN2, None, None) is holds


@pytest.mark.parametrize(("text", "truth", "holds"), [
    ("nan", math.nan, True), ("NaN", math.inf, False), ("inf", math.inf, True), ("-inf", math.inf, False),
    ("Infinity", math.inf, True), ("3.2", math.nan, False), ("3.2", math.inf, False),
])  # fmt: skip
def test_claims_that_are_no_numbers(text: str, truth: float, holds: bool) -> None:
    """A loss of nan is what it is, and a user may say so."""
    assert Claim.parse(text).holds(truth, None, None) is holds


@pytest.mark.parametrize("text", ["", "three", "1,5", "0x1p3", "1e99999999", "1_000", "1.2.3", "٣"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """A typing error must not become a claim that fails for another reason; 1e99999999 must not take all memory."""
    with pytest.raises(UsageError, match="is no number"):
        Claim.parse(text)


@given(st.fractions(-1000, 1000), st.integers(0, 12))
def test_a_correctly_rounded_number_holds_and_its_neighbour_does_not(value: Fraction, places: int) -> None:
    """Whatever Python prints with so many decimals is a claim that holds; one unit off is one that does not."""
    unit = Fraction(1, 10**places)
    rounded = round(value / unit)
    for steps, holds in ((0, True), (2, False), (-2, False)):
        digits = abs(rounded + steps)
        sign = "-" if rounded + steps < 0 else ""
        text = f"{sign}{digits // 10**places}.{digits % 10**places:0{places}d}" if places else f"{sign}{digits}"
        assert Claim.parse(text).holds((value, value), None, None) is holds


@pytest.mark.parametrize(("rtol", "atol", "holds"), [
    (0.01, None, True), (1e-4, None, False), (None, 0.01, True), (None, 1e-4, False), (1e-4, 0.01, True),
])  # fmt: skip
def test_a_tolerance_replaces_the_digits(rtol: float | None, atol: float | None, holds: bool) -> None:
    """With --rtol or --atol a claim of any number of digits is as good as the tolerance says."""
    assert Claim.parse("0.697000000").holds(LN2, rtol, atol) is holds


@pytest.mark.parametrize(
    "text",
    [
        "tensor(0.6931)", "tensor(0.6931, grad_fn=<NllLossBackward0>)", "tensor(0.6931, dtype=torch.float64)",
        "tensor(0.6931, device='cuda:0', grad_fn=<NllLossBackward0>)", "torch.tensor(0.6931)", "np.float32(0.6931)",
        "np.float64(0.6931)", "float32(0.6931)", " 0.6931 nats", "0.6931nat", "tensor(0.6931) nats", ".6931 NATS",
    ],
)  # fmt: skip
def test_a_number_copied_from_a_program_is_read(text: str) -> None:
    """Nobody strips by hand what a notebook shows."""
    assert Claim.parse(text).value == Fraction("0.6931")


def test_a_shown_nan_is_nan() -> None:
    """The loss that most needs a check."""
    assert math.isnan(Claim.parse("tensor(nan, grad_fn=<NllLossBackward0>)").value)


@pytest.mark.parametrize(
    "text",
    ["tensor([0.69])", "tensor(0.69", "sensor(0.69)", "nats", "0.69 bits", "3" * 1001, "tensor()", "x 0.69 nats"],
)
def test_what_only_resembles_a_shown_number_is_refused(text: str) -> None:
    """A list is not a loss, bits are not nats, and thousands of digits are no print of a loss."""
    with pytest.raises(UsageError, match="is no number") as caught:
        Claim.parse(text)
    assert len(str(caught.value)) < 300
