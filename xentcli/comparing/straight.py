"""How far the other side's logits are a straight line of the base's: z ≈ a·x + b, each row with a b of its own.

Symbols, of a row with C classes that neither side masks: d = z − x, S_x = Σ x, S_d = Σ d, N = Σ x², X = Σ x d and
Q = Σ d².  Over all rows

    A = Σ (N − S_x²/C)       B = Σ (X − S_x S_d/C)       D = Σ (Q − S_d²/C)       n = Σ C
    a = 1 + B/A              b = mean of S_d/C − (a − 1) S_x/C                    residual = sqrt((D − B²/A)/n)
    cosine = (N + X)/sqrt(N (N + 2X + Q)), of totals              rmse = sqrt(Q/n)

as d is known better than z: two sides that are nearly equal differ by numbers that are small and exact.

Errors.  With e = (C + 8)u, the sums of a row err by e·N, e·Q, e·sqrt(N Q), and S_x and S_d by e·sqrt(C N) and
e·sqrt(C Q), as d, the products and each addition are rounded, |S_x| ≤ sqrt(C N), and the same holds of d.  So the terms
of A, B and D err by 4e·N, 4e·sqrt(N Q) and 4e·Q, and those of b by e·sqrt(N/C) and e·sqrt(Q/C).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.exactsum import ExactSum
from xentcli.records.statistic import Statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.comparing.table import Table

    Floats = NDArray[np.float64]
    Ends = tuple[Fraction, Fraction]

UNIT = 2.0**-53
MORE = 1.0 + 2.0**-20  # of errors that are computed themselves
OUTWARD = 2.0**-50  # what a square root and a division of float64 lose, and more
COLUMNS = ("squares", "sum_base", "sum_steps", "norm_base", "cross", "counted")


def straight_line(table: Table) -> dict[str, Statistic]:
    """The statistics of the logits themselves; none where 16 bits or probabilities leave these open."""
    parts = [_Part.of(*(rows[name] for name in COLUMNS)) for rows in table.slices()]
    if not parts or not all(part.is_known for part in parts):
        return {}
    total = parts[0]
    for part in parts[1:]:
        total += part
    return {name: _statistic(*ends) for name, ends in total.ends().items()}


@dataclass(frozen=True)
class _Part:
    """Sums over some rows, and what each may err by."""

    rows: int
    is_known: bool
    sums: tuple[ExactSum, ...]  # A, B, D, N, X, Q, n, S_d/C, S_x/C
    errors: tuple[ExactSum, ...]

    @classmethod
    def of(cls, *columns: Floats) -> _Part:
        squares, own, steps, norm, cross, counted = columns
        known = bool((counted > 0.0).all() and np.isfinite(norm).all() and np.isfinite(squares).all())
        if not known:
            return cls(len(own), known, (), ())
        e = (counted + 8.0) * UNIT * MORE
        both = np.sqrt(norm) * np.sqrt(squares)
        values = (
            norm - own * own / counted, cross - own * steps / counted, squares - steps * steps / counted,
            norm, cross, squares, counted, steps / counted, own / counted,
        )  # fmt: skip
        errors = (
            4.0 * e * norm, 4.0 * e * both, 4.0 * e * squares, e * norm, e * both, e * squares, 0.0 * e,
            e * np.sqrt(squares / counted), e * np.sqrt(norm / counted),
        )  # fmt: skip
        return cls(len(own), known, tuple(map(ExactSum.of, values)), tuple(map(ExactSum.of, errors)))

    def __add__(self, other: _Part) -> _Part:
        sums, errors = (
            tuple(one + two for one, two in zip(mine, theirs, strict=True))
            for mine, theirs in ((self.sums, other.sums), (self.errors, other.errors))
        )
        return _Part(self.rows + other.rows, self.is_known and other.is_known, sums, errors)

    def ends(self) -> dict[str, tuple[float, float]]:
        """Between what each statistic lies; from −inf to inf where nothing is known."""
        a, b, d, norm, cross, squares, counted, step, own = (
            _around(one.fraction(), two.fraction()) for one, two in zip(self.sums, self.errors, strict=True)
        )
        tilt = _over(b, a)  # a − 1
        other = _plus(_plus(norm, cross), _plus(cross, squares))
        found = {"rmse_logit": _root(_over(_positive(squares), counted)), "cosine_logit": _cosine(norm, cross, other)}
        if tilt is None:
            return found
        shift = _times(tilt, own)
        rest = _plus(d, _minus(_times(tilt, b)))
        return found | {
            "affine_slope": _floats(_plus((Fraction(1), Fraction(1)), tilt)),
            "affine_offset": _floats(_divided(_plus(step, _minus(shift)), self.rows)),
            "affine_residual": _root(_over(_positive(rest), counted)),
        }


def _cosine(norm: Ends, cross: Ends, other: Ends) -> tuple[float, float]:
    """Of both sides' squares and what they have in common; nothing is known of a side that is 0."""
    product, both = _times(norm, other), _plus(norm, cross)
    if norm[0] <= 0 or other[0] <= 0:
        return -math.inf, math.inf
    low, high = _root(product)
    ends = [float(end) / root for end in both for root in (low, high)]
    return max(-1.0, min(ends) - OUTWARD), min(1.0, max(ends) + OUTWARD)


def _around(value: Fraction, error: Fraction) -> Ends:
    return value - error, value + error


def _plus(one: Ends, two: Ends) -> Ends:
    return one[0] + two[0], one[1] + two[1]


def _minus(one: Ends) -> Ends:
    return -one[1], -one[0]


def _times(one: Ends, two: Ends) -> Ends:
    products = [left * right for left in one for right in two]
    return min(products), max(products)


def _over(one: Ends, two: Ends) -> Ends | None:
    """None where the divisor may be 0."""
    if two[0] <= 0:
        return None
    quotients = [left / right for left in one for right in two]
    return min(quotients), max(quotients)


def _divided(one: Ends, count: int) -> Ends:
    return one[0] / count, one[1] / count


def _positive(one: Ends) -> Ends:
    return max(one[0], Fraction(0)), max(one[1], Fraction(0))


def _floats(one: Ends) -> tuple[float, float]:
    return math.nextafter(float(one[0]), -math.inf), math.nextafter(float(one[1]), math.inf)


def _root(one: Ends | None) -> tuple[float, float]:
    if one is None:
        return -math.inf, math.inf
    return math.sqrt(one[0]) * (1.0 - OUTWARD), math.sqrt(one[1]) * (1.0 + OUTWARD)


def _statistic(lower: float, upper: float) -> Statistic:
    value = lower / 2.0 + upper / 2.0 if math.isfinite(lower) and math.isfinite(upper) else math.nan
    return Statistic(value, lower, upper)
