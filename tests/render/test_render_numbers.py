"""Numbers as they are printed: losses read back, errors keep their order, no probability becomes 0 or 1."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xentcli.numbers.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, PRECISIONS, Precision
from xentcli.render.numbers import against, brief, certain, nearest, probability, rounded, shortest, telling_digits

FLOAT32_BITS = st.integers(0, 2**32 - 1).map(lambda bits: np.uint32(bits).view(np.float32))
FLOAT64_BITS = st.integers(0, 2**64 - 1).map(lambda bits: np.uint64(bits).view(np.float64))
MAGNITUDES = st.floats(0.0, allow_infinity=False, allow_nan=False)


def significant_digits(text: str) -> int:
    """How many digits a decimal has from its first to its last that is not 0."""
    return len(text.lower().lstrip("-").split("e")[0].replace(".", "").strip("0"))


@pytest.mark.parametrize("precision", [BFLOAT16, FLOAT16], ids=lambda precision: precision.name)
def test_every_number_of_16_bits_reads_back_in_torch_and_has_no_digit_too_many(precision: Precision) -> None:
    """A reader who pastes a loss into torch gets another number, or takes 2.296875 for six digits that are known."""
    dtype = getattr(torch, precision.name)
    numbers = torch.arange(1, 2**15, dtype=torch.int16).view(dtype)  # the positive ones
    numbers = numbers[torch.isfinite(numbers)]
    values = numbers.double().tolist()
    texts = [shortest(value, precision) for value in values]
    assert torch.equal(read(texts, dtype), numbers)
    digits = [significant_digits(text) for text in texts]
    shorter = [f"{value:.{max(count - 1, 1)}g}" for value, count in zip(values, digits, strict=True)]
    reads_back = read(shorter, dtype) == numbers
    assert not (reads_back & (torch.tensor(digits) > 1)).any()


def read(texts: list[str], dtype: torch.dtype) -> torch.Tensor:
    """The texts, as torch reads them."""
    return torch.tensor([float(text) for text in texts], dtype=torch.float64).to(dtype)


@given(FLOAT32_BITS)
def test_float32_reads_back_and_is_as_short_as_numpys(value: np.float32) -> None:
    """A float32 loss is printed with the noise of its float64 spelling, or loses its last bit."""
    text = shortest(float(value), FLOAT32)
    with np.errstate(over="ignore"):
        assert np.array_equal(np.float32(text), value, equal_nan=True)
    assert not math.isfinite(value) or significant_digits(text) <= significant_digits(str(value)) + is_power_of_two(
        value
    )


@given(FLOAT64_BITS)
def test_float64_reads_back_and_is_as_short_as_pythons(value: np.float64) -> None:
    """A float64 loss or total loses its last bit."""
    text = shortest(float(value), FLOAT64)
    assert np.array_equal(float(text), value, equal_nan=True)
    assert significant_digits(text) <= significant_digits(repr(float(value))) or not math.isfinite(value)


def is_power_of_two(value: np.float32) -> bool:
    """Below a power of two numbers lie closer than above it: the nearest short decimal may be on the wrong side."""
    return abs(math.frexp(value)[0]) == 0.5


@pytest.mark.parametrize(
    ("value", "precision", "text"),
    [
        (2.3025851249694824, FLOAT32, "2.3025851"),
        (2.3025851249694824, FLOAT64, "2.3025851249694824"),
        (2.296875, BFLOAT16, "2.3"),
        (120.0, FLOAT32, "120.0"),
        (0.0, FLOAT32, "0.0"),
        (-0.0, FLOAT32, "-0.0"),
        (65504.0, FLOAT16, "65500.0"),
        (2.0**-149, FLOAT32, "1e-45"),
        (2.0**-1074, FLOAT64, "5e-324"),
        (1.7976931348623157e308, FLOAT64, "1.7976931348623157e+308"),
        (math.inf, BFLOAT16, "inf"),
        (-math.inf, FLOAT64, "-inf"),
        (math.nan, FLOAT16, "nan"),
    ],
)
def test_losses_are_spelled_as_python_spells_them(value: float, precision: Precision, text: str) -> None:
    """120 is printed as 1.2e+02, which reads as a rounded number."""
    assert shortest(value, precision) == text


@given(st.sampled_from(list(PRECISIONS.values())), st.floats(-1e307, 1e307))
def test_nearest_is_nearest(precision: Precision, value: float) -> None:
    """Rounding to a format goes to the wrong neighbour, and a loss is printed with a digit too few."""
    found, gap = nearest(value, precision), Fraction(precision.ulp(value))
    assert (Fraction(found) / gap).denominator == 1
    assert abs(Fraction(found) - Fraction(value)) <= gap / 2


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=str)
def test_telling_digits_tell_neighbours_apart(precision: Precision) -> None:
    """The true loss is shown with so few digits that it cannot settle which path is nearer."""
    digits = telling_digits(precision)
    value = 8.0 - precision.ulp(7.0)  # the format is finest against its digits just below a power of two
    assert f"{value:.{digits}g}" != f"{8.0:.{digits}g}"
    assert 10 ** (digits - 1) > 2**precision.bits


@given(st.floats(1e-300, 1e300), st.floats(0.0, 1e-3), st.integers(3, 17))
def test_certain_digits_are_certain(lower: float, width: float, digits: int) -> None:
    """A digit of the true loss is printed that the enclosure does not prove."""
    upper = lower * (1 + width)
    text = certain(lower, upper, digits)
    if " to " in text:
        assert tuple(map(float, text.split(" to "))) == (lower, upper)
    else:
        shown = max(significant_digits(text), 3)
        spread = Fraction(text) * Fraction(10) ** (1 - shown)
        assert max(abs(Fraction(text) - Fraction(end)) for end in (lower, upper)) <= spread


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (2.302585092994045, 2.302585092994046, "2.30258509299"),
        (1.9999999999, 2.0000000001, "2.0"),
        (1.5, 1.6, "1.5 to 1.6"),
        (120.0, 120.0, "120.0"),
        (5.0, math.inf, "5.0 to inf"),
        (math.inf, math.inf, "inf"),
        (math.nan, math.nan, "nan"),
    ],
)
def test_certain_digits_of_chosen_enclosures(lower: float, upper: float, text: str) -> None:
    """An enclosure that proves nothing is shown as if it were a number, or one round a power of ten as nothing."""
    assert certain(lower, upper, 12) == text


@given(MAGNITUDES, MAGNITUDES)
def test_the_greater_one_looks_greater(error: float, allowed: float) -> None:
    """An error beyond its bound is printed like its bound, and the reader thinks that the verdict is wrong."""
    texts = against(error, allowed)
    assert (float(texts[0]) > float(texts[1])) == (error > allowed)


@pytest.mark.parametrize(
    ("error", "allowed", "texts"),
    [
        (1.04e-7, 9.5e-7, ("1e-07", "9.5e-07")),
        (9.541e-7, 9.538e-7, ("9.541e-07", "9.538e-07")),
        (0.0, 0.0, ("0", "0")),
        (math.inf, 1e-6, ("inf", "1e-06")),
        (math.nan, 1e-6, ("nan", "1e-06")),
        (1e-7, None, ("1e-07", "")),
        (None, None, ("", "")),
    ],
)
def test_errors_against_allowances(error: float | None, allowed: float | None, texts: tuple[str, str]) -> None:
    """Errors are printed with more digits than one can take in."""
    assert against(error, allowed) == texts


@given(MAGNITUDES)
def test_brief_is_zero_for_zero_only(value: float) -> None:
    """A small error is printed as none."""
    assert (float(brief(value)) == 0.0) == (value == 0.0)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.5051e13, 6, "1.5051e+13"),
        (-2e9, 6, "-2e+9"),
        (1234567890.5, 12, "1234567890.5"),
        (999999999.0, 9, "999999999.0"),
        (math.inf, 6, "inf"),
    ],
)
def test_large_numbers_end_in_a_power_of_ten(value: float, digits: int, text: str) -> None:
    """A perplexity of 15051000000000.0 has digits that nobody counts, and zeros that nobody computed."""
    assert float(rounded(value, digits)) == value
    assert rounded(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(123.4, "120"), (0.3149, "0.31"), (12345.6, "12000"), (1.25e6, "1.2e+06"), (None, "")]
)
def test_brief_numbers_of_chosen_sizes(value: float | None, text: str) -> None:
    """A count of ulps is printed as 1.2e+02."""
    assert brief(value) == text


@given(st.floats(0.0, 1.0))
def test_no_probability_becomes_certain(value: float) -> None:
    """A probability of 1 - 6e-8 is printed as 1, beside a loss that is not 0."""
    text = probability(value)
    assert (text in {"0", "1"}) == (value in {0.0, 1.0})
    shown = 1 - Fraction(text[2:]) if text.startswith("1-") else Fraction(text)
    smallness = min(Fraction(value), 1 - Fraction(value))
    assert abs(shown - Fraction(value)) <= max(smallness / 2, Fraction(1, 2000) * (smallness > Fraction(1, 2500)))
    assert len(text) <= 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.123"),
        (0.0005, "0.001"),
        (0.00049, "5e-04"),
        (3e-12, "3e-12"),
        (0.9994, "0.999"),
        (0.9996, "0.9996"),
        (0.99997, "0.99997"),
        (1 - 2.0**-24, "1-6e-08"),
        (1.0, "1"),
        (0.0, "0"),
        (math.nan, "nan"),
    ],
)
def test_probabilities_of_chosen_sizes(value: float, text: str) -> None:
    """On either side of each change of notation, a probability is spelled in too few or too many signs."""
    assert probability(value) == text
