"""Exact sums of many runs at once, against `fractions`: whatever the values, and however long the runs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xentcli.numbers.exactsum import CHUNK, ExactSum
from xentcli.numbers.runs import sums_of_runs

EXTREMES = (0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e300)
runs = st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EXTREMES), min_size=1))


def sums(values: list[list[float]]) -> list[ExactSum]:
    starts = np.cumsum([0, *map(len, values)])[:-1]
    return sums_of_runs(np.array([each for run in values for each in run]), starts)


@given(runs)
def test_each_sum_is_exact(values: list[list[float]]) -> None:
    """The parts of a loss add up to the whole, to the last bit, or a share is wrong."""
    assert [total.fraction() for total in sums(values)] == [sum(map(Fraction, run), Fraction(0)) for run in values]


@given(st.lists(st.lists(st.floats(), min_size=1, max_size=5), max_size=8))
def test_what_is_not_finite_stays_in_its_run(values: list[list[float]]) -> None:
    """One masked label must not take the losses of all other documents away."""
    for run, total in zip(values, sums(values), strict=True):
        finite = [each for each in run if math.isfinite(each)]
        counts = (run.count(math.inf), run.count(-math.inf), sum(map(math.isnan, run)))
        assert (total.positive_infinities, total.negative_infinities, total.nans) == counts
        assert total.units == sum(map(Fraction, finite), Fraction(0)) * (1 << 1074)


def test_runs_of_any_length_are_summed() -> None:
    """What is added at once does not round up to a length; a part may have all rows."""
    rng = np.random.default_rng(0)
    lengths = [1, CHUNK, CHUNK + 1, 3 * CHUNK, 2]
    values = [(rng.standard_normal(each) * 10.0 ** rng.integers(-20, 20, each)).tolist() for each in lengths]
    values.append([math.nextafter(2.0, 0.0)] * CHUNK)  # all bits set
    assert [total.fraction() for total in sums(values)] == [sum(map(Fraction, run)) for run in values]
