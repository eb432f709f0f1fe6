"""The true loss of transformed logits y, enclosed by proof: y = x/T, and then y = K·tanh(y/K), of the stored x.

In float64 both divisions and the product err by u each, and tanh by E·u, E = 8, as numpy's exp does; a relative error δ
of its argument moves tanh by no more than δ, relatively, as tanh is concave from 0 on.  So ŷ errs by

    |ŷ − y| ≤ h := 12u·|y| + 2⁻⁹⁰⁰

the last for what is below the normal range, T and K being at most 10³⁰.  Let every logit of a row be off by at most h.
A gap d_c = max y − y_c is then off by 2h, and −log p_c = logsumexp(y) − y_c as well, whose gradient has an absolute sum
of at most 2.  T = Σ_{c≠a} exp(−d_c) is off by a factor e^{±2h} (where another class becomes the greatest, both are
within 2h of each other and stand for one another), hence so is λ = log1p(T), as log1p(kT) ≤ k·log1p(T) for k ≥ 1.  A
label whose stored logit is the greatest has the gap 0, and a loss that is off by (e^{2h} − 1)·λ alone.

Exactly, y is a dyadic fraction ỹ with |ỹ − y| < 2^(1−w): a quotient of integers, or of t = (1 − e)/(1 + e), e =
exp(−2|z|) of `fixedpoint`, whose slope is at most 2; and the same argument gives the loss of y next to that of ỹ.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.digits import counting, enclose_exactly
from xentcli.losses.fixedpoint import exp_of_gap
from xentcli.losses.reference import KERNEL, UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.losses.class_sums import Floats
    from xentcli.losses.digits import Backend, Coefficients, Interval, Row
    from xentcli.losses.reference import Bools, Rows
    from xentcli.question.transform import Transform

OUTWARD = 1.0 + 2.0**-20  # covers products of errors, and the rounding of this bound
SMALLEST = 2.0**-900
SHORT = 1.0  # 2h up to which e^{2h} is worth asking
SPARE = 64  # bits more than asked for, at the least
ATTEMPTS = 6  # doublings of the precision
EXTRA = 24  # bits of e more than of t


def in_float64(transform: Transform, numbers: Floats) -> Floats:
    """ŷ of stored numbers, of their shape."""
    scaled = numbers if transform.temperature is None else numbers / transform.temperature
    return scaled if transform.softcap is None else transform.softcap * np.tanh(scaled / transform.softcap)


def float64_radius(greatest: Floats) -> Floats:
    """h of rows whose greatest |ŷ| is this; [rows]."""
    radius: Floats = (KERNEL + 4.0) * UNIT * greatest * OUTWARD + SMALLEST
    return radius


def moved(rows: Rows, radius: Floats, is_top: Bools) -> Floats:
    """How far the losses may be from these where every logit of a row is off by up to `radius`; all are [rows].

    is_top  rows whose label has the greatest of the stored logits
    """
    shift = 2.0 * radius
    with np.errstate(all="ignore"):
        of_sum = np.minimum(shift, np.expm1(shift) * rows.log_sum * OUTWARD + SMALLEST)
        own = np.where(is_top & (rows.gap == 0.0) & (shift < SHORT), of_sum, shift)
        distance: Floats = (np.abs(rows.scale) * own + rows.coefficient_total * shift) * OUTWARD
    return np.where(rows.ignored, 0.0, distance)


def enclose_transformed(
    transform: Transform,
    logits: Sequence[float],
    coefficients: Coefficients,
    bits: int,
    backend: Backend | None = None,
) -> Interval:
    """Encloses the loss of a row of stored logits; arguments and errors as for `digits.enclose_exactly`.

    The ends are 2^-bits of the loss apart, unless it is so small, or terms of both signs cancel so far, that some
    doublings of the precision do not get there.

    >>> from xentcli.question.transform import Transform
    >>> lower, upper = enclose_transformed(Transform(temperature=2.0), [2.0, 0.0], {0: Fraction(1)}, 64)
    >>> float(lower), float(upper)
    (0.3132616875182228, 0.3132616875182228)
    """
    lower, upper = Fraction(0), Fraction(0)
    for width in (bits + SPARE << attempt for attempt in range(ATTEMPTS)):
        lower, upper = _enclosed(nearby(transform, width), (logits, coefficients), bits + 2, width, backend)
        if (upper - lower) * 2**bits <= max(lower, -upper):
            break
    return lower, upper


def _enclosed(
    near: Callable[[float], float | Fraction], row: Row, bits: int, width: int, backend: Backend | None
) -> Interval:
    """The loss of ỹ, which `near` gives, and what y may be off from it."""
    logits, coefficients = row
    bent = [near(logit) for logit in logits]
    lower, upper = enclose_exactly(bent, coefficients, bits, backend)
    terms, shift = counting(coefficients), Fraction(4, 1 << width)  # 2h
    greatest = max(bent)
    if all(logits[index] == max(logits) and bent[index] == greatest for index in terms):
        reach = 2 * shift * max(abs(lower), abs(upper))  # e^{2h} − 1 is below twice 2h; the loss is a multiple of λ
    else:
        reach = shift * sum((abs(each) for each in terms.values()), Fraction(0))
    return lower - reach, upper + reach


def nearby(transform: Transform, width: int) -> Callable[[float], float | Fraction]:
    """The function that gives ỹ of a logit; an infinite one stays infinite where nothing caps it."""
    temperature = Fraction(1 if transform.temperature is None else transform.temperature)
    cap = None if transform.softcap is None else Fraction(transform.softcap)

    @cache
    def near(logit: float) -> float | Fraction:
        if math.isinf(logit):
            return logit if cap is None else _floor(cap if logit > 0.0 else -cap, width)
        scaled = Fraction(logit) / temperature
        if cap is None:
            return _floor(scaled, width)
        bent = cap * _tanh(abs(scaled) / cap, width + math.ceil(cap).bit_length())
        return _floor(bent if logit > 0.0 else -bent, width)

    return near


def _floor(value: Fraction, width: int) -> Fraction:
    """Less than 2^-width below."""
    return Fraction((value.numerator << width) // value.denominator, 1 << width)


def _tanh(argument: Fraction, width: int) -> Fraction:
    """tanh of what is not negative, off by less than 2^-width."""
    if argument >= width:  # 1 − tanh is below 2·exp(−2·width)
        return Fraction(1)
    places = width + EXTRA
    power, _, reduced = exp_of_gap(math.floor(2 * argument * (1 << places)), places, places)
    one = 1 << (places + reduced)
    return Fraction(one - power, one + power)
