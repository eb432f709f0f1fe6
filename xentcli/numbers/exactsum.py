"""Sums of float64 values that are exact, so that no split, order or worker can change them, and are rounded once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

UNIT_EXPONENT = -1074  # every finite float64 is a whole multiple of 2^-1074
CHUNK_BITS = 16
CHUNK = 1 << CHUNK_BITS  # values added at once: they stay in the cache, and so many halves of 26 bits do not round
LEVELS = 2  # times that the leading digits are taken off; the few values that have digits left after that are binned
TAKEN = 51 - CHUNK_BITS  # bits below the greatest value that each time takes at least
CARRIED = 2.0**1000  # from this magnitude on, what carries the digits away may overflow
SMALLEST, ONE = math.ldexp(1.0, UNIT_EXPONENT), 1.0  # their product is 0 in a thread that flushes subnormal numbers
HALF = 26  # bits of each half of the 52 stored mantissa bits
HALF_MASK = (1 << HALF) - 1
BINS = 1 << 12  # one for every sign and exponent field


@dataclass(slots=True)
class ExactSum:
    """The exact sum of float64 values: one integer in units of 2^-1074, and counts of what is not finite.

    `add` and `merge` are integer additions: associative and commutative, so equal values in any order and any
    split give equal sums. Negative zeros count as zero.
    """

    units: int = 0
    positive_infinities: int = 0
    negative_infinities: int = 0
    nans: int = 0

    @classmethod
    def of(cls, values: ArrayLike) -> ExactSum:
        """The sum of all `values`, of any shape; see `add`."""
        total = cls()
        total.add(values)
        return total

    @classmethod
    def of_multiples(cls, count: int, exponent: int) -> ExactSum:
        """`count` times 2^exponent, which is no less than 2^-1074."""
        return cls(count << (exponent - UNIT_EXPONENT))

    @classmethod
    def of_count(cls, count: int) -> ExactSum:
        """The sum of `count` ones."""
        return cls.of_multiples(count, 0)

    def add(self, values: ArrayLike) -> None:
        """Adds all `values`, of any shape; TypeError unless they are floats of at most 64 bits, which widen exactly."""
        array = np.asarray(values)
        if array.dtype.kind != "f" or array.dtype.itemsize > 8:
            raise TypeError(f"an exact sum takes floats of at most 64 bits, not {array.dtype}")
        flat = array.reshape(-1)
        add = self._add_carried if SMALLEST * ONE > 0.0 else self._add_binned
        for start in range(0, flat.size, CHUNK):
            add(flat[start : start + CHUNK].astype(np.float64))

    def _add_carried(self, values: NDArray[np.float64]) -> None:
        """Adds at most CHUNK values, which it overwrites: all their leading digits at once, then the next ones.

        With |x| < 2^e, adding and subtracting 2^(e + 17) rounds x to a multiple of 2^(e − 36), and what is left of x is
        exact, at most 2^(e − 36); 2^16 such multiples add up to one of at most 2^(e + 16): 53 bits, in any order.
        """
        greatest = max(float(np.maximum.reduce(values)), -float(np.minimum.reduce(values)))
        if not greatest < CARRIED:  # NaN is not less either
            self._add_binned(values)
            return
        carrier = math.ldexp(1.0, math.frexp(greatest)[1] + CHUNK_BITS + 1)
        leading = np.empty_like(values)
        for _ in range(LEVELS):
            np.add(values, carrier, out=leading)
            np.subtract(leading, carrier, out=leading)
            np.subtract(values, leading, out=values)
            self.units += _in_units(float(np.add.reduce(leading)))
            if not np.logical_or.reduce(values):
                return
            carrier = math.ldexp(carrier, -TAKEN)
        self._add_binned(values[values != 0.0])

    def _add_binned(self, values: NDArray[np.float64]) -> None:
        """Adds at most CHUNK values by their bits alone, whatever they are and however this thread rounds."""
        finite = np.isfinite(values)
        if not finite.all():
            self.positive_infinities += int(np.count_nonzero(np.isposinf(values)))
            self.negative_infinities += int(np.count_nonzero(np.isneginf(values)))
            self.nans += int(np.count_nonzero(np.isnan(values)))
            values = values[finite]
        self.units += _sum_in_units(values)

    def merge(self, other: ExactSum) -> None:
        """Adds what `other` has added."""
        self.units += other.units
        self.positive_infinities += other.positive_infinities
        self.negative_infinities += other.negative_infinities
        self.nans += other.nans

    def __add__(self, other: ExactSum) -> ExactSum:
        total = ExactSum()
        total.merge(self)
        total.merge(other)
        return total

    def times(self, count: int) -> ExactSum:
        """As if all that was added had been so many times."""
        return ExactSum(*(count * getattr(self, name) for name in self.__dataclass_fields__))

    @property
    def is_finite(self) -> bool:
        """Whether no infinity and no NaN was added; the sum itself may still lie beyond float64."""
        return not (self.positive_infinities or self.negative_infinities or self.nans)

    def fraction(self) -> Fraction:
        """The sum itself; ValueError when an infinity or a NaN was added."""
        if not self.is_finite:
            raise ValueError("a sum with an infinity or a NaN is no fraction")
        return Fraction(self.units, 1 << -UNIT_EXPONENT)

    def value(self) -> float:
        """The float64 nearest to the sum; with infinities or NaN, what IEEE additions without overflow would give."""
        if self.nans or (self.positive_infinities and self.negative_infinities):
            return math.nan
        if not self.is_finite:
            return math.inf if self.positive_infinities else -math.inf
        return _rounded(self.units, 1 << -UNIT_EXPONENT)

    def to_json(self) -> dict[str, str | int]:
        """The sum as JSON can hold it, whatever its size; `from_json` reads it back."""
        return {
            "units": hex(self.units),
            "positive_infinities": self.positive_infinities,
            "negative_infinities": self.negative_infinities,
            "nans": self.nans,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, object]) -> ExactSum:
        """The sum that `to_json` wrote; InputError when `content` is anything else."""
        if not isinstance(content, dict) or content.keys() != cls.__dataclass_fields__.keys():
            raise _malformed(content, f"an object with the members {', '.join(cls.__dataclass_fields__)}")
        counts = {name: _count(number) for name, number in content.items() if name != "units"}
        return cls(_whole_number(content["units"]), **counts)


def nearest_float(exact: Fraction) -> float:
    """The float64 nearest to `exact`, ties to even; an infinity from where IEEE rounding gives one."""
    return _rounded(exact.numerator, exact.denominator)


def _rounded(above: int, below: int) -> float:
    try:
        return above / below  # Python rounds a quotient of integers once, and correctly
    except OverflowError:
        return math.inf if above > 0 else -math.inf


def _in_units(value: float) -> int:
    """A finite float64, in units of 2^-1074."""
    fraction, exponent = math.frexp(value)
    shift = exponent - 53 - UNIT_EXPONENT
    whole = int(math.ldexp(fraction, 53))
    return whole << shift if shift >= 0 else whole >> -shift  # a subnormal number ends in so many zeros


def _sum_in_units(values: NDArray[np.float64]) -> int:
    """The exact sum of at most `CHUNK` finite values, in units of 2^-1074."""
    bits = values.view(np.int64)
    bins = (bits >> 52) & (BINS - 1)  # the sign and exponent fields
    counts = np.bincount(bins, minlength=BINS)
    high = np.bincount(bins, (bits >> HALF) & HALF_MASK, BINS)
    low = np.bincount(bins, bits & HALF_MASK, BINS)
    return sum(
        _bin_in_units(index, int(counts[index]), (int(high[index]) << HALF) + int(low[index]))
        for index in np.flatnonzero(counts).tolist()
    )


def _bin_in_units(index: int, count: int, mantissas: int) -> int:
    """The sum of `count` values of one sign and exponent, whose stored mantissas add up to `mantissas`."""
    negative, exponent = divmod(index, BINS // 2)
    hidden = count << 52 if exponent else 0  # subnormal numbers have no hidden bit
    magnitude = (mantissas + hidden) << max(exponent - 1, 0)
    return -magnitude if negative else magnitude


def _whole_number(text: object) -> int:
    """The integer that `hex` wrote as `text`."""
    if not isinstance(text, str) or not re.fullmatch(r"0x0|-?0x[1-9a-f][0-9a-f]{0,999}", text):
        raise _malformed(text, "a hexadecimal integer as a string, such as '-0x1f'")
    return int(text, 16)


def _count(number: object) -> int:
    if type(number) is not int or not 0 <= number < 1 << 64:
        raise _malformed(number, "a count: an integer, 0 or more")
    return number


def _malformed(found: object, expected: str) -> InputError:
    return InputError(
        "this is not the partial sum that an earlier run wrote", found=repr(found)[:80], expected=expected
    )
