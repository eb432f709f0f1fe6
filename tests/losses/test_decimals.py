"""Rounding an interval to decimal digits, and the search for an interval narrow enough."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.losses.digits import ATTEMPTS, decide_digits, decimal


def shrinking(value: Fraction, precisions: list[int]):
    """Encloses `value` as an irrational number is enclosed, and notes the precisions asked for."""

    def enclose(bits: int) -> tuple[Fraction, Fraction]:
        precisions.append(bits)
        return value - Fraction(1, 2**bits), value + Fraction(1, 2**bits)

    return enclose


def test_search_doubles_until_the_ends_agree():
    """A number close to a tie costs a few more bits, not a wrong digit."""
    precisions: list[int] = []
    assert decide_digits(shrinking(Fraction(1, 8) + Fraction(1, 2**200), precisions), 2) == "0.13"
    assert precisions == [64, 128, 256]


def test_search_ends_at_a_hairline_tie():
    """An interval around a tie never decides, and the run must not hang."""
    precisions: list[int] = []
    assert decide_digits(shrinking(Fraction(1, 8), precisions), 2) is None
    assert precisions == [64, 128, 256, 512]
    assert len(precisions) == ATTEMPTS


def test_search_decides_an_exact_tie_at_once():
    """Equal ends leave nothing to refine: half goes to even."""
    assert decide_digits(lambda _: (Fraction(1, 8), Fraction(1, 8)), 2) == "0.12"


@pytest.mark.parametrize(
    ("lower", "upper", "count", "expected"),
    [
        ("0.125", "0.125", 2, "0.12"),
        ("0.375", "0.375", 2, "0.38"),
        ("-0.125", "-0.125", 2, "-0.12"),
        ("0.125", "0.1250001", 2, None),
        ("0.1250001", "0.1250002", 2, "0.13"),
        ("0.99949", "0.9995", 3, None),
        ("0.9995", "0.9995", 3, "1.00"),
        ("0.9996", "0.9997", 3, "1.00"),
        ("0.9996", "1.0001", 3, "1.00"),
        ("0.9994", "0.9996", 3, None),
        ("99.96", "99.99", 3, "100"),
        ("119.99999", "120.00001", 6, "120.000"),
        ("120", "120", 6, "120"),
        ("120", "120.0000001", 6, "120.000"),
        ("120", "120", 2, "120"),
        ("123456", "123456", 3, "123000"),
        ("0", "0", 17, "0"),
        ("0", "1e-5000", 17, None),
        ("-1e-30", "1e-30", 1, None),
        ("-2.5", "-2.5", 17, "-2.5"),
        ("0.1", "0.1", 1, "0.1"),
        ("1e-7", "1e-7", 5, "0.0000001"),
        ("1.25e-7", "1.25e-7", 5, "0.000000125"),
        ("9.99e-8", "9.99e-8", 5, "9.99e-8"),
        ("9.99e-8", "9.9901e-8", 3, "9.99e-8"),
        ("999999999999999999999", "999999999999999999999", 21, "999999999999999999999"),
        ("999999999999999999999", "999999999999999999999", 20, "1.0000000000000000000e+21"),
        ("1e21", "1e21", 5, "1e+21"),
        ("1e-5000", "1e-5000", 5, "1e-5000"),
    ],
)
def test_decimals(lower, upper, count, expected):
    """Ties, carries, exact ends, and both sides of where the e begins."""
    assert decimal(Fraction(lower), Fraction(upper), count) == expected


@given(
    st.fractions().filter(bool) | st.floats(allow_nan=False, allow_infinity=False).filter(bool).map(Fraction),
    st.integers(1, 40),
)
def test_decimal_is_the_nearest_one(number, count):
    """Read back, the digits are within half a unit of the last place, even at a tie, and shorter only if exact."""
    text = decimal(number, number, count)
    printed = Fraction(text)
    exponent = Decimal(text).adjusted()
    unit = Fraction(10) ** (exponent - count + 1)
    assert printed % unit == 0
    assert abs(printed - number) <= unit / 2
    if abs(printed - number) == unit / 2:
        assert printed / unit % 2 == 0
    if printed != number and exponent < count:
        mantissa = text.lstrip("-").split("e")[0].replace(".", "").lstrip("0")
        assert len(mantissa) == count


def test_more_digits_than_python_prints_of_an_integer():
    """Python refuses to print integers of more than 4300 digits; losses have no such limit."""
    assert decimal(Fraction(1, 3), Fraction(1, 3), 5000) == "0." + "3" * 5000
