"""The true loss of a row as an interval of rationals, as narrow as asked for, and the decimal digits that it proves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact
from fractions import Fraction
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from xentcli.losses.fixedpoint import GUARD_BITS, log1p_ratio, log1p_sum_exp

if TYPE_CHECKING:
    from xentcli.numbers.given import Form

Interval = tuple[Fraction, Fraction]
Scaled = tuple[int, int, int]  # (lower, upper, width): the interval from lower 2^-width to upper 2^-width
Coefficients = Mapping[int, Fraction] | Sequence[Fraction]
Logits = Sequence[float | Fraction]  # a fraction is dyadic
Row = tuple[Sequence[float], Coefficients]
Backend = Literal["flint", "integers"]
Enclosing = Callable[[Sequence[float], Coefficients, int, Backend | None], Interval]

DEEPEST = 16494  # 2^-16494 is the least positive number of the widest IEEE format, binary128
FLINT_PAYS = 1 << 14  # logits from which on the import of flint is won back
ATTEMPTS = 4  # doublings of the precision that `decide_digits` tries
BELOW_ONE = GUARD_BITS + 56  # more bits than asked for: −log of the float64 below 1 is 2^-53
PLAIN_EXPONENTS = range(-7, 21)  # decimal exponents that are written without an e


def enclose_exactly(logits: Logits, coefficients: Coefficients, bits: int, backend: Backend | None = None) -> Interval:
    """Encloses the loss of one row: (lower, upper), at most 2^-bits times the loss apart, however small the loss is.

    x_c            the logits as stored, taken as exact numbers; −inf masks a class
    a_c            the coefficients, of any sign: {y: 1} for a plain label; class weights, label smoothing and target
                   probabilities give others. A zero coefficient is none
    d_c = m − x_c  the gap to the greatest logit m = x_a
    λ              log(1 + Σ_{c ≠ a} exp(−d_c)), so that −log p_c = λ + d_c

        loss = Σ_c a_c (λ + d_c) = Q λ + Σ_c a_c d_c,    Q = Σ_c a_c        in nats

    The ends are equal where the loss is rational by form: one finite logit, or Q = 0. Every other loss is irrational
    (Lindemann-Weierstrass), so it is not 0 and has an interval narrow in proportion. The one exception: where λ is
    sure to be below 2^-16494, the interval is that of λ in [0, 2^-16494].

    Raises ValueError for a logit that is NaN or +inf, a row without finite logits, and a coefficient on a −inf logit.
    The backends give different intervals, each proven; the default is python-flint where it is installed.
    """
    gaps, places = _exact_gaps(logits)
    slope, offset, denominator = _linear_part(gaps, places, coefficients)
    log_sum = _log_sum(list(gaps.values()), places, backend)
    lower, upper, width = _narrow(slope, offset, log_sum, bits)
    return Fraction(lower, denominator << width), Fraction(upper, denominator << width)


def enclose_logarithms(
    logarithms: Sequence[float], coefficients: Coefficients, bits: int, backend: Backend | None = None
) -> Interval:
    """The loss −Σ_c a_c·x_c of log-probabilities x_c, exactly: both ends are equal, whatever the precision.

    Raises ValueError for a coefficient on a −inf, or on what is no number.
    """
    _ = bits, backend
    weighted = counting(coefficients)
    if any(not math.isfinite(logarithms[index]) for index in weighted):
        raise ValueError("the loss is not finite: a class has a coefficient, but no finite logarithm")
    total = -sum((a * Fraction(logarithms[index]) for index, a in weighted.items()), Fraction(0))
    return total, total


def enclose_probabilities(
    probabilities: Sequence[float], coefficients: Coefficients, bits: int, backend: Backend | None = None
) -> Interval:
    """Encloses the loss −Σ_c a_c·log p_c of probabilities p_c, at most 2^-bits of its size apart.

    Where terms of both signs cancel, the ends are as close as ATTEMPTS doublings of the precision bring them.
    Raises ValueError for a coefficient on what has no logarithm.
    """
    _ = backend
    weighted = counting(coefficients)
    if any(not 0.0 < probabilities[index] < math.inf for index in weighted):
        raise ValueError("the loss is not finite: a class has a coefficient, but no logarithm")
    lower = upper = Fraction(0)
    for width in (bits + BELOW_ONE << attempt for attempt in range(ATTEMPTS)):
        terms = [sorted(a * end for end in _minus_log(probabilities[index], width)) for index, a in weighted.items()]
        lower, upper = (sum(ends, Fraction(0)) for ends in zip(*terms, strict=True)) if terms else (lower, upper)
        if (upper - lower) * 2**bits <= max(lower, -upper):
            break
    return lower, upper


def counting(coefficients: Coefficients) -> dict[int, Fraction]:
    """The classes that have a coefficient."""
    pairs = coefficients.items() if isinstance(coefficients, Mapping) else enumerate(coefficients)
    return {index: coefficient for index, coefficient in pairs if coefficient}


def _minus_log(probability: float, width: int) -> Interval:
    """Encloses −log p to about 2^-width: log(1 + (1 − p)/p), and beyond 1 the negative of log(1 + (p − 1))."""
    numerator, denominator = probability.as_integer_ratio()
    if numerator == denominator:
        return Fraction(0), Fraction(0)
    sign, below = (1, numerator) if numerator < denominator else (-1, denominator)
    ends = log1p_ratio(abs(denominator - numerator), below, width)
    lower, upper = sorted(sign * Fraction(end, 1 << width) for end in ends)
    return lower, upper


def enclose_total(rows: Collection[Row], denominator: Fraction, bits: int, backend: Backend | None = None) -> Interval:
    """Encloses Σ loss / denominator over `rows` of (logits, coefficients), each loss within 2^-bits of its size."""
    intervals = [enclose_exactly(logits, coefficients, bits, backend) for logits, coefficients in rows]
    lower = sum((interval[0] for interval in intervals), Fraction(0))
    upper = sum((interval[1] for interval in intervals), Fraction(0))
    lower, upper = sorted((lower / denominator, upper / denominator))  # a sum of weights may be negative
    return lower, upper


def decide_digits(enclose: Callable[[int], Interval], digits: int) -> str | None:
    """The number that `enclose(bits)` encloses, rounded to `digits` significant digits, half to even; see `decimal`.

    The precision is doubled until the ends agree (Ziv's strategy). None when they never do: the interval does not
    shrink, as below 2^-16494, or it is that of a total of losses of both signs that cancel.

    >>> decide_digits(lambda bits: enclose_exactly([0.0, 0.0], {0: Fraction(1)}, bits), 31)
    '0.6931471805599453094172321214582'
    """
    bits = max(64, 4 * digits)
    for precision in (bits << attempt for attempt in range(ATTEMPTS)):
        text = decimal(*enclose(precision), digits)
        if text is not None:
            return text
    return None


def decimal(lower: Fraction, upper: Fraction, digits: int) -> str | None:
    """The decimal of `digits` significant digits that both ends round to, half to even; None when they differ.

    It keeps its trailing zeros, unless the ends are equal and the decimal is exact: 120, not 120.000.
    """
    context = Context(prec=digits, Emin=MIN_EMIN, Emax=MAX_EMAX)
    rounded, other = (context.divide(Decimal(end.numerator), Decimal(end.denominator)) for end in (lower, upper))
    if rounded != other:
        return None
    if not context.flags[Inexact]:
        return _written(rounded.normalize(context))
    last_place = Decimal((0, (1,), rounded.adjusted() - digits + 1))
    return _written(rounded.quantize(last_place, context=context))


def _written(number: Decimal) -> str:
    return f"{number:f}" if number.adjusted() in PLAIN_EXPONENTS else f"{number:e}"


def quicker_backend(logits: int) -> Backend:
    """The backend that is done first with so many logits: importing flint takes a tenth of a second."""
    return "flint" if logits >= FLINT_PAYS and has_flint() else "integers"


@cache
def has_flint() -> bool:
    """Whether python-flint can be imported; tried once."""
    try:
        import_module("flint")
    except ImportError:
        return False
    return True


def _flint_log1p_sum_exp(counts: Mapping[int, int], places: int, bits: int) -> Scaled:
    """What `fixedpoint.log1p_sum_exp` encloses, by Arb, whose every ball contains the exact result."""
    flint = import_module("flint")
    with flint.ctx.workprec(bits + GUARD_BITS + sum(counts.values()).bit_length()):
        unit = flint.arb((-1, -places))
        ball = sum((count * (gap * unit).exp() for gap, count in counts.items()), flint.arb(0)).log1p()
    middle, exponent = map(int, ball.mid().man_exp())
    radius, radius_exponent = map(int, ball.rad().man_exp())
    width = -min(exponent, radius_exponent)
    middle, radius = middle << (exponent + width), radius << (radius_exponent + width)
    return middle - radius, middle + radius, width


# the enclosure of a row's loss, by what its numbers are
ENCLOSURES: dict[Form, Enclosing] = {
    "logits": enclose_exactly,
    "binary": enclose_exactly,
    "log-probabilities": enclose_logarithms,
    "probabilities": enclose_probabilities,
}

LOG_SUMS: dict[Backend, Callable[[Mapping[int, int], int, int], Scaled]] = {
    "integers": log1p_sum_exp,
    "flint": _flint_log1p_sum_exp,
}


def _exact_gaps(logits: Logits) -> tuple[dict[int, int], int]:
    """The gaps of the finite logits, by class, in units of 2^-places; and places."""
    if not all(logit < math.inf for logit in logits):  # no NaN is
        raise ValueError("a loss with a NaN or +inf logit is NaN")
    ratios = {index: logit.as_integer_ratio() for index, logit in enumerate(logits) if logit > -math.inf}
    if not ratios:
        raise ValueError("a loss without finite logits is NaN")
    unit = max(denominator for _, denominator in ratios.values())  # a power of two, as all of them
    exact = {index: numerator * (unit // denominator) for index, (numerator, denominator) in ratios.items()}
    greatest = max(exact.values())
    return {index: greatest - logit for index, logit in exact.items()}, unit.bit_length() - 1


def _linear_part(gaps: Mapping[int, int], places: int, coefficients: Coefficients) -> tuple[int, int, int]:
    """The integers (slope, offset, denominator) of loss = (slope λ + offset) / denominator."""
    weighted = counting(coefficients)
    if masked := weighted.keys() - gaps.keys():
        raise ValueError(f"the loss is infinite: class {min(masked)} has a coefficient, but no finite logit")
    shared = math.lcm(*(coefficient.denominator for coefficient in weighted.values()))
    whole = {index: a.numerator * (shared // a.denominator) for index, a in weighted.items()}
    offset = sum(coefficient * gaps[index] for index, coefficient in whole.items())
    return sum(whole.values()) << places, offset, shared << places


def _log_sum(gaps: list[int], places: int, backend: Backend | None) -> Callable[[int], Scaled]:
    """The function of the precision that encloses λ."""
    gaps.remove(0)  # one class at the maximum is the 1 of log(1 + …)
    if not gaps:
        return lambda _: (0, 0, 0)
    if min(gaps) >= (DEEPEST + len(gaps).bit_length()) << places:
        return lambda _: (0, 1, DEEPEST)
    return partial(LOG_SUMS[backend or ("flint" if has_flint() else "integers")], Counter(gaps), places)


def _narrow(slope: int, offset: int, log_sum: Callable[[int], Scaled], bits: int) -> Scaled:
    """Encloses slope λ + offset to within 2^-bits of it, raising the precision of λ as far as that takes.

    An enclosure of λ from 0 on is taken as it is: `_log_sum` has no better one.
    """
    precision = bits
    while True:
        below, above, width = log_sum(precision)
        lower, upper = sorted(slope * end + (offset << width) for end in (below, above))
        if not below or (upper - lower) << bits <= max(lower, -upper):
            return lower, upper, width
        precision *= 2  # coefficients of both signs cancel, perhaps around 0
