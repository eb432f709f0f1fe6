"""The integer enclosure of log(1 + Σ exp(−gap)) against Arb at four times the precision and more."""

from __future__ import annotations

from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xentcli.losses.fixedpoint import _log1p, _log_two, exp_of_gap, log1p_sum_exp


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
counted = st.dictionaries(gaps, multiplicities, max_size=8)


@settings(deadline=None)
@given(counted, st.fractions(0, 2**15), st.integers(0, 80), st.integers(1, 300))
def test_contains_the_true_value_and_little_else(counts, least, places, bits):
    """An enclosure that misses the truth by one unit calls a right implementation wrong; a wide one proves nothing."""
    first = (least.numerator << places) // least.denominator
    assert_proven_and_tight({first: 1} | {first + gap: count for gap, count in counts.items()}, places, bits)


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
        nearest = int((multiple * flint.arb.const_log2() * flint.fmpz(2) ** 100).floor().unique_fmpz())
    assert_proven_and_tight({nearest + distance: 1}, 100, 80)


@pytest.mark.parametrize(("bits", "gap", "count"), [(64, 96, 2**40), (1, 93, 2**60), (1, 94, 2**60), (1, 2**99, 2**60)])
def test_many_terms_below_one_unit(bits, gap, count):
    """A vocabulary of nearly impossible classes adds up: none of them may be rounded away."""
    assert_proven_and_tight({0: 1, gap: count}, 0, bits)


@given(st.integers(0, 2**120), st.integers(0, 80), st.integers(34, 300))
def test_every_exponential_is_within_its_own_error(gap, places, width):
    """The proof counts errors stage by stage, so a stage must not live on the allowance of another."""
    gap %= 2 ** (places + 15)
    power, error, k = exp_of_gap(gap, places, width)
    with flint.ctx.workprec(1000):
        truth = flint.arb(flint.fmpq(-gap, 2**places)).exp() * flint.arb(2) ** (width + k)
        assert flint.arb(power - error) <= truth <= flint.arb(power + error)
    assert 0 <= power <= 1 << width


@given(st.integers(1, 2**400), st.integers(34, 300))
def test_every_logarithm_is_within_its_own_error(excess, width):
    """The same for the logarithm, from sums of almost nothing to sums far above the vocabulary's size."""
    below, error = _log1p(excess, width)
    with flint.ctx.workprec(1000):
        truth = flint.arb(flint.fmpq(excess, 2**width)).log1p() * flint.arb(2) ** width
        assert flint.arb(below) <= truth <= flint.arb(below + error)
    assert error < 2 * width + 800


@given(st.integers(1, 2000))
def test_ln_2_is_less_than_two_units_too_small(width):
    """Both functions reduce by it, and count on this."""
    with flint.ctx.workprec(4000):
        truth = flint.arb.const_log2() * flint.arb(2) ** width
        assert flint.arb(_log_two(width)) < truth < flint.arb(_log_two(width) + 2)


def test_the_check_would_notice_a_shift():
    """Shows that the containment above fails for an interval that is off by its own width."""
    lower, upper, width = log1p_sum_exp({0: 1}, 0, 64)
    with flint.ctx.workprec(1000):
        truth = flint.arb.const_log2() * flint.fmpz(2) ** width
        assert not truth <= flint.arb(lower - 1)
        assert not flint.arb(2 * upper - lower + 1) <= truth
        assert flint.arb(lower) <= truth <= flint.arb(upper)


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(st.dictionaries(st.integers(0, 2**64), multiplicities, min_size=1, max_size=40), st.integers(40, 64))
def test_contains_the_true_value_of_many_ordinary_rows(counts, places):
    """The proof, repeated by chance, on rows like those of a model."""
    assert_proven_and_tight(counts, places, 64)
