"""Tests of paired differences against enumeration, independent flips and SciPy, and how often they are wrong."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from xentcli.statistics.means import group_sums, mean_estimate
from xentcli.statistics.paired import SignFlip, equivalence, mcnemar, sign_flip, smallest_detectable

WHOLE = st.integers(-50, 50).map(float)


@given(hnp.arrays(np.float64, st.integers(1, 8), elements=WHOLE))
def test_few_groups_are_enumerated(sums: np.ndarray) -> None:
    """With five documents there are 32 outcomes, and p says how many are as far out."""
    totals = [abs(sum(sign * part for sign, part in zip(signs, sums.tolist(), strict=True)))
              for signs in product((1, -1), repeat=len(sums))]  # fmt: skip
    reached = sum(total >= abs(sum(sums.tolist())) for total in totals)
    assert sign_flip(sums) == SignFlip(float(Fraction(reached, len(totals))), len(sums), len(totals), None)


def test_scipy_enumerates_the_same() -> None:
    """Its permutation test of paired samples is the same test."""
    sums = np.random.default_rng(1).normal(0.4, size=12)
    theirs = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(sums).p == pytest.approx(theirs.pvalue, rel=1e-12)


@pytest.mark.parametrize(("count", "exact"), [(13, True), (14, False)])
def test_many_groups_are_drawn(count: int, exact: bool) -> None:
    """The line between both is where all flips would be more than are drawn."""
    found = sign_flip(np.arange(1.0, count + 1), seed=5)
    assert (found.seed is None) == exact
    assert found.flips == (2**13 if exact else 9_999)


def exact_p(sums: np.ndarray) -> float:
    signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
    return float(np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9))


@pytest.mark.parametrize("size", [14, 18, 20])
@pytest.mark.parametrize("seed", [2, 4])
def test_drawn_flips_are_those_of_the_enumeration(seed: int, size: int) -> None:
    """One group more than are enumerated must not give another p, whatever the seed."""
    sums = np.random.default_rng(seed).normal(0.25, size=size)
    truth = exact_p(sums)
    found = np.array([sign_flip(sums, seed=seed).p for seed in range(60)])
    expected = math.sqrt(truth * (1 - truth) / 9_999)
    assert abs(found.mean() - (1 + 9_999 * truth) / 10_000) < 4 * expected / 10
    assert found.std() < 1.2 * expected
    assert np.abs(found - truth).max() < 5 * expected


@pytest.mark.parametrize("groups", [19, 128, 700])
def test_p_scatters_as_by_independent_flips(groups: int) -> None:
    """Any two flips must be independent: else p would depend on the seed more than √(p(1 − p)/B) says."""
    sums = np.random.default_rng(8).normal(1 / math.sqrt(groups), size=groups)
    found = np.array([sign_flip(sums, seed=seed).p for seed in range(60)])
    assert 0.7 < found.std() / math.sqrt(found.mean() * (1 - found.mean()) / 9_999) < 1.3


def test_p_is_that_of_plain_flips() -> None:
    """The transform takes 10,000 flips at once; one after the other they give the same p, but for chance."""
    random = np.random.default_rng(3)
    differences, groups = random.normal(0.035, size=3_000), random.integers(0, 300, 3_000)
    sums = group_sums(differences, groups)
    plain = np.abs((1 - 2.0 * random.integers(0, 2, (20_000, 300))) @ sums) >= abs(sums.sum())
    found = sign_flip(differences, groups, seed=1)
    assert 0.001 < plain.mean() < 0.2
    assert abs(found.p - plain.mean()) < 5 * math.sqrt(plain.mean() / 6_666)
    assert sign_flip(differences, groups, seed=1) == found


def test_what_nobody_doubts_has_the_smallest_p() -> None:
    """p is never 0: the outcome itself is one of those that count."""
    assert sign_flip(np.full(1000, 0.1)).p == 1 / 10_000
    assert sign_flip(np.full(1000, 0.1), flips=99).p == 1 / 100
    assert sign_flip(np.tile([1.0, -1.0], 50)).p > 0.8


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=WHOLE),
    st.data(),
    st.randoms(use_true_random=False),
    st.integers(-30, 30),
)
def test_order_names_and_units_leave_p(values: np.ndarray, draw: st.DataObject, random: object, power: int) -> None:
    """The same documents in other shards, or differences in bits."""
    groups = draw.draw(hnp.arrays(np.int64, len(values), elements=st.integers(-20, 20)))
    order = np.array(random.sample(range(len(values)), len(values)))  # type: ignore[attr-defined]
    found = sign_flip(values, groups)
    assert sign_flip(-values[order] * 2.0**power, groups[order] * 3 + 1) == found


def test_ties_count_though_they_are_rounded() -> None:
    """0.1 + 0.2 − 0.3 is not 0 in floats: of 16 flips, 6 reach as far as 0.1 + 0.2 + 0.3 − 0.6 = 0 or farther: all."""
    assert sign_flip(np.array([0.1, 0.2, 0.3, -0.6])).p == 1.0
    assert sign_flip(np.array([0.1, 0.2, -0.3, 0.7])).p == sign_flip(np.array([1.0, 2.0, -3.0, 7.0])).p


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_no_differences_have_no_p(values: list[float]) -> None:
    """A p of 1 would say that there were some."""
    assert math.isnan(sign_flip(np.array(values)).p)


def test_equal_results_have_p_one() -> None:
    """A set against itself."""
    assert sign_flip(np.zeros(5)).p == sign_flip(np.zeros(500)).p == 1.0
    assert sign_flip(np.full(20, 1e308)).p == 1 / 10_000


def test_a_million_rows_take_little_memory() -> None:
    """A matrix of all flips would have 10 GB of signs."""
    sums = np.random.default_rng(4).normal(size=1_000_000)
    tracemalloc.start()
    sign_flip(sums)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_enumerated_p_is_never_too_small_by_chance() -> None:
    """Under the null every flip is as likely, so p ≤ α for at most α of them: exactly, of every outcome."""
    sums = np.random.default_rng(5).normal(size=9)
    signs = [np.array(each) for each in product((1.0, -1.0), repeat=9)]
    found = np.sort([sign_flip(each * sums).p for each in signs])
    assert all(np.mean(found <= alpha) <= alpha for alpha in found)
    assert np.mean(found <= 0.05) > 0.04


@pytest.mark.slow
@pytest.mark.parametrize("groups", [10, 14, 50, 2000])
def test_p_values_are_uniform_where_there_is_no_difference(groups: int) -> None:
    """5 % of all comparisons of a model with its equal are to be called different, not 6."""
    random, runs = np.random.default_rng(groups), 10_000 if groups < 2000 else 4_000
    found = np.array([sign_flip(random.standard_t(3, size=groups), seed=run).p for run in range(runs)])
    for alpha in (0.005, 0.01, 0.05, 0.1, 0.5, 0.9):
        assert abs(np.mean(found <= alpha) - alpha) < 4 * math.sqrt(alpha / runs) + 2.0**-groups + 1e-4


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_test(one: int, other: int) -> None:
    """SciPy's exact test of fair coins."""
    expected = stats.binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(expected, rel=1e-10)
    assert mcnemar(one, other) == mcnemar(other, one) <= 1.0


@pytest.mark.parametrize(("one", "other"), [(10**7, 10**7), (10**7, 10**7 - 1), (10**7, 9_990_000), (10**7, 9_900_000)])
def test_mcnemar_holds_for_millions(one: int, other: int) -> None:
    """Sums of 10^7 terms of the size of 2^-(2·10^7), which no float holds."""
    assert mcnemar(one, other) == pytest.approx(min(1.0, 2 * stats.binom.cdf(other, one + other, 0.5)), rel=1e-8)


@pytest.mark.parametrize("count", [1, 2, 5, 20, 61, 200])
def test_mcnemar_is_never_too_small_by_chance(count: int) -> None:
    """Of n flips each way is as likely: p ≤ α has a chance of at most α, for every α that p can be."""
    found = np.array([mcnemar(one, count - one) for one in range(count + 1)])
    chances = stats.binom.pmf(np.arange(count + 1), count, 0.5)
    for alpha in found:
        assert chances[found <= alpha * (1 + 1e-12)].sum() <= alpha * (1 + 1e-9)


def test_equivalence_is_two_one_sided_tests() -> None:
    """The interval of 90 %, not of 95: SciPy's one-sided p-values are both below 5 % or not."""
    random = np.random.default_rng(6)
    told = set()
    for shift in np.linspace(-0.6, 0.6, 41):
        values = random.normal(shift, size=40)
        found = equivalence(mean_estimate(values), 0.5)
        above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
        below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
        assert found.shown == (max(above, below) < 0.05)
        told.add(found.shown)
    assert told == {True, False}


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_no_margin_is_refused(margin: float) -> None:
    """Nothing is inside it, and the answer would look like one."""
    with pytest.raises(ValueError, match="margin"):
        equivalence(mean_estimate(np.arange(5.0)), margin)


@pytest.mark.parametrize("values", [[], [0.0], [0.0, math.nan]])
def test_what_cannot_be_told_is_not_equivalent(values: list[float]) -> None:
    """One row of difference 0 shows nothing."""
    assert not equivalence(mean_estimate(np.array(values)), 1e9).shown


def test_the_smallest_detectable_difference_is_detected_four_times_in_five() -> None:
    """2.8 is z(0.975) + z(0.8), rounded; groups' errors where there are groups."""
    assert stats.norm.ppf(0.975) + stats.norm.ppf(0.8) == pytest.approx(2.8, abs=0.002)
    values, groups = np.random.default_rng(7).normal(size=60), np.arange(60) // 6
    assert smallest_detectable(mean_estimate(values)) == pytest.approx(2.8 * stats.sem(values))
    by_group = mean_estimate(values, groups)
    assert smallest_detectable(by_group) == 2.8 * (by_group.group_se or 0.0)
