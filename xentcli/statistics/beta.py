"""The incomplete beta function, on which Student's t and the binomial distribution stand."""

from __future__ import annotations

import math
from typing import NamedTuple

STEPS = 100_000  # of the fraction: the square root of a few times the greater of a and b is enough
CONVERGED = 2.0**-52
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
LARGE = 10.0  # from here on, what follows the terms of Stirling's series is below 1e-15


class Beta(NamedTuple):
    """I_x(a, b), its complement, and its slope: x·y·dI/dx = x^a·y^b / B(a, b)."""

    lower: float
    upper: float
    slope: float


def incomplete_beta(a: float, b: float, x: float, y: float) -> Beta:
    """The regularised I_x(a, b), a and b > 0; y = 1 − x is given too, so that neither of them cancels.

    The smaller tail is computed, to a relative 1e-11 or better for a, b up to 1e9, by the continued fraction of
    DiDonato and Morris (1992), ACM TOMS 18, equation 9; the other one is what is left.
    """
    if x <= 0.0 or y <= 0.0:
        return Beta(0.0, 1.0, 0.0) if x <= 0.0 else Beta(1.0, 0.0, 0.0)
    slope = _slope(a, b, x, y)
    if (a + b) * x <= a:
        lower = slope / _fraction(a, b, x, y)
        return Beta(lower, 1.0 - lower, slope)
    upper = slope / _fraction(b, a, y, x)
    return Beta(1.0 - upper, upper, slope)


def binomial_at_most(most: int, count: int, chance: float) -> float:
    """P(X ≤ most), X successes in `count` trials: I_(1 − chance)(count − most, most + 1)."""
    if not 0 <= most < count:
        return float(most >= count)
    return incomplete_beta(count - most, most + 1, 1.0 - chance, chance).lower


def _fraction(a: float, b: float, x: float, y: float) -> float:
    """β₁ + α₂/(β₂ + α₃/(β₃ + …)) for x ≤ a/(a + b), by the method of Lentz."""
    above = (a + b) * y - b if a > b else a - (a + b) * x  # λ, without the cancellation of the greater one
    value = ahead = a / (a + 1.0) * (above + 1.0)
    behind = 0.0
    for n in range(1, STEPS):
        odd, spread = a + 2.0 * n - 1.0, n * (b - n) * x
        alpha = (a + n - 1.0) / odd * (a + b + n - 1.0) / odd * spread * x
        beta = n + spread / odd + (a + n) / (odd + 2.0) * (above + 1.0 + n * (1.0 + y))
        behind = 1.0 / (beta + alpha * behind)
        ahead = beta + alpha / ahead
        value *= ahead * behind
        if abs(ahead * behind - 1.0) <= CONVERGED:
            return value
    raise ArithmeticError(f"the incomplete beta function of a = {a}, b = {b} at {x} did not converge")


def _slope(a: float, b: float, x: float, y: float) -> float:
    """x^a·y^b / B(a, b) by deviances: no logarithm of a gamma function cancels; C. Loader (2000), Fast and accurate
    computation of binomial probabilities.
    """
    total = a + b
    exponent = _stirling_error(total) - _stirling_error(a) - _stirling_error(b)
    exponent -= _deviance(a, total * x) + _deviance(b, total * y)
    return math.sqrt(a / total * b / math.tau) * math.exp(exponent)


def _deviance(found: float, expected: float) -> float:
    """found·log(found/expected) − (found − expected): what `expected` is off moves it in the second order alone."""
    apart = found - expected
    near = abs(apart) < expected / 2.0
    return found * (math.log1p(apart / expected) if near else math.log(found / expected)) - apart


def _stirling_error(a: float) -> float:
    """log Γ(a) − ((a − 1/2)·log a − a + log(2π)/2)."""
    if a < LARGE:
        return math.lgamma(a) - ((a - 0.5) * math.log(a) - a + 0.5 * math.log(math.tau))
    return sum(term / a ** (2 * power + 1) for power, term in enumerate(STIRLING))
