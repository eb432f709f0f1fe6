"""How an enclosed number is spelled: the digits that are certain, or both ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.render.numbers import brief, certain, plain, rounded

if TYPE_CHECKING:
    from xentcli.records.statistic import Statistic

DIGITS = 6
NOTHING = 1e-12  # less is what rounding leaves of 0


def spelled(each: Statistic) -> str:
    """The digits that are certain; both ends where ties or 16 bits leave more open."""
    if math.isnan(each.value):
        return "undefined"
    if each.lower == each.upper:
        return rounded(each.value, DIGITS).removesuffix(".0")
    if each.lower <= 0.0 <= each.upper and max(-each.lower, each.upper) < NOTHING:
        return f"0 ± {brief(max(-each.lower, each.upper))}"
    sure = certain(each.lower, each.upper, DIGITS)
    return interval(each.lower, each.upper) if " to " in sure else sure


def interval(lower: float, upper: float) -> str:
    """Both ends, rounded outwards to the digits that tell them apart, and one more; or the only one that is known."""
    ends = {"at least": (lower, -1), "at most": (upper, 1)}
    if not (math.isfinite(lower) and math.isfinite(upper)):
        known = (f"{word} {_outward(end, DIGITS, to)}" for word, (end, to) in ends.items() if math.isfinite(end))
        return next(known, "not known")
    if lower == upper:
        return plain(lower)
    digits = next(digits for digits in range(2, 18) if f"{lower:.{digits}g}" != f"{upper:.{digits}g}") + 1
    return f"{_outward(lower, digits, -1)} to {_outward(upper, digits, 1)}"


def _outward(value: float, digits: int, towards: int) -> str:
    """A number to so many significant digits that is not inside of it."""
    text = f"{value:.{digits}g}"
    if (float(text) - value) * towards < 0:
        step = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - digits)
        text = f"{float(text) + towards * step:.{digits}g}"
    return plain(float(text)).removesuffix(".0")
