"""A loss somebody printed somewhere, and whether the true one is what was printed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from xentcli.errors import UsageError

NUMBER = re.compile(r"[+-]?(?:\d+\.?(?P<places>\d*)|\.(?P<bare>\d+))(?:[eE](?P<exponent>[+-]?\d{1,3}))?", re.ASCII)
# how Python shows a number: tensor(2.3026, grad_fn=<NllLossBackward0>), np.float32(2.3026); and how people write it
SHOWN = re.compile(r"(?:(?:torch\.)?tensor|(?:np\.|numpy\.)?float\d*)\(([^(),]*)(?:,[^()]*)?\)", re.ASCII)
UNIT = re.compile(r"(?<=[\d.)])\s*nats?$", re.ASCII | re.IGNORECASE)
EXCERPT = 60  # characters of a wrong claim that a message repeats
MOST_DIGITS = 1000  # of a claim: no loss is printed with more
NAMES = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}

Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Claim:
    """A printed number: every real number from `lower` to `upper` rounds to its digits."""

    text: str
    value: Fraction | float  # a float only for nan, inf and -inf
    half_unit: Fraction = Fraction(0)  # half of one in the last printed digit

    @classmethod
    def parse(cls, text: str) -> Claim:
        """The claim as it was printed; UsageError for what is not a number."""
        stripped = _bare(text)
        name = stripped.lower().lstrip("+-")
        if name in NAMES:
            return cls(text, -NAMES[name] if stripped.startswith("-") else NAMES[name])
        match = NUMBER.fullmatch(stripped)
        if not match or len(stripped) > MOST_DIGITS:
            raise UsageError(
                "the expected value is no number",
                found=repr(text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"),
                expected=f"such as 2.3026, 1e-4, nan or tensor(2.3026), of up to {MOST_DIGITS:,} digits",
            )
        places = len(match["places"] or match["bare"] or "")
        last_digit = Fraction(10) ** (int(match["exponent"] or 0) - places)
        return cls(text, Fraction(stripped), last_digit / 2)

    def holds(self, truth: Interval | float, rtol: float | None, atol: float | None) -> bool | None:
        """Whether the true value, rounded to the digits of the claim, is the claim, or is within the tolerances given.

        `truth` is an enclosure, or the infinity or NaN that it is.  None where the enclosure leaves it open.
        """
        if isinstance(truth, float) or isinstance(self.value, float):
            return isinstance(truth, float) and isinstance(self.value, float) and str(truth) == str(self.value)
        value = self.value
        if rtol is None and atol is None:
            inside = [abs(end - value) <= self.half_unit for end in truth]
        else:
            allowed = [Fraction(atol or 0.0) + Fraction(rtol or 0.0) * abs(end) for end in truth]
            inside = [abs(end - value) <= limit for end, limit in zip(truth, allowed, strict=True)]
        if inside[0] != inside[1]:
            return None
        return inside[0] if inside[0] or not truth[0] < value < truth[1] else None


def _bare(text: str) -> str:
    """The number alone, of what was copied from a program or a sentence."""
    stripped = UNIT.sub("", text.strip())
    shown = SHOWN.fullmatch(stripped)
    return shown[1].strip() if shown else stripped
