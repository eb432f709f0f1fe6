"""The true numbers of one sample at every step, to some forty digits and more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from xentcli.losses.digits import PLAIN_EXPONENTS, enclose_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xentcli.numbers.given import Form

DIGITS = 40  # beyond what tells the error of a float64 apart
DEEPEST = 360  # digits more for the smallest losses: no float64 but 0 is below 10^-324
LOG_SUM_BITS = 160  # relative, of λ
NAN = Decimal("NaN")
PRINTED = 17  # digits, which tell any two float64 apart


@dataclass(frozen=True, eq=False)
class TrueNumbers:
    """Softmax and its logarithm of logits x_c taken as exact numbers, with m = max x and λ = log Σ exp(x_c − m).

    Everything is NaN where a logit is NaN or +inf, or all of them are −inf.
    """

    logits: Sequence[float]
    context: Context  # rounds each result once

    @cached_property
    def greatest(self) -> Fraction | None:
        """m; None where it is none."""
        known = all(logit < math.inf for logit in self.logits)  # no NaN is
        greatest = max(self.logits)
        return Fraction(greatest) if known and greatest > -math.inf else None

    @cached_property
    def log_sum(self) -> Decimal:
        """λ."""
        if self.greatest is None:
            return NAN
        top = self.logits.index(float(self.greatest))
        return self.decimal(enclose_exactly(self.logits, {top: Fraction(1)}, LOG_SUM_BITS)[0])

    @cached_property
    def total(self) -> Decimal:
        """Σ exp(x_c − m)."""
        return self.context.exp(self.log_sum)

    def logit(self, index: int) -> Decimal:
        return Decimal(self.logits[index])

    def shift(self, index: int) -> Decimal:
        """x_c − m."""
        if self.greatest is None:
            return NAN
        logit = self.logits[index]
        return Decimal(logit) if math.isinf(logit) else self.decimal(Fraction(logit) - self.greatest)

    def exponential(self, index: int) -> Decimal:
        return self.context.exp(self.shift(index))

    def log_probability(self, index: int) -> Decimal:
        """log p_c = x_c − m − λ."""
        return self.context.subtract(self.shift(index), self.log_sum)

    def minus_log(self, index: int) -> Decimal:
        """−log p_c, never −0."""
        return self.context.subtract(self.log_sum, self.shift(index))

    def probability(self, index: int) -> Decimal:
        return self.context.exp(self.log_probability(index))

    def decimal(self, number: Fraction) -> Decimal:
        return rounded(number, self.context)


class GivenLogarithms(TrueNumbers):
    """The same of log-probabilities as they are given: λ and m are 0."""

    @property
    def greatest(self) -> Fraction:
        return Fraction(0)

    @property
    def log_sum(self) -> Decimal:
        return Decimal(0)


class GivenProbabilities(GivenLogarithms):
    """The same of probabilities as they are given."""

    def shift(self, index: int) -> Decimal:
        """log p_c."""
        return self.context.ln(self.logit(index))

    def probability(self, index: int) -> Decimal:
        return self.logit(index)


TRUE_NUMBERS: dict[Form, type[TrueNumbers]] = {
    "logits": TrueNumbers,
    "binary": TrueNumbers,
    "log-probabilities": GivenLogarithms,
    "probabilities": GivenProbabilities,
}


def precise(loss: float) -> Context:
    """A context in which a rounding is nothing next to this loss; it raises nothing: inf − inf is NaN, log 0 −inf."""
    small = -math.log10(abs(loss)) if loss and math.isfinite(loss) else 0.0
    return Context(prec=DIGITS + min(DEEPEST, max(0, math.ceil(small))), Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


def rounded(number: Fraction, context: Context) -> Decimal:
    return context.divide(Decimal(number.numerator), Decimal(number.denominator))


def weigh(coefficients: Mapping[int, Decimal], minus_log: Callable[[int], Decimal], context: Context) -> Decimal:
    """Σ_c a_c·l_c over the classes that have a coefficient."""
    total = Decimal(0)
    for index, coefficient in coefficients.items():
        total = context.fma(coefficient, minus_log(index), total)
    return total


def text(number: Decimal, digits: int = PRINTED) -> str | None:
    """So many digits of it, which `float` reads back as far as a float64 reaches; None for NaN."""
    if number.is_nan():
        return None
    if number.is_infinite():
        return str(float(number))
    short = Context(prec=digits, Emin=MIN_EMIN, Emax=MAX_EMAX).normalize(number)
    return f"{short:f}" if short.adjusted() in PLAIN_EXPONENTS else f"{short:e}"
