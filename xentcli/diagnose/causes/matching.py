"""Whether a value is the claimed one, and how likely that is by chance.

A claim in n digits is one of some 2·10ⁿ numbers within a factor of three of it.  The more values were tried, and the
fewer digits the claim has, the likelier one of them is there by chance: the share of that neighbourhood, on a
logarithmic scale, that lies within the claim's half unit of some value tried.  Values cluster round the true one, so
the same is asked of the distances from it, and the greater share counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from xentcli.diagnose.causes.mistake import Rarity
from xentcli.numbers.precision import FLOAT32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.diagnose.causes.mistake import Guess
    from xentcli.question.claims import Claim

Kind = Literal["digits", "float32", "float64", "last digit"]

NEIGHBOURHOOD = 3.0  # a wrong claim is looked for within this factor
LIKELY = 0.2  # from this chance on, a mistake that fits is no explanation
LIKELY_COMPOUND = 0.02  # two mistakes at once have to fit better
LIKELY_OFF_BY_ONE = 0.02  # and so has one that does not even fit
EVALUATED = 1e-12  # what a guess may be wrong by, relatively
SMALLEST_ROUND = 16.0  # nats: what is less likely is no round number of so few decimals
MOST_PLACES = 6  # decimals of a round probability
ROUNDED_INPUT = 1e-6  # what float32 logits may make of a round probability, relatively
TELLING = 100.0  # so many claims must lie between two round numbers before a round one says something
FLOAT64_DIGITS = 15  # so many are not printed without its roundings


@dataclass(frozen=True)
class Reading:
    """A way to read a claim: the values that it stands for are within `tolerance`."""

    kind: Kind
    value: float
    tolerance: float

    def fits(self, value: float) -> bool:
        """Whether the claim stands for this value."""
        return abs(value - self.value) <= self.tolerance + EVALUATED * abs(self.value)

    def likely(self, rarity: Rarity) -> float:
        """The chance from which on a fit says nothing."""
        if self.kind == "last digit":
            return LIKELY_OFF_BY_ONE
        return LIKELY_COMPOUND if rarity == Rarity.COMPOUND else LIKELY


def readings(claim: Claim) -> Iterator[Reading]:
    """The ways to read a finite claim other than 0, the most literal first."""
    value, half = float(claim.value), float(claim.half_unit)
    digits = len(str(abs(int(claim.value / (2 * claim.half_unit)))))
    if digits < FLOAT64_DIGITS:
        yield Reading("digits", value, half)
    if 7 <= digits <= 9 or (digits > 9 and _is_float32(value)):
        yield Reading("float32", value, half + 8.0 * FLOAT32.unit_roundoff * abs(value))
    if digits >= FLOAT64_DIGITS:
        yield Reading("float64", value, half + 2.0**-45 * abs(value))
    if digits <= 8:
        yield Reading("last digit", value, 3.0 * half)


def chance(values: Iterable[float], reading: Reading, truth: float) -> float:
    """How likely one of these values fits a claim that has nothing to do with them."""
    values = [value for value in values if math.isfinite(value) and not _is_truth(value, truth, reading)]
    share = _coverage(values, reading.value, reading.tolerance)
    if math.isfinite(truth) and truth != reading.value:
        distances = [value - truth for value in values]
        share = max(share, _coverage(distances, reading.value - truth, reading.tolerance))
    return share


def among_round(reading: Reading, truth: float, samples: int) -> Reading:
    """The reading for a mistake that has a parameter, which is a round number, too.

    Where the probability of the label is 0.2 and the claim is −log 0.3, a claim of eight digits is one of nine numbers
    and not of 2·10⁸: 0.2 + 0.1 is 0.3 whatever made it.  So the claim gets the tolerance that round numbers of so many
    decimals have.  The same holds of the product of all samples' probabilities, of which a mean loss is made.
    """
    widened = (_half_step(reading, truth, each) for each in {1, samples})
    return replace(reading, tolerance=max(reading.tolerance, *widened))


def _half_step(reading: Reading, truth: float, samples: int) -> float:
    """Half of what is between round probabilities, in nats; 0 where claim and truth are not of two such."""
    nats = (samples * reading.value, samples * truth)
    if not all(0.0 < each < SMALLEST_ROUND for each in nats):
        return 0.0
    slack = samples * reading.tolerance + ROUNDED_INPUT
    claimed, right = (math.exp(-each) for each in nats)
    for places in range(1, MOST_PLACES + 1):
        step = 10.0**-places
        if step > TELLING * slack * claimed and all(_is_multiple(each, step, slack) for each in (claimed, right)):
            return step / (2.0 * claimed * samples)
    return 0.0


def _is_multiple(value: float, step: float, slack: float) -> bool:
    times = round(value / step)
    return times > 0 and abs(value - times * step) <= slack * value


def explains(guess: Guess, reading: Reading, truth: float) -> bool:
    """Whether a guess gives the claim, and something else than the truth."""
    return reading.fits(guess.value) and not _is_truth(guess.value, truth, reading)


def _is_truth(value: float, truth: float, reading: Reading) -> bool:
    """Whether a claim of so many digits cannot tell the value from the truth."""
    return abs(value - truth) <= min(reading.tolerance, abs(reading.value - truth) / 4.0)


def _coverage(values: list[float], middle: float, tolerance: float) -> float:
    """The share of the numbers within a factor of three of `middle`, by their logarithms, that are near a value."""
    sign = math.copysign(1.0, middle)
    low, high = abs(middle) / NEIGHBOURHOOD, abs(middle) * NEIGHBOURHOOD
    covered, reached = 0.0, low
    for value in sorted(sign * value for value in values):
        start, end = max(value - tolerance, reached), min(value + tolerance, high)
        if end > start:
            covered += math.log(end / start)
            reached = end
    return covered / math.log(high / low)


def _is_float32(value: float) -> bool:
    """Whether float32 holds the number: its significand has 24 bits."""
    return math.ldexp(math.frexp(value)[0], FLOAT32.bits).is_integer()
