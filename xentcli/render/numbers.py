"""How numbers are spelled: losses so that they read back, errors briefly, no probability rounded to 0 or 1."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.numbers.precision import Precision

LARGE = 1e9  # from here on whole numbers end in a power of ten: nobody counts so many zeros


def nearest(value: float, precision: Precision) -> float:
    """The format's number nearest to `value`, ties to even, as if its exponent had no upper end."""
    if not math.isfinite(value):
        return value
    gap = precision.ulp(value)
    return round(value / gap) * gap  # both steps are exact: the gap is a power of two


def plain(value: float) -> str:
    """In as few digits as read back: as Python spells floats, but 1.5051e+13 instead of 15051000000000.0."""
    text = repr(value)
    return str(Decimal(text).normalize()).lower() if LARGE <= abs(value) < math.inf else text


def rounded(value: float, digits: int) -> str:
    """`value` to so many significant digits."""
    return plain(float(f"{value:.{digits}g}"))


def shortest(value: float, precision: Precision) -> str:
    """A number of the format in the fewest digits that read back as the same number."""
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 17))
    return plain(next((number for number in candidates if nearest(number, precision) == value), value))


def telling_digits(precision: Precision) -> int:
    """The significant digits that tell any two numbers of the format apart: 1 + ceil(bits log10 2)."""
    return 1 + math.ceil(precision.bits * math.log10(2))


def certain(lower: float, upper: float, digits: int) -> str:
    """The number that all of [lower, upper] rounds to, in up to so many digits; the two ends if under three agree."""
    for kept in range(digits, 2, -1):
        if rounded(lower, kept) == rounded(upper, kept):
            return rounded(lower, kept)
    return f"{plain(lower)} to {plain(upper)}"


def brief(value: float | None, digits: int = 2) -> str:
    """A magnitude to a few digits: 9.5e-07, 0.31, 120; nothing for None."""
    return "" if value is None else f"{float(f'{value:.{digits}g}'):.{max(digits, 6)}g}"


def against(error: float | None, allowed: float | None) -> tuple[str, str]:
    """An error and its allowance, with the few digits it takes for the greater one to look greater."""
    if error is None or allowed is None:
        return brief(error), brief(allowed)
    texts = ((brief(error, digits), brief(allowed, digits)) for digits in range(2, 17))
    honest = (pair for pair in texts if (float(pair[0]) > float(pair[1])) == (error > allowed))
    return next(honest, (plain(error), plain(allowed)))


def probability(value: float) -> str:
    """Three decimals where they say something; else 3e-12, 0.9999 or 1-6e-08: only 0 is "0", and only 1 is "1"."""
    if value in {0.0, 1.0}:
        return f"{value:.0f}"
    if not value >= 0.0005:
        return f"{value:.0e}"
    decimals = (f"{value:.{digits}f}" for digits in range(3, 6))
    return next((text for text in decimals if float(text) < 1.0), f"1-{1.0 - value:.0e}")


def percent(share: float) -> str:
    """A share in percent, to a decimal; never 100.0 or 0.0 of a share that is not."""
    text = f"{100.0 * share:.1f}"
    is_honest = (float(text) in {0.0, 100.0}) == (share in {0.0, 1.0})
    return text.removesuffix(".0") if share in {0.0, 1.0} else text if is_honest else f"{100.0 * share:.6g}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 sample, 4,096 samples."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
