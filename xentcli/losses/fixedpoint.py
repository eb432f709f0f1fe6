"""log(1 + Σ exp(−gap)) in Python integers, with every rounding counted: the enclosure is proven and needs no library.

A number v is held as an integer in units of 2^-width. Divisions and shifts round down.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HALVINGS = 8  # exp(−r) is the 256th power of exp(−r/256), whose series is short
GUARD_BITS = 32  # a term's error stays below 2^18 units, which leaves a few thousandths of the width asked for


def log1p_sum_exp(counts: Mapping[int, int], places: int, bits: int) -> tuple[int, int, int]:
    """Encloses λ = log(1 + Σ count exp(−gap 2^-places)), over `gap: count`, to within 2^-bits λ.

    Gives (lower, upper, width): lower <= λ 2^width <= upper, and lower is positive. There is at least one gap; gaps are
    not negative, counts and `bits` are positive. The work grows with the least gap, which is at most 2^15 2^places; the
    others may have any size.
    """
    lower, upper, width = _sum_exp(counts, places, bits + GUARD_BITS + sum(counts.values()).bit_length())
    below, error = _log1p(lower, width)
    return below, below + error + (upper - lower), width  # the slope of log(1 + x) is at most 1


def log1p_ratio(numerator: int, denominator: int, width: int) -> tuple[int, int]:
    """Encloses log(1 + numerator/denominator) in units of 2^-width; both are positive.

    >>> lower, upper = log1p_ratio(1, 1, 64)
    >>> lower / 2**64, upper - lower < 200
    (0.6931471805599453, True)
    """
    below, error = _log1p((numerator << width) // denominator, width)
    return below, below + error + 1  # the quotient is rounded down, and the slope of log(1 + x) is at most 1


def _sum_exp(counts: Mapping[int, int], places: int, width: int) -> tuple[int, int, int]:
    """Encloses Σ count exp(−gap 2^-places), as above, with `width` bits for the greatest term."""
    first = min(counts)
    least_shift, _ = _reduced(first, places, width)
    negligible = first + (width << places)  # exp(−first − width) is less than one unit
    lower = upper = 0
    for gap, count in counts.items():
        if gap >= negligible:
            upper += count
            continue
        power, error, shift = exp_of_gap(gap, places, width)
        lower += count * ((power - error) >> (shift - least_shift))
        upper += count * (((power + error) >> (shift - least_shift)) + 1)
    return lower, upper, width + least_shift


def exp_of_gap(gap: int, places: int, width: int) -> tuple[int, int, int]:
    """Encloses exp(−gap 2^-places): (power, error, k), with |exp(…) − power 2^-(width + k)| <= error 2^-(width + k).

    With gap 2^-places = k ln 2 + r, exp(…) = 2^-k exp(−r/256)^256. In units of 2^-width, r/256 is off by at most
    k/128 + 2 (ln 2 is less than 2 units too small; two roundings); its exponential by 1 more for the slope, 2 for the
    roundings of the series and 1 for its tail: k/128 + 6. Squaring a power of at most 1 takes an error e <= 2^(width/2)
    to at most 2e + 2, so that 8 squarings leave 256 (k/128 + 6) + 510 = 2k + 2046.
    """
    k, rest = _reduced(gap, places, width)
    rest >>= HALVINGS
    power = 0
    for inverse_factorial in _exp_series(width):
        power = inverse_factorial - (power * rest >> width)
    for _ in range(HALVINGS):
        power = power * power >> width
    return power, 2 * k + 2046, k


def _reduced(gap: int, places: int, width: int) -> tuple[int, int]:
    """The k and the r, in units of 2^-width, of gap 2^-places = k ln 2 + r."""
    return divmod((gap << width) >> places, _log_two(width))


@lru_cache
def _exp_series(width: int) -> tuple[int, ...]:
    """1/n!, …, 1/1!, 1/0!: as many as reach one unit when multiplied by that power of 2^-8."""
    series: list[int] = []
    inverse_factorial = 1 << width
    while inverse_factorial >> HALVINGS * len(series):
        series.append(inverse_factorial)
        inverse_factorial //= len(series)
    return tuple(reversed(series))


def _log1p(excess: int, width: int) -> tuple[int, int]:
    """Encloses log(1 + excess 2^-width): (below, error), with below <= log(…) 2^width <= below + error.

    With 1 + excess 2^-width = 2^j s and 1 <= s < 2, log(…) = j ln 2 + 2 artanh((s − 1) / (s + 1)).
    """
    total = (1 << width) + excess
    j = total.bit_length() - 1 - width
    power_of_two = 1 << (width + j)
    artanh, error = _artanh(((total - power_of_two) << width) // (total + power_of_two), width)
    if j == 0:  # a tiny excess has a great width, where ln 2 would be dear
        return 2 * artanh, 2 * error
    return 2 * artanh + j * _log_two(width), 2 * error + 2 * j


def _artanh(ratio: int, width: int) -> tuple[int, int]:
    """Encloses artanh(z) = z + z³/3 + z⁵/5 + …, 0 <= z <= 1/3: (below, error), where `ratio` is z rounded down.

    In units of 2^-width: z² is less than 2/3 + 1 too small, hence every power less than 2 (the first less than 1, the
    others 2/9 + 5/9 + 1), hence every term less than 2 (power/odd, and its own rounding), and the tail after the last
    power that is not 0 is less than 2 as well.
    """
    square = ratio * ratio >> width
    below, power, odd = 0, ratio, 1
    while power:
        below += power // odd
        power = power * square >> width
        odd += 2
    return below, odd + 1  # 2 for each of (odd − 1) / 2 terms, and for the tail


@lru_cache
def _log_two(width: int) -> int:
    """ln 2 = 2 artanh(1/3) in units of 2^-width, less than 2 units too small."""
    spare = width.bit_length() + 4  # one unit covers twice the error of artanh, 2^-spare units a term
    below, _ = _artanh((1 << (width + spare)) // 3, width + spare)
    return 2 * below >> spare
