"""Claims about the statistics of a comparison, each held to the digits it is printed with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.errors import UsageError, did_you_mean
from xentcli.question.claims import Claim, shortened
from xentcli.records.comparison import WITH_LABELS, WITHOUT_LABELS, ClaimedStatistic
from xentcli.render.numbers import rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from xentcli.question.claims import Interval
    from xentcli.records.report import Cause
    from xentcli.records.statistic import Percentile, Statistic

    Told = Statistic | Percentile
    Find = Callable[["NamedClaim", float], tuple[Cause, ...] | None]

STATISTICS = (*WITHOUT_LABELS, *WITH_LABELS)
WITH_PERCENTILES = ("kl", "delta_p")
PERCENTILES = {"min": "min", "max": "max", "median": "50"}  # besides the percentages
PERCENTAGES = ("0.1", "1", "5", "10", "25", "50", "75", "90", "95", "99", "99.9")
BEYOND = Fraction(10) ** 400  # what stands for an end that is not known: more than any float64
FEWEST_DIGITS, MOST_DIGITS = 8, 17  # of a true value


@dataclass(frozen=True)
class NamedClaim:
    """What somebody printed as one of the statistics."""

    name: str  # as the statistics have it
    claim: Claim
    percentile: str = ""  # of the rows, as the statistic's percentiles have it

    @classmethod
    def parse(cls, text: str) -> NamedClaim:
        """Of NAME=VALUE; UsageError for another form, for a name that no statistic has and for what is no number."""
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                "a claim has a name and a value", found=f"--expect {shortened(text)}", hint="--expect ppl-ratio=1.0123"
            )
        return cls.of(name.strip(), value)

    @classmethod
    def of(cls, name: str, value: object) -> NamedClaim:
        """The claim that the statistic of this name is this value."""
        plain = name.lower().replace("-", "_")
        if plain in STATISTICS:
            return cls(plain, Claim.parse(str(value)))
        statistic, _, rank = plain.rpartition("_")
        percentile = PERCENTILES.get(rank, rank)
        if statistic in WITH_PERCENTILES and percentile in {*PERCENTAGES, "min", "max"}:
            return cls(statistic, Claim.parse(str(value)), percentile)
        known = [each.replace("_", "-") for each in STATISTICS]
        raise UsageError(
            "no statistic has this name",
            found=shortened(name),
            expected="one of xent docs two-models, or kl-99.9, kl-median, kl-max",
            hint=did_you_mean(plain.replace("_", "-"), known, "xent docs two-models"),
        )

    @property
    def full_name(self) -> str:
        return f"{self.name}_{self.percentile}" if self.percentile else self.name

    def of_statistics(self, statistics: Mapping[str, Statistic]) -> Told:
        """What is claimed; UsageError where the comparison does not tell it."""
        found = statistics.get(self.name)
        if found is None:
            raise UsageError(
                "this statistic is not told of these logits",
                found=f"--expect {self.full_name}",
                expected="logits as they are: 16 bits and probabilities leave it open, and rows of equal logits, too",
            )
        return (found.percentiles or {})[self.percentile] if self.percentile else found


def claims_of(texts: Iterable[str], kl: str | None = None) -> tuple[NamedClaim, ...]:
    """Those of NAME=VALUE, and that of KL by a name of its own."""
    first = () if kl is None else (NamedClaim.of("kl", kl),)
    return (*first, *map(NamedClaim.parse, texts))


def check_labels(claims: Iterable[NamedClaim], *, labelled: bool) -> None:
    """UsageError for a claim about the labels where there are none, before anything is computed."""
    without = next((each for each in claims if not labelled and each.name in WITH_LABELS), None)
    if without is not None:
        found = f"--expect {without.full_name}"
        raise UsageError("without labels there is no such statistic", found=found, hint="--labels FILE")


def held(claim: NamedClaim, statistics: Mapping[str, Statistic], find: Find) -> ClaimedStatistic:
    """A claim beside the true value; `find` is asked for what gives one that does not hold."""
    told = claim.of_statistics(statistics)
    holds = claim.claim.holds(_truth(told), None, None)
    causes = find(claim, told.value) if holds is False else ()
    true = _digits(told, claim.claim, apart=holds is False)
    return ClaimedStatistic(claim.full_name, claim.claim.text, holds, told.lower, told.upper, true, causes)


def _truth(told: Told) -> Interval | float:
    """The enclosure, in which an end that is not known is further away than any claim; or what is no number."""
    if math.isnan(told.value):
        return math.nan
    if told.lower == told.upper and math.isinf(told.value):
        return told.value
    return (
        Fraction(told.lower) if math.isfinite(told.lower) else -BEYOND,
        Fraction(told.upper) if math.isfinite(told.upper) else BEYOND,
    )


def _digits(told: Told, claim: Claim, *, apart: bool) -> str | None:
    """The true value in digits that are certain, in as many as tell it from the claim; None where none is."""
    if math.isnan(told.value) or told.lower == told.upper == math.inf:
        return str(told.value)
    texts = {digits: text for digits in range(3, MOST_DIGITS + 1) if (text := _certain(told, digits))}
    usual = [text for digits, text in texts.items() if digits <= FEWEST_DIGITS][-1:]
    known = [*usual, *(text for digits, text in texts.items() if digits > FEWEST_DIGITS)]
    telling = (text for text in known if not apart or claim.is_apart(Decimal(text)))
    return next(telling, known[-1] if known else None)


def _certain(told: Told, digits: int) -> str | None:
    """The number of so many digits that both ends are rounded to."""
    lower, upper = rounded(told.lower, digits), rounded(told.upper, digits)
    return lower if lower == upper and math.isfinite(told.lower) else None
