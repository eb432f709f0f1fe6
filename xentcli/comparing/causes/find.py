"""From a claim about two sets of logits that does not hold to the mistakes that give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.comparing.causes.codes import RANKS
from xentcli.comparing.causes.known import guesses
from xentcli.comparing.causes.passes import pass_guesses
from xentcli.diagnose.causes.find import causes_of, find_causes
from xentcli.question.claims import FEWEST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.comparing.causes.known import Known
    from xentcli.comparing.claims import NamedClaim
    from xentcli.diagnose.causes.mistake import Guess
    from xentcli.question.problem import Problem
    from xentcli.records.report import Cause

LOSSES = ("loss_base", "loss_other")


@dataclass(frozen=True)
class Search:
    """Where causes are looked for: what is known of a comparison, and its two sides; None where these are not there."""

    known: Known
    sides: tuple[Problem, Problem] | None

    def causes(self, claim: NamedClaim, truth: float) -> tuple[Cause, ...] | None:
        """The mistakes that give the claim, the simplest first; None if they could not be looked for.

        First those of numbers that are known; the logits are read again only where none of these is the claim.
        """
        if 0 < claim.claim.digits < FEWEST_DIGITS and claim.claim.value:
            return ()
        if claim.name in LOSSES and self.sides is not None and not claim.percentile:
            problem = self.sides[LOSSES.index(claim.name)]
            found = find_causes(problem, claim.claim, truth) if problem.options.input == "logits" else ()
            if found:
                return found
        name = f"{claim.name}@{claim.percentile}" if claim.percentile else claim.name
        known = in_order(guesses(name, self.known))
        found = causes_of(known, claim.claim, truth, self.known.rows)
        if found and not _is_doubtful(found[0]):
            return found
        if self.sides is None:
            return found or None
        more = in_order([*known, *pass_guesses(name, self.known, *self.sides)])
        return causes_of(more, claim.claim, truth, self.known.rows)

    def guesses(self, name: str) -> list[Guess]:
        """What every mistake makes of a statistic, what people do most often first."""
        told = [*guesses(name, self.known), *(pass_guesses(name, self.known, *self.sides) if self.sides else ())]
        return in_order(told)


def _is_doubtful(cause: Cause) -> bool:
    """Whether the logits may tell of something more usual, or of what gives the very digits."""
    is_literal = cause.match is not None and cause.match.kind == "digits"
    return cause.code in {"other-statistic", "other-percentile", "negated", "compound"} or not is_literal


def in_order(tried: Iterable[Guess]) -> list[Guess]:
    """What people do most often first."""
    return sorted(tried, key=lambda guess: (guess.rarity, sum(RANKS[mistake.code] for mistake in guess.mistakes)))
