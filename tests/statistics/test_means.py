"""Standard errors of means, ratios, perplexities, correlations: definitions in fractions, laws, what is no number."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from xentcli.statistics.means import (
    correlation,
    exp_estimate,
    group_sums,
    interval,
    mean_estimate,
    perplexity_difference,
    ratio_estimate,
)
from xentcli.statistics.students import quantile

SIZES = st.integers(2, 40)
NUMBERS = st.integers(-(10**6), 10**6).map(lambda number: number / 64)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size = draw(SIZES)
    values = draw(hnp.arrays(np.float64, size, elements=NUMBERS))
    groups = draw(hnp.arrays(np.int64, size, elements=st.sampled_from([-(2**63), -5, 0, 3, 2**63 - 1])))
    return values, groups


def defined_ratio_error(numerators: np.ndarray, denominators: np.ndarray, groups: np.ndarray) -> float:
    """sqrt(G/(G − 1)·Σ_g(L_g − r·B_g)²)/ΣB, in fractions; NaN for one group."""
    above: dict[int, Fraction] = defaultdict(Fraction)
    below: dict[int, Fraction] = defaultdict(Fraction)
    for value, weight, group in zip(numerators.tolist(), denominators.tolist(), groups.tolist(), strict=True):
        above[group] += Fraction(value)
        below[group] += Fraction(weight)
    ratio, count = sum(above.values()) / sum(below.values()), len(above)
    if count < 2:
        return math.nan
    squares = sum((above[group] - ratio * below[group]) ** 2 for group in above)
    return math.sqrt(Fraction(count, count - 1) * squares / sum(below.values()) ** 2)


def close(value: float, scale: float = 1e4) -> object:
    return pytest.approx(value, rel=1e-10, abs=1e-12 * scale, nan_ok=True)


@given(grouped())
def test_a_mean_has_the_errors_of_its_definition(case: tuple[np.ndarray, np.ndarray]) -> None:
    """Everything that is said of a difference stands on these two numbers; SciPy has the first."""
    values, groups = case
    found = mean_estimate(values, groups)
    assert found.value == float(sum(map(Fraction, values.tolist())) / len(values))
    assert found.se == close(float(stats.sem(values)))
    assert found.group_se == close(defined_ratio_error(values, np.ones_like(values), groups))
    assert (found.groups, found.df) == (len(set(groups.tolist())), len(set(groups.tolist())) - 1)


@given(grouped(), st.data())
def test_a_ratio_has_the_errors_of_its_definition(case: tuple[np.ndarray, np.ndarray], draw: st.DataObject) -> None:
    """Bits per byte: long documents count for more, in the ratio and in its error."""
    values, groups = case
    weights = draw.draw(hnp.arrays(np.float64, len(values), elements=st.integers(1, 50).map(float)))
    found = ratio_estimate(values, weights, groups)
    assert found.value == float(sum(map(Fraction, values.tolist())) / Fraction(weights.sum()))
    assert found.group_se == close(defined_ratio_error(values, weights, groups))
    assert found.se == close(defined_ratio_error(values, weights, np.arange(len(values))))


def test_the_interval_is_students_of_what_is_quoted() -> None:
    """Without groups it is what every textbook prints; with groups, that of the groups' sums."""
    values = np.random.default_rng(1).normal(size=20)
    found = mean_estimate(values)
    lower, upper = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.lower95, found.upper95) == pytest.approx((lower, upper), rel=1e-9)
    assert interval(found.value, found.se, 19, 0.9) == pytest.approx(
        tuple(stats.ttest_1samp(values, 0.0).confidence_interval(0.9)), rel=1e-9
    )
    by_group = mean_estimate(values, np.arange(20) // 5)
    assert by_group.quoted == by_group.group_se != by_group.se == found.quoted
    assert by_group.upper95 - by_group.value == pytest.approx(quantile(0.05, 3) * by_group.quoted)


@given(grouped(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_groups_say_nothing(
    case: tuple[np.ndarray, np.ndarray], random: object
) -> None:
    """Shards in another order, or documents numbered anew, are the same data."""
    values, groups = case
    order = np.array(random.sample(range(len(values)), len(values)))  # type: ignore[attr-defined]
    found, other = mean_estimate(values, groups), mean_estimate(values[order], (groups // 2 + 7)[order])
    assert other.value == found.value
    assert (other.se, other.group_se) == (close(found.se), close(found.group_se))


@given(grouped(), st.integers(-30, 30), NUMBERS)
def test_units_scale_and_constants_move(case: tuple[np.ndarray, np.ndarray], power: int, shift: float) -> None:
    """Nats or bits: an error has the unit of its value, and none of the zero point."""
    values, groups = case
    found, scaled = mean_estimate(values, groups), mean_estimate(-values * 2.0**power, groups)
    assert (scaled.value, scaled.se) == (-found.value * 2.0**power, found.se * 2.0**power)
    assert scaled.upper95 == pytest.approx(-found.lower95 * 2.0**power, rel=1e-12)
    moved = mean_estimate(values + shift, groups)
    assert (moved.se, moved.group_se) == (close(found.se), close(found.group_se))


@given(grouped())
def test_rows_told_twice_are_no_news_to_groups(case: tuple[np.ndarray, np.ndarray]) -> None:
    """What the error by rows takes for twice the data, and what groups are for."""
    values, groups = case
    found, twice = mean_estimate(values, groups), mean_estimate(np.tile(values, 2), np.tile(groups, 2))
    assert twice.group_se == close(found.group_se)
    assert twice.se == close(found.se * math.sqrt((len(values) - 1) / (2 * len(values) - 1)))


@given(grouped())
def test_rows_that_are_groups_of_their_own_have_one_error(case: tuple[np.ndarray, np.ndarray]) -> None:
    """Both formulas are the same one."""
    found = mean_estimate(case[0], np.arange(len(case[0]))[::-1])
    assert found.group_se == close(found.se)


def test_a_great_mean_takes_no_digits_from_the_error() -> None:
    """Squares of the values themselves would cancel to nothing, as in the formula of one pass."""
    values = np.random.default_rng(2).integers(-500, 500, 10_000) / 1024
    found, far = mean_estimate(values), mean_estimate(values + 2.0**40)
    assert far.se == pytest.approx(found.se, rel=1e-7)
    squares = np.mean((values + 2.0**40) ** 2) - np.mean(values + 2.0**40) ** 2
    assert not abs(squares / values.var() - 1) < 0.1


NAN, INF = math.nan, math.inf
EDGES = {
    "no rows": ([], None, (NAN, NAN, None, None, 0, NAN, NAN)),
    "one row": ([3.0], None, (3.0, NAN, None, None, 0, -INF, INF)),
    "one group": ([1.0, 3.0, 5.0, 3.0, 3.0], [7, 7, 7, 7, 7], (3.0, 0.632455532033676, NAN, 1, 0, -INF, INF)),
    "no rows in no groups": ([], [], (NAN, NAN, NAN, 0, 0, NAN, NAN)),
    "equal values": ([0.1] * 7, None, (0.1, 0.0, None, None, 6, 0.1, 0.1)),
    "equal values in groups": ([0.1] * 4, [0, 0, 0, 1], (0.1, 0.0, 0.0, 2, 1, 0.1, 0.1)),
    "an infinite value": ([1.0, INF, 2.0], [0, 0, 1], (INF, NAN, NAN, 2, 1, NAN, NAN)),
    "both infinities": ([INF, -INF], None, (NAN, NAN, None, None, 1, NAN, NAN)),
    "NaN": ([1.0, NAN], [0, 1], (NAN, NAN, NAN, 2, 1, NAN, NAN)),
    "the greatest numbers": ([1e300, -1e300], None, (0.0, 1e300, None, None, 1, -1.2706204736174705e301, INF)),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_cannot_be_told_is_not_told(name: str) -> None:
    """A single document has no error to show: neither 0 nor a division by zero."""
    values, groups, expected = EDGES[name]
    ids = None if groups is None else np.array(groups, np.int64)
    found = mean_estimate(np.array(values, np.float64), ids)
    seen = (found.value, found.se, found.group_se, found.groups, found.df, found.lower95, found.upper95)
    if name == "the greatest numbers":
        assert seen[:4] == pytest.approx(expected[:4])
        assert seen[5] == pytest.approx(expected[5])
        return
    assert repr(seen) == repr(expected)


@pytest.mark.parametrize(("count", "few"), [(2, True), (9, True), (10, False)])
def test_few_groups_are_said_to_be_few(count: int, few: bool) -> None:
    """Nine documents give an interval that is itself a guess."""
    assert mean_estimate(np.arange(30.0), np.arange(30) % count).few is few
    assert not mean_estimate(np.arange(3.0)).few


def test_groups_that_do_not_fit_are_refused() -> None:
    """Rounded ids would merge documents without a word."""
    for groups in (np.arange(2), np.zeros(3), np.arange(6).reshape(3, 2)):
        with pytest.raises(ValueError, match="integer"):
            group_sums(np.zeros(3), groups)


def test_no_bytes_make_no_ratio() -> None:
    """A division by zero is no number of bits."""
    found = ratio_estimate(np.ones(3), np.zeros(3))
    assert math.isnan(found.value)
    assert math.isnan(found.se)
    negative = ratio_estimate(np.array([1.0, 2.0, 4.0]), -np.array([1.0, 1.0, 2.0]))
    assert negative.se == ratio_estimate(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0])).se > 0


@given(grouped())
def test_a_perplexity_has_the_interval_of_its_logarithm(case: tuple[np.ndarray, np.ndarray]) -> None:
    """An interval of PPL ± t·SE could reach below 1, even below 0."""
    losses, groups = case[0] / 1e4, case[1]
    mean, found = mean_estimate(losses, groups), exp_estimate(losses, groups)
    assert found.value == pytest.approx(math.exp(mean.value))
    assert found.lower95 == pytest.approx(np.exp(mean.lower95))
    assert found.se == close(math.exp(mean.value) * mean.se)
    assert found.group_se == close(math.exp(mean.value) * mean.group_se)


def test_a_perplexity_that_overflows_is_infinite() -> None:
    """No exception, no warning: the mean loss stands beside it."""
    assert exp_estimate(np.array([800.0, 900.0])).value == math.inf
    assert exp_estimate(np.array([3.0])).upper95 == math.inf
    assert math.isnan(perplexity_difference(np.array([800.0, 900.0]), np.array([800.0, 900.0])).value)


def pair(size: int = 300, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    groups = random.integers(0, 40, size)
    base = random.exponential(size=size) + random.normal(size=40)[groups] ** 2
    return base + noise * random.normal(size=size) + 0.05, base, groups


def test_a_difference_of_perplexities_has_the_error_of_pairs() -> None:
    """sqrt(u_q² + u_p² − 2·PPL_q·PPL_p·cov), u = PPL·SE, and over groups the same as by leaving each out in turn."""
    other, base, groups = pair()
    found = perplexity_difference(other, base, groups)
    q, p = exp_estimate(other), exp_estimate(base)
    covariance = np.cov(other, base)[0, 1] / len(base)
    assert found.value == pytest.approx(q.value - p.value, rel=1e-12)
    assert found.se == pytest.approx(math.sqrt(q.se**2 + p.se**2 - 2 * q.value * p.value * covariance), rel=1e-9)
    assert found.group_se == pytest.approx(jackknife(perplexity_difference, other, base, groups), rel=0.05)
    assert found.se < q.se / 3


def jackknife(statistic, one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> float:
    """The standard error from the values without each group: sqrt((G − 1)/G·Σ(v_g − v̄)²)."""
    ids = np.unique(groups)
    left = np.array([statistic(one[groups != each], other[groups != each]).value for each in ids])
    return math.sqrt((len(ids) - 1) * left.var())


def test_near_perplexities_keep_the_digits_of_their_difference() -> None:
    """A model in another dtype differs in the twelfth digit: the difference of two rounded exponentials has three."""
    base = np.random.default_rng(4).exponential(size=50)
    other = base + 1e-12 * np.arange(50)
    mean, shift = (sum(map(Fraction, values.tolist())) / 50 for values in (base, other - base))
    found = perplexity_difference(other, base)
    assert found.value == pytest.approx(math.exp(mean) * math.expm1(shift), rel=1e-13)


def test_a_correlation_is_pearsons() -> None:
    """SciPy has the value; its error is that of leaving each group or row out in turn."""
    other, base, groups = pair(noise=0.7)
    found = correlation(other, base, groups)
    assert found.value == pytest.approx(stats.pearsonr(other, base).statistic, rel=1e-13)
    assert found.group_se == pytest.approx(jackknife(correlation, other, base, groups), rel=0.3)
    assert found.se == pytest.approx(jackknife(correlation, other, base, np.arange(300)), rel=0.1)
    assert -1 < found.lower95 < found.value < found.upper95 < 1
    assert correlation(-other, base, groups).upper95 == pytest.approx(-found.lower95, rel=1e-12)
    assert correlation(5 - 3 * base, base).value == -1.0


def test_of_normal_rows_the_interval_is_fishers() -> None:
    """Where his assumption holds, both say the same."""
    random = np.random.default_rng(5)
    base = random.normal(size=20_000)
    other = base + random.normal(size=20_000)
    found, fisher = correlation(other, base), stats.pearsonr(other, base).confidence_interval(0.95)
    assert (found.lower95, found.upper95) == pytest.approx((fisher.low, fisher.high), abs=3e-4)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        ([], (NAN, NAN, NAN)),
        ([1.0], (NAN, NAN, NAN)),
        ([2.0] * 9, (NAN, NAN, NAN)),
        ([1.0, INF, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], (NAN, NAN, NAN)),
        ([1.0, 3.0], (1.0, -1.0, 1.0)),
        ([1.0, 3.0, 5.0, 7.0, 9.0], (1.0, 1.0, 1.0)),
    ],
)
def test_a_correlation_that_says_nothing_says_so(one: list[float], expected: tuple[float, float, float]) -> None:
    """Two rows always lie on a line: that is no evidence."""
    column = np.array(one)
    found = correlation(column, np.arange(float(len(one))))
    assert repr((found.value, found.lower95, found.upper95)) == repr(expected)


def test_near_columns_keep_the_digits_of_their_gap() -> None:
    """r = 0.99999999999… of a model in another dtype: 1 − r must not be rounding."""
    base = np.random.default_rng(6).normal(size=400)
    other = base + 1e-6 * np.random.default_rng(7).normal(size=400)
    found = correlation(other, base)
    assert 1e-13 < 1 - found.upper95 < 1 - found.value < 1 - found.lower95 < 2e-12
    assert found.se == pytest.approx((1 - found.value) * 0.07, rel=0.2)
