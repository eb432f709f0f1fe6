"""The exact sum against `fractions`: what it adds, how it merges, how it rounds, and what it writes."""

from __future__ import annotations

import functools
import json
import math
import operator
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import InputError
from xentcli.numbers.exactsum import CHUNK, ExactSum, nearest_float

SMALLEST = 5e-324
LARGEST = 1.7976931348623157e308
NEARLY_TWO = math.nextafter(2.0, 0.0)  # all 53 bits set: the greatest load on a bin
OVERFLOW = (2 - Fraction(1, 2**53)) * Fraction(2) ** 1023  # from here on, rounding to nearest gives infinity

finite_floats = st.floats(allow_nan=False, allow_infinity=False, width=64)
finite_lists = st.lists(
    finite_floats | st.sampled_from([0.0, -0.0, SMALLEST, -SMALLEST, LARGEST, -LARGEST]), max_size=40
)
any_lists = st.lists(st.floats() | st.sampled_from([math.inf, -math.inf, math.nan]), max_size=20)


def exact(values: list[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction(0))


@given(finite_lists)
def test_sum_is_exact(values):
    """A total that is off by one unit turns a proven mean into a guess."""
    total = ExactSum.of(values)
    assert total.is_finite
    assert total.fraction() == exact(values)


@given(finite_lists)
def test_value_is_rounded_once(values):
    """The printed total is the float nearest to the true one; math.fsum agrees wherever it does not overflow."""
    total = ExactSum.of(values).value()
    if abs(exact(values)) >= OVERFLOW:
        assert total == (math.inf if exact(values) > 0 else -math.inf)
        return
    error = abs(Fraction(total) - exact(values))
    assert all(
        error <= abs(Fraction(neighbour) - exact(values))
        for neighbour in (math.nextafter(total, math.inf), math.nextafter(total, -math.inf))
        if math.isfinite(neighbour)
    )


def test_a_plain_sum_would_be_noticed():
    """Shows that the inputs of this file tell an exact sum from float additions, in any order and by pairs."""
    values = [1e16, 1.0, -1e16, 1.0]
    assert functools.reduce(operator.add, values) == np.sum(values) == 1.0  # Python 3.12's own sum is compensated
    assert ExactSum.of(values).value() == 2.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0.0),
        ([-0.0], 0.0),
        ([SMALLEST], SMALLEST),
        ([SMALLEST, -SMALLEST], 0.0),
        ([2.0**-1022, -SMALLEST], 2.0**-1022 - SMALLEST),
        ([LARGEST], LARGEST),
        ([LARGEST, 2.0**969], LARGEST),
        ([LARGEST, 2.0**970], math.inf),
        ([-LARGEST, -(2.0**970)], -math.inf),
        ([LARGEST] * 9 + [-LARGEST] * 8, LARGEST),
        ([1.0, 2.0**-53], 1.0),
        ([1.0, 2.0**-53, SMALLEST], 1.0 + 2.0**-52),
    ],
)
def test_edges_of_the_format(values, expected):
    """Overflow on the way is none, overflow at the end is IEEE's, and ties go to even until one unit breaks them."""
    assert ExactSum.of(values).value() == expected


@given(any_lists)
def test_infinities_and_nan_follow_ieee(values):
    """One infinite loss makes the total infinite, not an exception; opposite infinities and NaN make it NaN."""
    value = ExactSum.of(values).value()
    if any(map(math.isnan, values)) or {math.inf, -math.inf} <= set(values):
        assert math.isnan(value)
    elif math.inf in values or -math.inf in values:
        assert value == (math.inf if math.inf in values else -math.inf)
    else:
        assert value == nearest_float(exact(values))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_fraction_of_what_is_not_finite(value):
    """Bounds computed from a fraction must not silently leave the infinite row out."""
    total = ExactSum.of([1.0, value])
    assert not total.is_finite
    with pytest.raises(ValueError, match="infinity or a NaN"):
        total.fraction()


@given(st.data(), any_lists)
def test_order_and_split_change_nothing(data, values):
    """The same bytes for any block size, worker count and order of arrival."""
    shuffled = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))
    in_parts = ExactSum.of(shuffled[:cut])
    in_parts.add(shuffled[cut:])
    assert in_parts == ExactSum.of(values)
    assert ExactSum.of(shuffled[cut:]) + ExactSum.of(shuffled[:cut]) == ExactSum.of(values)


@given(any_lists, any_lists, any_lists)
def test_merging_is_associative_and_commutative(first, second, third):
    """Shards may be merged in a tree, in a chain, or as they arrive."""
    a, b, c = map(ExactSum.of, (first, second, third))
    assert (a + b) + c == a + (b + c) == ExactSum.of(first + second + third)
    assert a + b == b + a
    assert a + ExactSum() == a


def test_merge_leaves_the_other_alone():
    """A shard that was merged once can be merged again elsewhere."""
    total, shard = ExactSum.of([1.0]), ExactSum.of([2.0, math.inf])
    total.merge(shard)
    assert total == ExactSum.of([1.0, 2.0, math.inf])
    assert shard == ExactSum.of([2.0, math.inf])


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 2**20 - 1, 2**20, 2**20 + 1])
@pytest.mark.parametrize("value", [NEARLY_TWO, -NEARLY_TWO, LARGEST, 2.0**-1022 - SMALLEST])
def test_full_bins_do_not_round(size, value):
    """Equal values with every mantissa bit set load one bin as far as a chunk can, on both sides of its boundary."""
    assert ExactSum.of(np.full(size, value)).fraction() == size * Fraction(value)


def test_one_value_beyond_the_chunk_is_added():
    """An off-by-one in the chunks would lose or repeat the row at the boundary."""
    values = np.zeros(CHUNK + 1)
    values[[CHUNK - 1, CHUNK]] = [1.0, 2.0**-60]
    assert ExactSum.of(values).fraction() == 1 + Fraction(1, 2**60)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", ">f8"])
def test_narrow_and_foreign_floats_widen_exactly(dtype):
    """Losses come in the path's dtype, and files in either byte order."""
    values = np.array([[0.1, -2.5], [1 / 3, 6e-5]], dtype)
    assert ExactSum.of(values).fraction() == exact(values.astype(np.float64).ravel().tolist())


@pytest.mark.parametrize("count", [0, 1, 2**53 + 1])
def test_a_count_is_a_sum_of_ones(count):
    """The denominator of a mean is a count of samples, however many."""
    assert ExactSum.of_count(count).fraction() == count
    assert ExactSum.of_count(3) == ExactSum.of([1.0, 1.0, 1.0])


def test_any_memory_layout():
    """Blocks are often slices or transposes of bigger arrays."""
    grid = np.random.default_rng(0).normal(size=(7, 5))
    assert ExactSum.of(grid.T[::2]) == ExactSum.of(np.ascontiguousarray(grid.T[::2]))
    assert ExactSum.of(np.empty((0, 3))) == ExactSum()
    assert ExactSum.of(2.5) == ExactSum.of([2.5])


long_double_is_longer = pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is float64 here")


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**53 + 1]),
        np.array([True]),
        np.array([1j]),
        np.array(["1"]),
        pytest.param(np.array([1], np.longdouble), marks=long_double_is_longer),
    ],
)
def test_only_floats_that_widen_exactly(values):
    """Wide integers and long doubles would be rounded on the way in, and the sum would no longer be exact."""
    with pytest.raises(TypeError, match="at most 64 bits"):
        ExactSum.of(values)


@given(any_lists)
def test_json_reads_back(values):
    """A shard's partial result survives the file between two machines, strict JSON included."""
    total = ExactSum.of(values)
    text = json.dumps(total.to_json(), allow_nan=False)
    assert ExactSum.from_json(json.loads(text)) == total


def test_json_of_the_greatest_sums_is_small():
    """Partial results are passed around by the thousand."""
    assert len(json.dumps(ExactSum.of(np.full(10_000, -LARGEST)).to_json())) < 700


GOOD = {"units": "0x1", "positive_infinities": 0, "negative_infinities": 0, "nans": 0}


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "0x1",
        {},
        GOOD | {"more": 1},
        {name: value for name, value in GOOD.items() if name != "nans"},
        *(
            GOOD | {"units": units}
            for units in (1, None, "", "1", "0x", "0x01", "-0x0", "+0x1", "0x1_0", " 0x1", "0x1\n")
        ),
        *(GOOD | {"units": units} for units in (1, None, "", "1", "0x", "0x01", "-0x0", "+0x1", "0x1_0", "0X1", "0xA")),
        *(GOOD | {"units": units} for units in ("1e3", "0xg", " 0x1", "0x1\n")),
        *(GOOD | {"nans": count} for count in (-1, 0.0, True, "0", None)),
        GOOD | {"positive_infinities": -1},
        GOOD | {"negative_infinities": 1.5},
    ],
)
def test_malformed_json_is_refused(content):
    """A truncated or hand-edited partial is an input error that shows what was found, not a wrong total."""
    with pytest.raises(InputError) as caught:
        ExactSum.from_json(content)
    assert caught.value.details["found"]
    assert caught.value.details["expected"]


def test_canonical_json_is_accepted():
    """Shows that the refusals above are about their one change each."""
    assert ExactSum.from_json(GOOD).fraction() == Fraction(1, 2**1074)
    assert ExactSum.from_json(GOOD | {"units": "0x0"}) == ExactSum()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (Fraction(1, 3), 1 / 3),
        (OVERFLOW, math.inf),
        (-OVERFLOW, -math.inf),
        (OVERFLOW - 1, LARGEST),
        (Fraction(1, 2**1075), 0.0),
        (Fraction(1, 2**1075) + Fraction(1, 2**1200), SMALLEST),
    ],
)
def test_nearest_float(fraction, expected):
    """The quotient total / count is rounded once, at both ends of the range as well."""
    assert nearest_float(fraction) == expected


@given(
    st.lists(st.builds(math.ldexp, st.integers(-(2**53), 2**53), st.integers(-1074, 970)), max_size=30),
    st.builds(math.ldexp, st.just(2**53 - 1), st.integers(-1074, 970)),
    st.integers(0, 2 * CHUNK),
)
def test_sum_is_exact_whatever_digits_the_values_share(few, full, repeats):
    """Full chunks of full mantissas, beside values at any distance: what carries digits away must not round."""
    total = ExactSum.of(np.concatenate([few, np.full(repeats, full)]))
    assert total.fraction() == exact(few) + repeats * Fraction(full)


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor does not flush")
def test_sum_is_exact_where_subnormal_numbers_are_flushed():
    """A script that asked torch for speed must not lose what the sum promises to keep."""
    torch.set_flush_denormal(True)
    try:
        units = ExactSum.of(np.array([SMALLEST, 1.0, -SMALLEST, SMALLEST])).units
    finally:
        torch.set_flush_denormal(False)
    assert units == (1 << 1074) + 1


@pytest.mark.parametrize("spread", [1, 39, 76, 77, 115, 300, 2000])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_digits_below_those_taken_at_once_are_added_too(spread, sign):
    """A full chunk of the largest sums, of numbers so far apart that each step leaves digits to the next one."""
    rng = np.random.default_rng(spread)
    exponents = np.linspace(0, -min(spread, 1060), CHUNK).astype(int)
    values = np.ldexp(sign * (2.0 - rng.integers(1, 4, CHUNK) * 2.0**-52), exponents)
    values[1::3] = sign * (2.0 - 2.0**-52)
    assert ExactSum.of(values).fraction() == sum(map(Fraction, values.tolist()), Fraction(0))
    values[::2] *= -1.0
    assert ExactSum.of(values).fraction() == sum(map(Fraction, values.tolist()), Fraction(0))
