"""From a wrong claim to the mistakes that give it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.causes.matching import Reading, chance, explains, readings
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.records import Cause, Match

if TYPE_CHECKING:
    from xentcli.claims import Claim
    from xentcli.problem import Problem

MOST_CAUSES = 3  # named, of several that give the claim
VANISHED = 1e-3  # of the true value: so much less is 0 by mistake

RIGHT: dict[str, Mistake] = {
    "float32": Mistake(
        "float32-digits",
        "the true value as float32 computes it, printed with more digits than float32 has",
        "print 7 digits, or compare with --rtol 1e-6",
    ),
    "float64": Mistake(
        "float64-digits",
        "the true value as float64 computes it, wrong in its last digits alone",
        "print 15 digits, or compare with --rtol 1e-14",
    ),
    "last digit": Mistake(
        "last-digit",
        "the true value, one unit off in the last digit printed: cut off instead of rounded, or computed by hand",
        "round the value to the digits printed",
    ),
}


def find_causes(problem: Problem, claim: Claim, truth: float) -> tuple[Cause, ...]:
    """The mistakes that give the claim, the simplest first; none if none does, or if chance would do as well.

    `truth` is the true value, which the claim is not; it may be an infinity or NaN.
    """
    tried = guesses(problem)
    if isinstance(claim.value, float):
        single = [guess for guess in tried if guess.rarity != Rarity.COMPOUND]
        fitting = [guess for guess in single if str(guess.value) == str(claim.value) != str(truth)]
        return _causes(fitting, Match("digits", 0.0, len(tried)), 3)
    if not claim.value:
        fitting = [guess for guess in tried if guess.rarity <= Rarity.VARIANT and _vanishes(guess.value, claim, truth)]
        return _causes(fitting, Match("digits", 0.0, len(tried)), 3)
    return next(filter(None, (_read(reading, tried, truth) for reading in readings(claim))), ())


def _read(reading: Reading, tried: list[Guess], truth: float) -> tuple[Cause, ...]:
    """The causes of the claim read in one way."""
    digits = max(3, 2 - math.floor(math.log10(2.0 * reading.tolerance / abs(reading.value))))
    if reading.kind in RIGHT and reading.fits(truth):
        return _causes([Guess((RIGHT[reading.kind],), truth)], Match(reading.kind, 0.0, 1), digits)
    most = Rarity.COMMON if reading.kind == "last digit" else Rarity.COMPOUND
    for rarity in Rarity:
        if rarity <= most:
            looked_at = [guess for guess in tried if guess.rarity <= rarity]
            fitting = [guess for guess in looked_at if guess.rarity == rarity and explains(guess, reading, truth)]
            if fitting:
                by_chance = chance((guess.value for guess in looked_at), reading, truth)
                if by_chance < reading.likely(rarity):
                    return _causes(fitting, Match(reading.kind, by_chance, len(looked_at)), digits)
    return ()


def _vanishes(value: float, claim: Claim, truth: float) -> bool:
    """Whether a mistake leaves nothing of the loss that the digits of a claim of 0 would show."""
    return abs(value) <= min(float(claim.half_unit), VANISHED * abs(truth))


def _causes(fitting: list[Guess], match: Match, digits: int) -> tuple[Cause, ...]:
    """One cause a code, in their order."""
    simplest = sorted(fitting, key=lambda guess: guess.rarity)  # and among equals as they were tried
    first = {guess.code: guess for guess in reversed(simplest)}
    chosen = [guess for guess in simplest if first[guess.code] is guess]
    return tuple(_cause(guess, match, digits) for guess in chosen[:MOST_CAUSES])


def _cause(guess: Guess, match: Match, digits: int) -> Cause:
    steps = tuple(mistake.code for mistake in guess.mistakes)
    what = "; then ".join(mistake.what for mistake in guess.mistakes)
    return Cause(
        code=guess.code,
        statement=f"{what}: {guess.value:.{digits}g}",
        value=guess.value,
        remedy="; ".join(dict.fromkeys(mistake.remedy for mistake in guess.mistakes)),
        steps=steps if len(steps) > 1 else (),
        match=match,
    )
