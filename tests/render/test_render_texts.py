"""Columns of numbers as texts: each is what Python makes of the number, for every float64 and int64 there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.render.texts import column, lines, repeated, words

INT64 = st.integers(-(2**63), 2**63 - 1)


def spelled(values: np.ndarray) -> list[str]:
    return lines([column(values)]).split("\n")[:-1]


def assert_as_python(values: np.ndarray) -> None:
    assert spelled(values) == list(map(str, values.tolist()))


@given(st.lists(st.floats()))
def test_a_float_is_what_python_prints(values: list[float]) -> None:
    """A loss in a file is not the one that was computed, or not the one that JSON holds."""
    assert_as_python(np.array(values, np.float64))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_any_bits_are_a_float(bits: list[int]) -> None:
    """The exponents that floats drawn by size seldom have."""
    assert_as_python(np.array(bits, np.uint64).view(np.float64))


@given(st.lists(st.floats(width=32)))
def test_a_widened_float32_keeps_all_the_digits_of_its_float64(values: list[float]) -> None:
    """The library's losses are float32; read back as float64 they must be the same."""
    assert_as_python(np.array(values, np.float64))


@pytest.mark.parametrize("base", [2.0, 10.0])
def test_powers_and_their_neighbours(base: float) -> None:
    """The intervals are lopsided at powers of two, and digits carry at powers of ten."""
    powers = (
        np.array([float(f"1e{place}") for place in range(-323, 309)])
        if base == 10.0
        else 2.0 ** np.arange(-1074.0, 1024.0)
    )
    for values in (powers, np.nextafter(powers, 0.0), np.nextafter(powers, np.inf), -powers):
        assert_as_python(values)


def test_decimals_and_whole_numbers() -> None:
    """A short decimal is printed with 17 digits, or a whole number without its point."""
    assert_as_python(np.arange(20_000) / 1000.0)
    assert_as_python(np.concatenate([2.0**53 + np.arange(-50.0, 50.0), 1e22 * np.arange(1.0, 12.0)]))


@pytest.mark.slow
def test_millions_of_floats() -> None:
    """The one in a million whose shortest decimal is hard to choose."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        assert_as_python(rng.integers(0, 2**64, 100_000, np.uint64).view(np.float64))
        assert_as_python(-np.log(rng.random(100_000)))


@given(st.lists(INT64))
def test_an_integer_is_what_python_prints(values: list[int]) -> None:
    """A row or a label has lost its sign or a zero."""
    assert_as_python(np.array(values, np.int64))


@given(st.lists(st.tuples(INT64, st.booleans(), st.floats()), min_size=1))
def test_a_line_has_its_cells_in_order(rows: list[tuple[int, bool, float]]) -> None:
    """Columns are shifted where a cell is empty."""
    whole, truth, real = (np.array(values) for values in zip(*rows, strict=True))
    columns = [column(whole), repeated("", len(rows)), words(truth), column(real.astype(np.float64))]
    expected = [f"{one},,{str(other).lower()},{third}\n" for one, other, third in rows]
    assert lines(columns) == "".join(expected)
