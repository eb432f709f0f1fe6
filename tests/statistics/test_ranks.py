"""Percentiles, their intervals, and what the worst rows carry: NumPy, SciPy's binomial sums, and laws."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from xentcli.statistics.ranks import Ordered, Percentile, ranks

NUMBERS = st.integers(-(10**6), 10**6).map(lambda number: number / 64)
VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=NUMBERS)
PARTS = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e6))
FRACTIONS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]


@given(VALUES, st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0, *FRACTIONS]))
def test_percentiles_are_numpys(values: np.ndarray, fraction: float) -> None:
    """The default of every tool that prints them, on exact places and between two."""
    found = Ordered.of(values).percentile(fraction).value
    assert found == pytest.approx(np.quantile(values, fraction), rel=1e-12, abs=1e-9)
    assert values.min() <= found <= values.max()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 36, 37, 38, 100, 4137, 1_000_003])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_intervals_are_the_innermost_that_hold(count: int, fraction: float) -> None:
    """At most 2.5 % on each side, whatever the distribution; one rank further in is more. The sums are SciPy's."""
    lower, upper = ranks(count, fraction)
    outside_below = stats.binom(count, fraction).cdf  # of the order statistic r, from 0: P(fewer than r + 1 lie below)
    for rank in (lower, upper):
        assert rank is None or 0 <= rank < count
    first = -1 if lower is None else lower
    assert first == -1 or outside_below(first) <= 0.025
    assert outside_below(first + 1) > 0.025
    last = count if upper is None else upper
    assert last == count or outside_below(last) >= 0.975
    assert outside_below(last - 1) < 0.975


def test_a_known_table_has_the_same_ranks() -> None:
    """The median of 100 rows lies between the 40th and the 61st: David and Nagaraja's table."""
    assert ranks(100, 0.5) == (39, 60)
    assert ranks(5, 0.5) == (None, None)
    assert ranks(6, 0.5) == (0, 5)


def test_too_few_rows_have_no_interval() -> None:
    """The 99.9th percentile of 450 rows has no upper end: the greatest value is not one."""
    found = Ordered.of(np.arange(450.0)).percentile(0.999)
    assert found.upper95 is None
    assert found.lower95 is not None
    assert Ordered.of(np.arange(9.0)).percentile(1.0) == Percentile(1.0, 8.0, None, None)
    assert Ordered.of(np.arange(9.0)).percentile(0.0) == Percentile(0.0, 0.0, None, None)


@given(VALUES, st.sampled_from([0.01, 0.05, 0.3, 0.5, 1.0]))
def test_the_worst_mean_is_that_of_whole_rows_when_all_are_told_again(values: np.ndarray, share: float) -> None:
    """Parts of a row count as parts: of 100 copies of each row, a whole number is taken."""
    copies = np.sort(np.repeat(values, 100))[::-1]
    count = round(share * len(copies))
    expected = copies[:count].mean() if share * len(values) >= 1 else values.max()
    assert Ordered.of(values).worst_mean(share) == pytest.approx(expected, rel=1e-10, abs=1e-7)


@given(PARTS, st.sampled_from([0.01, 0.05, 0.5]))
def test_what_the_worst_carry_is_a_part_of_the_total(values: np.ndarray, share: float) -> None:
    """At least their share, at most all; and the other rows carry what is left."""
    found = Ordered.of(values).worst_share(share)
    if not values.max():
        assert found is None
        return
    copies = np.sort(np.repeat(values, 100))[::-1]
    assert found is not None
    scaled = copies / copies.max()  # sums of subnormal numbers have no digits
    assert found == pytest.approx(scaled[: round(share * len(copies))].sum() / scaled.sum(), rel=1e-9)
    assert share * (1 - 1e-12) <= found <= 1 + 1e-12


@given(PARTS)
def test_half_is_carried_by_the_fewest(values: np.ndarray) -> None:
    """One row less carries less than half, exactly."""
    found = Ordered.of(values).carrying_half()
    parts = sorted(map(Fraction, values.tolist()), reverse=True)
    if not sum(parts):
        assert found is None
        return
    assert found is not None
    assert 2 * sum(parts[:found]) >= sum(parts) > 2 * sum(parts[: found - 1])


def test_rounding_does_not_move_half() -> None:
    """Three of six equal rows carry half, though 0.7 + 0.7 + 0.7 is less than half of 4.2 in floats."""
    assert 0.7 + 0.7 + 0.7 < 4.2 / 2
    assert Ordered.of(np.full(6, 0.7)).carrying_half() == 3


@given(VALUES, st.randoms(use_true_random=False), st.integers(-9, 9))
def test_order_says_nothing_and_units_scale(values: np.ndarray, random: object, power: int) -> None:
    """Rows come from shards and threads in any order."""
    shuffled = values[random.sample(range(len(values)), len(values))] * 2.0**power  # type: ignore[attr-defined]
    one, other = Ordered.of(values), Ordered.of(shuffled)
    assert other.percentile(0.9).value == one.percentile(0.9).value * 2.0**power
    assert other.worst_mean(0.05) == one.worst_mean(0.05) * 2.0**power
    assert other.worst_share(0.05) == one.worst_share(0.05)
    assert other.carrying_half() == one.carrying_half()


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "median", "worst", "half"),
    [
        ([], NAN, NAN, None),
        ([1.0, NAN], NAN, NAN, None),
        ([5.0], 5.0, 5.0, 1),
        ([1.0, 2.0, INF], 2.0, INF, None),
        ([-INF, 1.0], -INF, 1.0, None),
        ([1.0, INF], INF, INF, None),
        ([-INF, INF], -INF, INF, None),
        ([-1.0, 2.0], 0.5, 2.0, None),
        ([0.0, 0.0], 0.0, 0.0, None),
    ],
)
def test_what_is_no_number_or_no_total_is_not_shared_out(
    values: list[float], median: float, worst: float, half: int | None
) -> None:
    """Half of a total with negative parts is nobody's; an infinite loss carries everything and nothing."""
    found = Ordered.of(np.array(values))
    seen = (found.percentile(0.5).value, found.worst_mean(0.05), found.carrying_half())
    assert repr(seen) == repr((median, worst, half))
    assert (found.worst_share(0.05) is None) == (half is None)


@given(hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(0, 1e6) | st.just(math.nan)))
def test_a_division_gives_what_sorting_gives(values: np.ndarray) -> None:
    """Ten million losses need not be sorted for a few percentiles and two means: not a bit may change."""
    fractions, shares = (0.01, 0.5, 0.999), (0.05, 0.01)
    whole, divided = Ordered.of(values), Ordered.divided(values.copy(), fractions, shares)
    for one, other in zip(asked(whole, fractions, shares), asked(divided, fractions, shares), strict=True):
        np.testing.assert_array_equal(np.array(one, float), np.array(other, float))


def asked(ordered: Ordered, fractions: tuple[float, ...], shares: tuple[float, ...]) -> list[list[float | None]]:
    percentiles = [ordered.percentile(each) for each in fractions]
    told = [[each.value, each.lower95, each.upper95] for each in percentiles]
    return [*told, *([ordered.worst_mean(each), ordered.worst_share(each)] for each in shares)]
