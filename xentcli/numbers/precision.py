"""The four floating-point formats: what they can hold, and how finely."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Precision:
    """A binary floating-point format, named as torch names it."""

    name: str
    bits: int  # of the significand, the hidden one included
    least_exponent: int  # the smallest positive (subnormal) number is 2^least_exponent
    greatest_exponent: int  # every finite number is below 2^greatest_exponent
    arithmetic: str  # the format torch's CPU kernels compute in

    @property
    def unit_roundoff(self) -> float:
        """Greatest relative error of one rounding in the normal range: u = 2^-bits."""
        return math.ldexp(1.0, -self.bits)

    @property
    def smallest(self) -> float:
        """The least positive number, a subnormal one."""
        return math.ldexp(1.0, self.least_exponent)

    @property
    def subnormal_error(self) -> float:
        """Greatest absolute error of one rounding below the normal range: half the smallest number.

        That of float64 is no float64: the smallest number itself stands for it.
        """
        return self.smallest / 2.0 or self.smallest

    @property
    def smallest_normal(self) -> float:
        """The least positive number that has all its bits."""
        return math.ldexp(1.0, self.least_exponent + self.bits - 1)

    @property
    def largest(self) -> float:
        """The greatest finite number."""
        return math.ldexp(2.0 - 2.0 * self.unit_roundoff, self.greatest_exponent - 1)

    @property
    def overflow(self) -> int:
        """From this magnitude on, rounding to nearest gives infinity; an integer, as a float64 cannot hold its own."""
        return ((2 << self.bits) - 1) << (self.greatest_exponent - 1 - self.bits)

    @property
    def is_half(self) -> bool:
        """Whether it is stored in 16 bits, so that torch computes in a wider format."""
        return self.name != self.arithmetic

    def ulp(self, value: float) -> float:
        """The gap between neighbouring numbers at `value` (Goldberg's definition), never below the smallest one."""
        if not math.isfinite(value):
            return math.nan
        exponent = math.frexp(value)[1] if value else -math.inf
        return math.ldexp(1.0, int(max(exponent - self.bits, self.least_exponent)))


FLOAT64 = Precision("float64", 53, -1074, 1024, "float64")
FLOAT32 = Precision("float32", 24, -149, 128, "float32")
BFLOAT16 = Precision("bfloat16", 8, -133, 128, "float32")
FLOAT16 = Precision("float16", 11, -24, 16, "float32")

PRECISIONS = {precision.name: precision for precision in (FLOAT64, FLOAT32, BFLOAT16, FLOAT16)}
