"""Claims: which real numbers a printed number stands for."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import UsageError
from xentcli.question.claims import Claim, reading, shortened

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


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 17))
def test_what_prints_a_value_is_shown_by_it(value: float, digits: int) -> None:
    """A loss copied from a log, in whatever form, is that loss; one unit beside it is another."""
    for text in (repr(value), str(np.float32(value)), f"{value:.{digits}g}", f"tensor({value:.4f})"):
        assert Claim.parse(text).shows(value), text
    beside = Decimal(f"{value:.{digits}e}")
    unit = Decimal((0, (1,), int(beside.as_tuple().exponent)))
    if beside + 2 * unit != Decimal(repr(value)):  # with more digits than repr has, it is that very number
        assert not Claim.parse(str(beside + 2 * unit)).shows(value)


@pytest.mark.parametrize("power", [-1017, -957, -44, 89, 976])
def test_a_power_of_two_is_shown_by_its_shortest_text(power: int) -> None:
    """There the shortest number that reads back is more than half a digit away."""
    value = 2.0**power
    assert abs(Fraction(repr(value)) - Fraction(value)) > Claim.parse(repr(value)).half_unit
    assert Claim.parse(repr(value)).shows(value)


@pytest.mark.parametrize(("text", "value", "shows"), [
    ("nan", math.nan, True), ("inf", math.inf, True), ("-inf", math.inf, False), ("1.0", math.inf, False),
    ("inf", 1.0, False), ("0.5", 0.45, True), ("0.4", 0.45, False), ("0.125", 0.125, True), ("0.12", 0.125, True),
    ("0.13", 0.125, True), ("0.14", 0.125, False),
])  # fmt: skip
def test_what_a_value_may_be_printed_as(text: str, value: float, shows: bool) -> None:
    """Half up and half to even are both in use."""
    assert Claim.parse(text).shows(value) is shows


@pytest.mark.parametrize(("text", "told"), [
    ("3", " to its 1 digit: 2.5 to 3.5"), ("0.2", " to its 1 digit: 0.15 to 0.25"),
    ("0", " to its 1 digit: -0.5 to 0.5"), ("-3.", " to its 1 digit: -3.5 to -2.5"),
    ("1e999", " to its 1 digit: 5e+998 to 1.5e+999"),
    ("5e-324", " to its 1 digit: 4.5e-324 to 5.5e-324"), ("tensor(3.)", " to its 1 digit: 2.5 to 3.5"),
    ("3.0", ""), ("2.3026", ""), ("nan", ""), ("-inf", ""),
])  # fmt: skip
def test_a_claim_of_one_digit_says_what_it_leaves_open(text: str, told: str) -> None:
    """`--expect 3` holds for 2.5, which surprises."""
    assert reading(text) == told


def test_a_long_claim_is_shortened() -> None:
    """Sentences repeat a claim; 400 nines are no sentence."""
    assert shortened("2.3026") == "2.3026"
    assert shortened("9" * 400) == f"{'9' * 20}…{'9' * 20} (400 characters)"


@given(st.integers(1, 40), st.integers(-400, 400))
def test_the_digits_of_a_claim(digits: int, exponent: int) -> None:
    """Zeros before the first digit are none, zeros after it are."""
    assert Claim.parse(f"1{'0' * (digits - 1)}e{exponent}").digits == digits
    assert Claim.parse(f"0.00{'1' * digits}").digits == digits
