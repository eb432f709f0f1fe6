"""The integer enclosure of log(1 + Σ exp(−gap)) against Arb at four times the precision and more."""

from __future__ import annotations

from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xentcli.losses.fixedpoint import log1p_sum_exp


def reference(counts: dict[int, int], places: int, bits: int) -> flint.arb:
    """A ball with the true value, far smaller than 2^-bits of it."""
    with flint.ctx.workprec(4 * bits + 2000):
        scale = flint.fmpq(1, 2**places)
        return sum(count * flint.arb(-gap * scale).exp() for gap, count in counts.items()).log1p()


def assert_proven_and_tight(counts: dict[int, int], places: int, bits: int) -> None:
    lower, upper, width = log1p_sum_exp(counts, places, bits)
    with flint.ctx.workprec(4 * bits + 2000):
        scaled = reference(counts, places, bits) * flint.fmpz(2) ** width
        assert flint.arb(lower) <= scaled <= flint.arb(upper)
    assert 0 < lower <= upper
    assert Fraction(upper - lower, lower) <= Fraction(1, 2**bits)


gaps = st.integers(0, 100) | st.integers(0, 2**20) | st.integers(0, 2**2100)
multiplicities = st.integers(1, 3) | st.integers(1, 10**6)
counted = st.dictionaries(gaps, multiplicities, min_size=1, max_size=8)


@given(
    st.dictionaries(gaps, multiplicities, max_size=8), st.integers(0, 2**14), st.integers(0, 80), st.integers(1, 300)
)
def test_contains_the_true_value_and_little_else(counts, least, places, bits):
    """An enclosure that misses the truth by one unit calls a right implementation wrong; a wide one proves nothing."""
    assert_proven_and_tight(
        {(least << places) + gap: count for gap, count in counts.items()} or {least: 1}, places, bits
    )


@pytest.mark.parametrize("bits", [1, 2, 63, 64, 65, 128, 1000])
@pytest.mark.parametrize(
    "counts",
    [
        {0: 1},  # ln 2
        {0: 9},  # ln 10
        {0: 2**20 - 1},  # 1 + Σ is a power of two
        {0: 2**20 - 2},  # and just below one
        {1: 1},
        {2**40: 1},
        {2**40: 2**40},  # many small terms
        {0: 1, 2**2200: 2**40},  # many negligible ones
    ],
)
def test_branch_points(counts, bits):
    """Sums next to powers of two, one term, many terms, and terms too small to compute."""
    assert_proven_and_tight(counts, 30, bits)


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_both_sides_of_the_negligible_terms(distance):
    """A term is left out from exactly one gap on: neither side of it may miss its mass."""
    width = 64 + 32 + (10**6 + 1).bit_length()
    assert_proven_and_tight({5: 1, 5 + width + distance: 10**6}, 0, 64)


@pytest.mark.parametrize("distance", [-1, 0, 1])
@pytest.mark.parametrize("multiple", [1, 2, 3, 100, 20000])
def test_both_sides_of_the_multiples_of_ln_2(multiple, distance):
    """Where the reduced argument is almost 0 or almost ln 2, its rounding can go either way."""
    with flint.ctx.workprec(400):
        nearest = int((multiple * flint.const_log2() * flint.fmpz(2) ** 100).floor().unique_fmpz())
    assert_proven_and_tight({nearest + distance: 1}, 100, 80)


def test_the_check_would_notice_a_shift():
    """Shows that the containment above fails for an interval that is off by its own width."""
    lower, upper, width = log1p_sum_exp({0: 1}, 0, 64)
    with flint.ctx.workprec(1000):
        truth = flint.const_log2() * flint.fmpz(2) ** width
        assert not truth <= flint.arb(lower - 1)
        assert not flint.arb(2 * upper - lower + 1) <= truth
        assert flint.arb(lower) <= truth <= flint.arb(upper)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(st.dictionaries(st.integers(0, 2**64), multiplicities, min_size=1, max_size=40), st.integers(40, 64))
def test_contains_the_true_value_of_many_ordinary_rows(counts, places):
    """The proof, repeated by chance, on rows like those of a model."""
    assert_proven_and_tight(counts, places, 64)
