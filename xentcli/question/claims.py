"""A loss somebody printed somewhere, and whether the true one is what was printed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

from xentcli.errors import UsageError

NUMBER = re.compile(r"[+-]?(?:\d+\.?(?P<places>\d*)|\.(?P<bare>\d+))(?:[eE](?P<exponent>[+-]?\d{1,3}))?", re.ASCII)
# how Python shows a number: tensor(2.3026, grad_fn=<NllLossBackward0>), np.float32(2.3026); and how people write it
SHOWN = re.compile(r"(?:(?:torch\.)?tensor|(?:np\.|numpy\.)?float\d*)\(([^(),]*)(?:,[^()]*)?\)", re.ASCII)
UNIT = re.compile(r"(?<=[\d.)])\s*nats?$", re.ASCII | re.IGNORECASE)
EXCERPT = 60  # characters of a claim that a message repeats
FEW = 1  # digits, of which it is said what they leave open
FEWEST_DIGITS = 3  # of a claim that a mistake is told of
PLAIN_EXPONENTS = range(-7, 21)  # decimal exponents that are written without an e
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
                found=repr(shortened(text)),
                expected=f"such as 2.3026, 1e-4, nan or tensor(2.3026), of up to {MOST_DIGITS:,} digits",
            )
        places = len(match["places"] or match["bare"] or "")
        last_digit = Fraction(10) ** (int(match["exponent"] or 0) - places)
        return cls(text, Fraction(stripped), last_digit / 2)

    @property
    def digits(self) -> int:
        """The significant digits; 1 of a zero, and 0 of what is no number."""
        return len(str(abs(int(self.value / (2 * self.half_unit))))) if isinstance(self.value, Fraction) else 0

    @property
    def ends(self) -> Interval | None:
        """The numbers that it stands for; None for what is no number."""
        if isinstance(self.value, float):
            return None
        return self.value - self.half_unit, self.value + self.half_unit

    def is_apart(self, true: Decimal) -> bool:
        """Whether a decimal differs from the claim by one in its last digit or more; always from what is no number."""
        if isinstance(self.value, float) or not true.is_finite():
            return True
        return abs(Fraction(true) - self.value) >= Fraction(10) ** int(true.as_tuple().exponent)

    def shows(self, value: float) -> bool:
        """Whether a program that has this value may print the claim: rounded to its digits, a half up or to even.

        Beside some powers of two the shortest number that reads back is further away than half a digit.
        """
        if isinstance(self.value, float) or not math.isfinite(value):
            return str(self.value) == str(value)
        return abs(Fraction(value) - self.value) <= self.half_unit or Fraction(repr(value)) == self.value

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


def shortened(text: str) -> str:
    """A claim as a sentence repeats it: of a very long one the beginning, the end and its length."""
    third = EXCERPT // 3
    return text if len(text) <= EXCERPT else f"{text[:third]}…{text[-third:]} ({len(text):,} characters)"


def reading(text: str) -> str:
    """What a claim of few digits leaves open, as in " to its 1 digit: 2.5 to 3.5"; nothing for any other."""
    claim = Claim.parse(text)
    if claim.ends is None or claim.digits > FEW:
        return ""
    lower, upper = map(_written, claim.ends)
    return f" to its {claim.digits} digit{'s' * (claim.digits > 1)}: {lower} to {upper}"


def unexplained(text: str, it: str = "it") -> str:
    """What is said of a claim that has no cause: that nothing was found, or that it has too few digits to look."""
    claim = Claim.parse(text)
    if claim.value and 0 < claim.digits < FEWEST_DIGITS:
        return f"no mistake can be told by {claim.digits} digit{'s' * (claim.digits > 1)}"
    return f"no known mistake gives {it}"


def _written(number: Fraction) -> str:
    """A number of few digits in full."""
    context = Context(prec=MOST_DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX)
    exact = context.divide(Decimal(number.numerator), Decimal(number.denominator)).normalize(context)
    return f"{exact:f}" if exact.adjusted() in PLAIN_EXPONENTS else f"{exact:e}"


def _bare(text: str) -> str:
    """The number alone, of what was copied from a program or a sentence."""
    stripped = UNIT.sub("", text.strip())
    shown = SHOWN.fullmatch(stripped)
    return shown[1].strip() if shown else stripped
