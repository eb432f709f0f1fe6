"""From a wrong claim to the mistakes that give it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.cause_codes import CAUSES
from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.causes.matching import EVALUATED, among_round, chance, explains, readings, within
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.question.claims import FEWEST_DIGITS
from xentcli.records.report import Cause, Match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.diagnose.causes.matching import Reading
    from xentcli.question.claims import Claim
    from xentcli.question.problem import Problem

Fit = tuple[Guess, Match]

MOST_CAUSES = 3  # named, of several that give the claim
RANKS = {cause.code: rank for rank, cause in enumerate(CAUSES)}  # of the codes, by how often people do it
EXTREME = 900  # binary digits before the point, or behind it
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
        "the true value but for one unit in the last digit printed",
        "round the value to the digits printed",
    ),
}
# the same mistake where the claim says how it came from the true value
CUT_OFF = replace(RIGHT["last digit"], what="the true value, cut off instead of rounded")
ROUNDED_UP = replace(RIGHT["last digit"], what="the true value, rounded up instead of to the nearest")


def find_causes(
    problem: Problem, claim: Claim, truth: float, reached: Callable[[int], object] | None = None
) -> tuple[Cause, ...]:
    """The mistakes that give the claim, the simplest first; none if none does, or if chance would do as well.

    truth    the true value, which the claim is not; it may be an infinity or NaN
    reached  is told after each block how many samples were looked at
    """
    if not problem.samples or not _is_ordinary(claim) or (0 < claim.digits < FEWEST_DIGITS and claim.value):
        return ()
    ends = _ends(claim) if isinstance(claim.value, Fraction) and claim.value else None
    return causes_of(in_order(guesses(problem, ends, reached)), claim, truth, problem.samples)


def causes_of(tried: list[Guess], claim: Claim, truth: float, samples: int) -> tuple[Cause, ...]:
    """The mistakes, of those in their order, that give a claim; definite ones alone of one without digits."""
    if not _is_ordinary(claim):
        return ()
    if isinstance(claim.value, Fraction) and claim.value:
        return causes_among(tried, claim, truth, samples)
    definite = [guess for guess in tried if guess.rarity < Rarity.COMPOUND]
    match = Match("digits", 0.0, len(definite))
    return _named([(guess, match) for guess in definite if _is_claimed(guess, claim, truth)], 3)


def in_order(tried: Iterable[Guess]) -> list[Guess]:
    """What people do most often first."""
    return sorted(tried, key=lambda guess: (guess.rarity, sum(RANKS[mistake.code] for mistake in guess.mistakes)))


def causes_among(tried: list[Guess], claim: Claim, truth: float, samples: int) -> tuple[Cause, ...]:
    """The mistakes, of those in their order, that give a claim that has digits."""
    read = (_read(each, tried, truth, samples) for each in readings(claim))
    return next(filter(None, read), ())


@dataclass(frozen=True)
class Look:
    """The guesses of one rarity that a claim is compared with, and the chance that one of all up to them fits."""

    guesses: list[Guess]
    chance: float
    tried: int


def looks(reading: Reading, tried: list[Guess], truth: float, samples: int) -> Iterator[Look]:
    """How far one looks, the rare after the common, until chance has too good a chance."""
    most = Rarity.COMMON if reading.kind == "last digit" else Rarity.COMPOUND
    taken: list[float] = []  # the values that the claim was compared with
    for rarity, group in groupby(tried, key=lambda guess: guess.rarity):
        alike = list(group)
        if rarity > most:
            return
        wide = among_round(reading, truth, samples) if rarity == Rarity.SEARCHED else reading
        values = np.array([*taken, *(guess.value for guess in alike)])
        count, by_chance = within(values, wide, truth, reading.bearable(rarity))
        borne = alike[: max(count - len(taken), 0)]
        taken += [guess.value for guess in borne]
        if borne:
            yield Look(borne, by_chance, count)
        if len(borne) < len(alike) and rarity != Rarity.SEARCHED:
            return


def _ends(claim: Claim) -> tuple[float, float]:
    """Between which numbers a value is that the claim may stand for, however it is read."""
    value, half = float(claim.value), float(claim.half_unit)
    widest = max(reading.tolerance for reading in readings(claim)) + EVALUATED * abs(value) + half
    return value - widest, value + widest


def _is_ordinary(claim: Claim) -> bool:
    """Whether float64 has room for the claim and what is computed of it; no mistake is known to give another number."""
    if isinstance(claim.value, float):
        return True
    digits, places = claim.value.numerator.bit_length(), claim.value.denominator.bit_length()
    return not claim.value or abs(digits - places) < EXTREME


def _is_claimed(guess: Guess, claim: Claim, truth: float) -> bool:
    """Whether a mistake gives a claim of an infinity, NaN or 0, which has no digits to compare."""
    if isinstance(claim.value, float):
        return str(guess.value) == str(claim.value) != str(truth)
    return guess.rarity < Rarity.SEARCHED and _vanishes(guess.value, claim, truth)


def _read(reading: Reading, tried: list[Guess], truth: float, samples: int) -> tuple[Cause, ...]:
    """The causes of the claim read in one way."""
    digits = max(3, 2 - math.floor(math.log10(2.0 * reading.tolerance / abs(reading.value))))
    if reading.kind != "digits" and reading.fits(truth):
        by_chance = chance(np.array([truth]), reading, math.nan)
        told = [(Guess((_right(reading, truth),), truth), Match(reading.kind, by_chance, 1))]
        return _named(told, digits) if by_chance < reading.bearable(Rarity.COMMON) else ()
    fits: list[Fit] = []
    for look in looks(reading, tried, truth, samples):
        if fits and look.guesses[0].rarity == Rarity.COMPOUND:
            break
        match = Match(reading.kind, look.chance, look.tried)
        fits += [(guess, match) for guess in look.guesses if explains(guess, reading, truth)]
    return _named(fits, digits)


def _right(reading: Reading, truth: float) -> Mistake:
    """What the true value went through that is in the claim."""
    unit, off = reading.tolerance / 1.5, abs(reading.value) - abs(truth)
    if reading.kind != "last digit" or abs(off) > unit:
        return RIGHT[reading.kind]
    return CUT_OFF if off < 0.0 else ROUNDED_UP


def _vanishes(value: float, claim: Claim, truth: float) -> bool:
    """Whether a mistake leaves nothing of the loss that the digits of a claim of 0 would show."""
    return abs(value) <= min(float(claim.half_unit), VANISHED * abs(truth))


def _named(fits: list[Fit], digits: int) -> tuple[Cause, ...]:
    """One cause a code, in the order of the fits."""
    first = {fit[0].code: fit for fit in reversed(fits)}
    chosen = [fit for fit in fits if first[fit[0].code] is fit]
    return tuple(_cause(*fit, digits) for fit in chosen[:MOST_CAUSES])


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
