"""Losses of given probabilities and log-probabilities: what is enclosed is the true loss, and tightly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq

from xentcli.losses.digits import enclose_logarithms, enclose_probabilities
from xentcli.losses.given import enclose_given

SEEDS = range(4)


def exact(number: float) -> arb:
    return arb(fmpq(*Fraction(number).as_integer_ratio()))


def true_loss(given, row, coefficients):
    """By Arb, from the definition alone."""
    ctx.prec = 400
    minus_log = {"log-probabilities": lambda x: -exact(x), "probabilities": lambda x: -exact(x).log()}[given]
    return sum((exact(a) * minus_log(x) for a, x in zip(coefficients, row, strict=True) if a), arb(0))


def drawn(given, seed, rows=200, classes=7):
    """Probabilities from 1e-300 to the float64 below 1, and their logarithms."""
    rng = np.random.default_rng(seed)
    logs = -rng.choice([1e-16, 1e-3, 1.0, 40.0, 600.0], (rows, classes)) * rng.uniform(0.1, 1.0, (rows, classes))
    return logs if given == "log-probabilities" else np.exp(logs)


def encloses(rows, row, loss: arb) -> bool:
    middle, radius = exact(rows.loss[row]), exact(rows.radius[row])
    return bool(abs(middle - loss) <= radius) or bool(radius == 0 and (middle - loss).contains(0))


@pytest.mark.parametrize("given", ["log-probabilities", "probabilities"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_enclosure_holds_the_true_loss(given, seed):
    """Else a right loss is called wrong; labels, weights of both signs, smoothing and target probabilities."""
    numbers, rng = drawn(given, seed), np.random.default_rng(100 + seed)
    labels, weights = rng.integers(0, 7, len(numbers)), rng.normal(size=7)
    shares = rng.dirichlet(np.ones(7), len(numbers))
    plain = enclose_given(given, numbers, labels)
    scaled = enclose_given(given, numbers, labels, 0.1 / 7 * weights, 0.9 * weights[labels])
    weighed = enclose_given(given, numbers, None, shares)
    for row, label in enumerate(labels):
        own = np.eye(7)[label]
        assert encloses(plain, row, true_loss(given, numbers[row], own))
        mixed = [Fraction(0.1 / 7 * w) + (Fraction(0.9 * w) if c == label else 0) for c, w in enumerate(weights)]
        assert encloses(scaled, row, true_loss(given, numbers[row], mixed))
        assert encloses(weighed, row, true_loss(given, numbers[row], shares[row]))
    for rows in (plain, weighed):
        assert (rows.radius <= 1e-14 * rows.loss + 1e-300).all()  # an infinite interval must fail


def test_a_plain_loss_of_log_probabilities_is_exact():
    """Else the loss of a dump of log_softmax is a float64 and a doubt; it is the stored number with the other sign."""
    rows = enclose_given("log-probabilities", np.array([[-0.1, -3.0], [0.0, -7.0]]), np.array([0, 0]))
    assert rows.loss.tolist() == [0.1, 0.0]
    assert rows.radius.tolist() == [0.0, 0.0]
    assert not np.signbit(rows.loss[1])


@pytest.mark.parametrize(
    ("labels", "shares", "loss"),
    [
        ([0], None, np.inf),
        ([1], None, 0.0),
        ([-1], None, 0.0),
        (None, [[0.5, 0.5]], np.inf),
        (None, [[0.0, 1.0]], np.nan),
    ],
)
def test_a_probability_of_zero_follows_torch(labels, shares, loss):
    """Else 0 and 0 times infinity are something else here than in torch: inf of a label, NaN of a share of 0."""
    target = None if labels is None else np.array(labels)
    rows = enclose_given("probabilities", np.array([[0.0, 1.0]]), target, None if shares is None else np.array(shares))
    np.testing.assert_array_equal(rows.loss, [loss])
    assert rows.radius[0] < 1e-300


def test_what_overflows_float64_is_not_called_infinite():
    """Else a finite loss beyond float64 is an infinity by proof."""
    rows = enclose_given("log-probabilities", np.array([[-1e308, -1.0]]), np.array([0]), scale=np.array([100.0]))
    assert rows.radius[0] == np.inf
    assert rows.lower[0] < 1e308


@pytest.mark.parametrize("bits", [64, 200])
def test_exact_enclosures_of_probabilities_are_narrow_and_right(bits):
    """Else --digits prints digits of another number, or none, of the float64 next to 1 and of the smallest one."""
    numbers = [0.25, 1.0, 2.0**-1074, 1.0 - 2.0**-53, 1.0 + 2.0**-52, 0.7]
    for index in range(len(numbers)):
        lower, upper = enclose_probabilities(numbers, {index: Fraction(3)}, bits)
        ctx.prec = 2 * bits + 100
        truth = -3 * exact(numbers[index]).log()
        assert not bool(truth < arb(fmpq(lower.numerator, lower.denominator)))
        assert not bool(truth > arb(fmpq(upper.numerator, upper.denominator)))
        assert (upper - lower) * 2**bits <= max(abs(lower), abs(upper))


def test_exact_enclosures_of_logarithms_are_points():
    """Else what is rational is printed with as many digits as were asked for, and no more are certain."""
    found = enclose_logarithms([-0.1, -2.0], {0: Fraction(1, 3), 1: Fraction(-1)}, 64)
    assert found == (Fraction(0.1) / 3 - 2, Fraction(0.1) / 3 - 2)
