"""The shortest decimals that read back as the same float64, of many numbers at once: Schubfach, in whole arrays.

Raffaele Giulietti, "The Schubfach way to render doubles" (2020); the names below are his.  A number is c 2^q; k is the
greatest exponent with 10^k ≤ 2^q, so that among the multiples of 10^k at least one, and among those of 10^(k+1) at most
one rounds to it.  All are compared in quarters of 10^k, as integers that are odd where a digit was cut off.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

LEAST, GREATEST = -292, 324  # exponents of the powers of ten that float64 takes
HALF = 32  # bits of half a word
LOW = np.uint64((1 << HALF) - 1)


def shortest(values: NDArray[np.float64]) -> tuple[Words, Integers]:
    """Integers d and exponents k with |value| ≈ d 10^k, the nearest of the shortest; for finite values.  [rows]."""
    bits = values.view(np.uint64)
    fraction, biased = bits & np.uint64((1 << 52) - 1), (bits >> np.uint64(52)).astype(np.int64) & 0x7FF
    c = fraction + (np.minimum(biased, 1).astype(np.uint64) << np.uint64(52))
    q = np.maximum(biased, 1) - 1075
    is_power = (fraction == 0) & (biased > 1)  # the next smaller number is only half as far as the next greater one
    k = (q * 1262611 - is_power * 524031) >> 22  # floor(log10 2^q), or of 3/4 2^q
    shift = (q + ((-k * 1741647) >> 19) + 1).astype(np.uint64)  # the second is floor(log2 10^-k)
    high, low = (table[-k - LEAST] for table in _powers_of_ten())
    quarters = [_odd_rounded(high, low, ends << shift) for ends in (4 * c - 2 + is_power, 4 * c, 4 * c + 2)]
    return _chosen(*quarters, is_odd=c & np.uint64(1), k=k)


def _chosen(lower: Words, value: Words, upper: Words, *, is_odd: Words, k: Integers) -> tuple[Words, Integers]:
    """The multiple of 10^(k+1) that rounds to the number, else the nearest of 10^k that does; all in quarters of 10^k.

    The ends themselves round to the number where c is even.
    """
    lower, upper = lower + is_odd, upper - is_odd
    s = value >> np.uint64(2)
    tens = s // np.uint64(10)
    below, above = lower <= 40 * tens, 40 * tens + 40 <= upper
    is_ten = (below != above) & (s >= 10)
    floor_fits, ceiling_fits = lower <= 4 * s, 4 * s + 4 <= upper
    middle = 4 * s + 2
    nearer_above = (value > middle) | ((value == middle) & (s % np.uint64(2) == 1))
    rounds_up = np.where(floor_fits != ceiling_fits, ceiling_fits, nearer_above)
    return np.where(is_ten, tens + above, s + rounds_up), k + is_ten


def _odd_rounded(high: Words, low: Words, factor: Words) -> Words:
    """(high 2^64 + low) factor / 2^128, rounded down, and to odd where that is not exact."""
    carried, _ = _product(low, factor)
    top, rest = _product(high, factor)
    rest = rest + carried
    top = top + (rest < carried)
    return top | (rest > 1)


def _product(left: Words, right: Words) -> tuple[Words, Words]:
    """The upper and the lower word of a product."""
    half = np.uint64(HALF)
    left_low, left_high, right_low, right_high = left & LOW, left >> half, right & LOW, right >> half
    one, other = left_low * right_high, left_high * right_low
    middle = (left_low * right_low >> half) + (one & LOW) + (other & LOW)
    return left_high * right_high + (one >> half) + (other >> half) + (middle >> half), left * right


@cache
def _powers_of_ten() -> tuple[Words, Words]:
    """10^e for e from LEAST to GREATEST, to 128 bits, rounded up: the upper and the lower words."""
    powers = [_leading_bits(exponent) for exponent in range(LEAST, GREATEST + 1)]
    high, low = ([word >> place & (1 << 64) - 1 for word in powers] for place in (64, 0))
    return np.array(high, np.uint64), np.array(low, np.uint64)


def _leading_bits(exponent: int) -> int:
    power: int = 10 ** abs(exponent)
    if exponent >= 0:
        return -(-power << 128 >> power.bit_length())
    return -(-(1 << 127 + power.bit_length()) // power)
