"""Student's t, the normal and the binomial distribution against Arb at 300 bits and SciPy, far into the tails."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import flint
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from xentcli.statistics.beta import binomial_at_most, incomplete_beta
from xentcli.statistics.students import quantile, two_sided_p

NEAR = 1e-10
FREEDOM = [1, 1.5, 2, 3, 9, 10, 49, 411, 1999, 1e5, 1e6 + 0.5, 1e9]
SMALLEST = 1e-290  # p below it are subnormal soon, and have no 10 digits


@contextmanager
def precise() -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = 300
    try:
        yield
    finally:
        flint.ctx.prec = before


def arb_beta(a: float, b: float, x: flint.arb) -> float:
    value = flint.acb(x).beta_lower(flint.acb(a), flint.acb(b), True).real
    assert value.rel_accuracy_bits() > 60
    return float(value.mid())


def arb_p(t: float, df: float) -> float:
    with precise():
        return arb_beta(df / 2, 0.5, df / (df + flint.arb(t) ** 2))


@given(st.floats(0, 9).map(lambda power: 10**power), st.floats(-6, 2).map(lambda power: 10**power))
def test_p_is_true_to_ten_digits(df: float, t: float) -> None:
    """A p-value is quoted in papers: its digits must be those of any other package."""
    truth = arb_p(t, df)
    assert two_sided_p(t, df) == two_sided_p(-t, df)
    if truth > SMALLEST:
        assert two_sided_p(t, df) == pytest.approx(truth, rel=NEAR, abs=0)


@pytest.mark.parametrize("df", FREEDOM)
@pytest.mark.parametrize("t", [1e-9, 0.1, 0.999999, 1.0, 1.000001, 1.7, 2, 5, 20, 37])
def test_p_is_true_on_both_sides_of_where_the_tail_changes(t: float, df: float) -> None:
    """The fraction is that of the other tail below t = 1."""
    truth = arb_p(t, df)
    assert two_sided_p(t, df) == pytest.approx(truth, rel=NEAR, abs=1e-305)
    assert two_sided_p(t, df) == pytest.approx(2 * stats.t.sf(t, df), rel=1e-8, abs=1e-300)  # its own errors are larger


@pytest.mark.parametrize("df", [*FREEDOM, math.inf])
@pytest.mark.parametrize("p", [1e-200, 1e-30, 1e-9, 0.001, 0.05, 0.1, 0.4999, 0.5, 0.5001, 0.9, 0.999999])
def test_quantiles_have_the_p_that_they_are_of(p: float, df: float) -> None:
    """An interval of 95 % stands on this number."""
    t = quantile(p, df)
    if math.isinf(df):
        assert t == pytest.approx(stats.norm.isf(p / 2), rel=1e-12)
        assert two_sided_p(t, df) == pytest.approx(p, rel=1e-12)
        return
    assert arb_p(t * (1 - NEAR), df) > p > arb_p(t * (1 + NEAR), df)


@pytest.mark.parametrize("df", [1, 2, 9, 49, 1999])
def test_quantiles_are_those_of_the_tables(df: int) -> None:
    assert quantile(0.05, df) == pytest.approx(stats.t.isf(0.025, df), rel=NEAR)
    assert quantile(0.1, df) == pytest.approx(stats.t.isf(0.05, df), rel=NEAR)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    """A million rows must not need a case of their own."""
    assert quantile(0.05, 1e9) == pytest.approx(quantile(0.05, math.inf), rel=1e-8)
    assert quantile(0.05, 1e9) > quantile(0.05, math.inf)


def test_what_is_beyond_every_number_is_told() -> None:
    """Equal differences have an infinite t, no differences t = 0; NaN is never a p-value that looks like one."""
    assert (two_sided_p(0.0, 5), two_sided_p(math.inf, 5), two_sided_p(math.inf, math.inf)) == (1.0, 0.0, 0.0)
    assert math.isnan(two_sided_p(math.nan, 5))
    assert two_sided_p(1e200, 1) == pytest.approx(2e-200 / math.pi, rel=NEAR)
    for p, df in [(0.0, 5), (1.0, 5), (math.nan, 5), (0.05, 0), (0.05, math.nan)]:
        with pytest.raises(ValueError, match="between 0 and 1"):
            quantile(p, df)


@given(st.floats(-2, 7), st.floats(-2, 7), st.floats(-6, 6))
def test_the_incomplete_beta_function_is_true(first: float, second: float, away: float) -> None:
    """From both tails into the middle, where a fraction that is too short would lose digits."""
    a, b = 10**first, 10**second
    middle = a / (a + b)
    x = min(max(middle + away * math.sqrt(middle * (1 - middle) / (a + b + 1)), 1e-9), 1 - 1e-9)
    with precise():
        truth = arb_beta(a, b, flint.arb(x))
    found = incomplete_beta(a, b, x, 1 - x)
    assert found.lower + found.upper == pytest.approx(1.0, abs=1e-15)
    assert min(found.lower, found.upper) == pytest.approx(min(truth, 1 - truth), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("count", [1, 2, 7, 40, 1000, 123_457])
@pytest.mark.parametrize("chance", [0.001, 0.1, 0.5, 0.75, 0.999])
def test_binomial_sums_are_scipys(count: int, chance: float) -> None:
    """Percentiles' intervals and McNemar's test count on every term, the first and the last included."""
    spread = math.sqrt(count * chance * (1 - chance))
    for most in {-1, 0, 1, count - 1, count, *(int(count * chance + z * spread) for z in (-3, -1, 0, 1, 3))}:
        assert binomial_at_most(most, count, chance) == pytest.approx(stats.binom.cdf(most, count, chance), rel=1e-9)


def test_the_references_agree() -> None:
    """Shows that what the tests above compare with is right where two of them are."""
    assert arb_p(2.5, 10) == pytest.approx(2 * special.stdtr(10, -2.5), rel=1e-12)
