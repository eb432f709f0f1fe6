"""Exact sums of many runs of values at once: one pass over all values for what would take a call for each run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.exactsum import CARRIED, CHUNK, CHUNK_BITS, ONE, SMALLEST, UNIT_EXPONENT, ExactSum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer]

LEFT = 39  # bits of the leading digits that are taken off at once


def sums_of_runs(values: Floats, starts: Integers) -> list[ExactSum]:
    """The exact sum of each run, which lie one after the other; none is empty, and the first starts at 0."""
    ends = np.append(starts, len(values))[1:]
    is_short = ends - starts <= CHUNK
    is_plain = is_short & (np.maximum.reduceat(np.abs(values), starts) < CARRIED) if len(starts) else is_short
    if not SMALLEST * ONE > 0.0:  # this thread flushes subnormal numbers
        is_plain = np.zeros(len(starts), np.bool_)
    kept = np.where(np.repeat(is_plain, ends - starts), values, 0.0)
    sums = [ExactSum(units) for units in _units(kept, starts)]
    for run in np.flatnonzero(~is_plain).tolist():
        sums[run] = ExactSum.of(values[starts[run] : ends[run]])
    return sums


def _units(values: Floats, starts: Integers) -> Iterable[int]:
    """The sum of each run in units of 2⁻¹⁰⁷⁴; it overwrites the values.

    As `ExactSum` takes the leading digits off: with |x| < 2^e, adding and subtracting 2^(e + 14) rounds x to a multiple
    of 2^(e − 39), and 2^13 such multiples add up to less than 2^(e + 13): 53 bits, in any order.
    """
    total = [0] * len(starts)
    while greatest := float(np.abs(values).max(initial=0.0)):
        exponent = math.frexp(greatest)[1]
        carrier = math.ldexp(1.0, exponent + CHUNK_BITS + 1)
        leading = values + carrier
        leading -= carrier
        values -= leading
        unit = max(exponent - LEFT, UNIT_EXPONENT)
        multiples = np.ldexp(np.add.reduceat(leading, starts), -unit).astype(np.int64)
        shift = unit - UNIT_EXPONENT
        total = [units + (more << shift) for units, more in zip(total, multiples.tolist(), strict=True)]
    return total
