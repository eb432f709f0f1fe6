"""True losses and their digits, by both backends, against Arb at a far higher precision."""

from __future__ import annotations

import doctest
import math
import sys
from decimal import Context, Decimal
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xentcli.losses import digits as module
from xentcli.losses.digits import (
    DEEPEST,
    decide_digits,
    enclose_exactly,
    enclose_total,
    has_flint,
)

INF = math.inf
BACKENDS = ["integers", "flint"]
LEAST = Fraction(1, 2**DEEPEST)
LOWEST_FLOAT32 = -3.4028234663852886e38  # what masks are often filled with
LN_2 = "0.69314718055994530941723212145817656807550013436026"
LN_10 = "2.3025850929940456840179914546843642076011014886288"

every_backend = pytest.mark.parametrize("backend", BACKENDS)


def exact_ball(value: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def distance(logits: list[float], coefficients: dict[int, Fraction], value: Fraction) -> flint.arb:
    """The true loss less `value`, as a ball: λ at the working precision, all the rest exact."""
    exact = [Fraction(logit) for logit in logits if logit > -INF]
    greatest = max(exact)
    linear = sum(a * (greatest - Fraction(logits[label])) for label, a in coefficients.items())
    exact.remove(greatest)
    log_sum = sum((exact_ball(logit - greatest).exp() for logit in exact), flint.arb(0)).log1p()
    return exact_ball(Fraction(sum(coefficients.values()))) * log_sum + exact_ball(linear - value)


def assert_proven_and_tight(logits, coefficients, bits, backend):
    lower, upper = enclose_exactly(logits, coefficients, bits, backend)
    with flint.ctx.workprec(4 * bits + 2000):
        above_lower, above_upper = (distance(logits, coefficients, end) for end in (lower, upper))
    if lower == upper:
        assert above_lower == 0
    else:
        assert above_upper < 0 < above_lower
    allowed = max(min(abs(lower), abs(upper)) / 2**bits, abs(sum(coefficients.values())) * LEAST)
    assert upper - lower <= allowed


ordinary = st.floats(-30, 30)
wide = st.floats(allow_nan=False, allow_infinity=False)
special = st.sampled_from([0.0, -0.0, 1.0, 5e-324, -5e-324, 2.0**-1022, 1e300, -1e300, 1e308, LOWEST_FLOAT32])
masked = st.just(-INF)
logit_lists = st.one_of(
    st.lists(ordinary, min_size=1, max_size=40),
    st.lists(st.integers(-2, 2).map(float) | masked, min_size=1, max_size=40),
    st.lists(ordinary | wide | special | masked, min_size=1, max_size=40),
    st.lists(st.floats(0, 1e-300), min_size=1, max_size=10),
)
coefficient_values = st.fractions(-3, 3, max_denominator=1000) | st.floats(-2, 2).map(Fraction)


@st.composite
def rows(draw):
    """Logits, and a plain label or many coefficients, on classes that are not masked."""
    logits = draw(logit_lists.filter(lambda row: max(row) > -INF))
    classes = [index for index, logit in enumerate(logits) if logit > -INF]
    label = draw(st.sampled_from(classes))
    plain = st.just({label: Fraction(1)})
    many = st.dictionaries(st.sampled_from(classes), coefficient_values.filter(bool), min_size=1)
    return logits, draw(plain | many)


@every_backend
@given(rows(), st.sampled_from([1, 64, 100, 200]))
@settings(deadline=None)
def test_contains_the_true_loss_and_little_else(backend, row, bits):
    """A verdict "wrong" rests on this interval: it must hold the truth, however wild the logits, and be narrow."""
    assert_proven_and_tight(*row, bits, backend)


@given(rows(), st.integers(1, 60))
@settings(deadline=None)
def test_backends_agree_on_every_digit(row, count):
    """A report must not change when somebody installs python-flint."""
    by_backend = [decide_digits(lambda bits, b=backend: enclose_exactly(*row, bits, b), count) for backend in BACKENDS]
    assert by_backend[0] == by_backend[1]


@every_backend
@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [
        ([0.0, 0.0], 0, LN_2),
        ([1e300] * 10, 3, LN_10),
        ([-7.5, -INF, -7.5], 2, LN_2),
        ([0.0, -120.0], 1, "120.00000000000000000000000000000000000000000000000"),
        ([0.0, -100000.0], 1, "100000.00000000000000000000000000000000000000000000"),
        ([0.0, LOWEST_FLOAT32], 1, "3.4028234663852885981170418348451692544000000000000e+38"),
        ([5.0], 0, "0"),
        ([5.0, -INF], 0, "0"),
    ],
)
def test_known_losses(backend, logits, label, expected):
    """Constants that any handbook has, to 50 digits."""
    row = logits, {label: Fraction(1)}
    assert decide_digits(lambda bits: enclose_exactly(*row, bits, backend), 50) == expected


@every_backend
@pytest.mark.parametrize("gap", [46.0, 690.0, 11000.0])
def test_tiny_losses_keep_their_digits(backend, gap):
    """A near-certain prediction costs 1e-20, 1e-300 or less, where lse − x_y would show 0."""
    context = Context(prec=80)
    p = context.exp(Decimal(-gap))
    series = context.subtract(p, context.divide(context.multiply(p, p), 2))  # log1p(p), to a third of p^2
    text = decide_digits(lambda bits: enclose_exactly([0.0, -gap], {0: Fraction(1)}, bits, backend), 30)
    assert text == f"{Context(prec=30).plus(series):e}"


@every_backend
def test_two_sides_of_the_deepest_log_sum(backend):
    """A masked logit of −3.4e38 leaves a loss that is positive, and beyond any number format: it is bounded at once."""
    gap = DEEPEST + 1.0
    label = {0: Fraction(3)}
    assert enclose_exactly([0.0, -gap], label, 64, backend) == (0, 3 * LEAST)
    assert enclose_exactly([0.0, LOWEST_FLOAT32], label, 64, backend) == (0, 3 * LEAST)
    assert decide_digits(lambda bits: enclose_exactly([0.0, -gap], label, bits, backend), 5) is None
    nearer = [0.0, -math.nextafter(gap, 0.0)]
    assert enclose_exactly(nearer, label, 64, backend)[0] > 0
    assert_proven_and_tight(nearer, label, 64, backend)


@every_backend
def test_rational_losses_have_equal_ends(backend):
    """The search for digits ends at once where the loss sits exactly on a decimal."""
    assert enclose_exactly([4.0, -INF], {0: Fraction(2)}, 64, backend) == (0, 0)
    difference = {0: Fraction(1), 1: Fraction(-1)}
    assert enclose_exactly([-120.0, 0.0, 3.0], difference, 64, backend) == (120, 120)
    assert enclose_exactly([1.0, 2.0], {}, 64, backend) == (0, 0)
    assert decide_digits(lambda bits: enclose_exactly([-120.5, 0.0, 3.0], difference, bits, backend), 3) == "120"


@every_backend
def test_cancelling_coefficients_are_refined(backend):
    """Weights of both signs can leave a hundredth decimal of λ: the interval is still narrow relative to the loss."""
    with flint.ctx.workdps(150):
        nearly = Fraction((flint.arb(-1).exp().log1p()).str(100, radius=False))
    coefficients = {0: 1 + nearly, 1: -nearly}  # λ − nearly
    lower, upper = enclose_exactly([0.0, -1.0], coefficients, 64, backend)
    assert max(abs(lower), abs(upper)) < Fraction(1, 10**99)
    assert_proven_and_tight([0.0, -1.0], coefficients, 128, backend)


@every_backend
@given(rows())
@settings(deadline=None, max_examples=30)
def test_a_sequence_of_coefficients_is_the_same(backend, row):
    """Target probabilities come one for each class; zeros on masked classes are none."""
    logits, coefficients = row
    dense = [coefficients.get(index, Fraction(0)) for index in range(len(logits))]
    assert enclose_exactly(logits, dense, 64, backend) == enclose_exactly(logits, coefficients, 64, backend)


@pytest.mark.parametrize(
    ("logits", "coefficients", "message"),
    [
        ([0.0, math.nan], {0: Fraction(1)}, "NaN or"),
        ([0.0, INF], {0: Fraction(1)}, "NaN or"),
        ([], {}, "finite"),
        ([-INF, -INF], {}, "finite"),
        ([0.0, -INF], {1: Fraction(1)}, "class 1 "),
        ([0.0, -INF], [Fraction(1), Fraction(1, 10)], "class 1 "),
        ([0.0, 1.0], {2: Fraction(1)}, "class 2 "),
        ([0.0, 1.0], {-1: Fraction(1)}, "class -1 "),
    ],
)
def test_losses_that_are_no_numbers_are_refused(logits, coefficients, message):
    """Infinite and undefined losses are the caller's named cases; an interval for them would be a lie."""
    with pytest.raises(ValueError, match=message):
        enclose_exactly(logits, coefficients, 64)


@every_backend
@given(st.lists(rows(), max_size=5), st.fractions(-5, 5).filter(bool))
@settings(deadline=None, max_examples=30)
def test_total_is_the_sum_over_the_denominator(backend, samples, denominator):
    """The mean over the sum of weights, which may be negative, as the weights may."""
    lower, upper = enclose_total(samples, denominator, 64, backend)
    singles = [enclose_exactly(*row, 64, backend) for row in samples]
    ends = {sum((single[end] for single in singles), Fraction(0)) / denominator for end in (0, 1)}
    assert (lower, upper) == (min(ends), max(ends))


@every_backend
def test_digits_of_a_mean(backend):
    """What the report prints: (ln 2 + ln 10 + 0) / 3 = ln(20) / 3."""
    plain = {0: Fraction(1)}
    samples = [([0.0] * 2, plain), ([1.0] * 10, plain), ([3.0, -INF], plain)]
    text = decide_digits(lambda bits: enclose_total(samples, Fraction(3), bits, backend), 30)
    assert text == str(Context(prec=30).divide(Context(prec=60).ln(Decimal(20)), 3))


@every_backend
def test_a_total_that_cancels_ends_undecided(backend):
    """ln 2 − ln 2 is 0, which no interval can show: the search must give up, not run on."""
    samples = [([0.0, 0.0], {0: Fraction(1)}), ([0.0, 0.0], {0: Fraction(-1)})]
    assert decide_digits(lambda bits: enclose_total(samples, Fraction(1), bits, backend), 17) is None


def test_without_flint_the_integers_serve(monkeypatch):
    """python-flint is an extra: without it the same losses, only later."""
    row = [0.5, -1.25, 3.0], {1: Fraction(1)}
    has_flint.cache_clear()
    monkeypatch.setitem(sys.modules, "flint", None)
    try:
        assert not has_flint()
        assert enclose_exactly(*row, 64) == enclose_exactly(*row, 64, "integers")
    finally:
        has_flint.cache_clear()


def test_with_flint_it_serves():
    """Shows that the two backends can be told apart, so that the tests above see both."""
    row = [0.5, -1.25, 3.0], {1: Fraction(1)}
    assert has_flint()
    assert enclose_exactly(*row, 64) == enclose_exactly(*row, 64, "flint")
    assert enclose_exactly(*row, 64, "flint") != enclose_exactly(*row, 64, "integers")


def test_the_examples_of_the_docstrings():
    """A reader tries them first."""
    assert doctest.testmod(module).attempted > 0
    assert doctest.testmod(module).failed == 0
