"""Whether a value is the claimed one, and how likely that is by chance.

A claim in n digits is one of some 2·10ⁿ numbers within a factor of three of it.  The more values were tried, and the
fewer digits the claim has, the likelier one of them is there by chance: the share of that neighbourhood, on a
logarithmic scale, that lies within the claim's half unit of some value tried.  Values cluster round the true one, so
of a claim that is next to it the same is asked of the distances from it.

So the values are tried in the order of how often people make the mistake, and only as many as leave that chance below
what is bearable at so many digits.  Of two digits nothing is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from xentcli.diagnose.causes.mistake import Rarity
from xentcli.numbers.precision import FLOAT32
from xentcli.question.claims import FEWEST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.mistake import Guess
    from xentcli.measuring.facts import Floats
    from xentcli.question.claims import Claim

Kind = Literal["digits", "float32", "float64", "last digit"]

NEIGHBOURHOOD = 3.0  # a wrong claim is looked for within this factor
BEARABLE = {3: 0.038, 4: 0.006}  # chances by the digits of the claim, from which on a mistake that fits says nothing
BEARABLE_OF_MANY = 0.005  # the same for more digits
BEARABLE_NEARBY = 4.0  # times as much, among the distances from the truth
DOUBTFUL = 0.25  # of that is what two mistakes at once, or one that does not even fit, may have
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
    digits: int = FLOAT64_DIGITS  # of the claim

    def fits(self, value: float) -> bool:
        """Whether the claim stands for this value."""
        return abs(value - self.value) <= self.tolerance + EVALUATED * abs(self.value)

    def bearable(self, rarity: Rarity) -> float:
        """The chance from which on a fit says nothing."""
        if self.digits < FEWEST_DIGITS:
            return 0.0
        doubtful = self.kind == "last digit" or rarity == Rarity.COMPOUND
        return BEARABLE.get(self.digits, BEARABLE_OF_MANY) * (DOUBTFUL if doubtful else 1.0)


def readings(claim: Claim) -> Iterator[Reading]:
    """The ways to read a finite claim other than 0, the most literal first."""
    value, half = float(claim.value), float(claim.half_unit)
    digits = claim.digits
    if digits < FLOAT64_DIGITS:
        yield Reading("digits", value, half, digits)
    if 7 <= digits <= 9 or (digits > 9 and _is_float32(value)):
        yield Reading("float32", value, half + 8.0 * FLOAT32.unit_roundoff * abs(value), digits)
    if digits >= FLOAT64_DIGITS:
        yield Reading("float64", value, half + 2.0**-45 * abs(value), digits)
    if digits <= 8:
        yield Reading("last digit", value, 3.0 * half, digits)


def chance(values: Floats, reading: Reading, truth: float) -> float:
    """How likely one of these values fits a claim that has nothing to do with them."""
    values = values[np.isfinite(values)]
    values = values[np.abs(values - truth) > _same(truth, reading)] if math.isfinite(truth) else values
    if _is_nearby(reading, truth):
        return _coverage(values - truth, reading.value - truth, reading.tolerance)
    return _coverage(values, reading.value, reading.tolerance)


def _is_nearby(reading: Reading, truth: float) -> bool:
    """Whether the claim is so near the truth that its distance from it is what counts."""
    return 0.0 < abs(reading.value - truth) < abs(reading.value) / NEIGHBOURHOOD


def within(values: Floats, reading: Reading, truth: float, bearable: float) -> tuple[int, float]:
    """How many of the values, the first ones, may be tried before chance is more than bearable; and that chance.

    Few claims that have nothing to do with the truth are next to it, so there chance may be some times as much.
    """

    limit = bearable * (BEARABLE_NEARBY if _is_nearby(reading, truth) else 1.0)
    fewest, most, known = 0, len(values), chance(values, reading, truth)
    if known < limit:
        return most, known
    while most - fewest > 1:
        middle = (fewest + most) // 2
        known = chance(values[:middle], reading, truth)
        fewest, most = (middle, most) if known < limit else (fewest, middle)
    return fewest, chance(values[:fewest], reading, truth)


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
    return abs(value - truth) <= _same(truth, reading)


def _same(truth: float, reading: Reading) -> float:
    """How far from the truth a value may be and still be the truth to a claim of so many digits."""
    return min(reading.tolerance, abs(reading.value - truth) / 4.0)


def _coverage(values: Floats, middle: float, tolerance: float) -> float:
    """The share of the numbers within a factor of three of `middle`, by their logarithms, that are near a value."""
    low, high = abs(middle) / NEIGHBOURHOOD, abs(middle) * NEIGHBOURHOOD
    near = math.copysign(1.0, middle) * values
    near = np.sort(near[(near > low - tolerance) & (near < high + tolerance)])
    if not len(near):
        return 0.0
    ends = np.minimum(near + tolerance, high)
    starts = np.maximum(near - tolerance, np.concatenate(([low], ends[:-1])))
    return float(np.log(np.maximum(ends / starts, 1.0)).sum()) / math.log(high / low)


def _is_float32(value: float) -> bool:
    """Whether float32 holds the number: its significand has 24 bits."""
    return math.ldexp(math.frexp(value)[0], FLOAT32.bits).is_integer()
