"""From the cases to the families, and from them to the verdict."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

from xentcli.conform.telling.faults import faults_of
from xentcli.records.conformance import (
    GRADES,
    OUTCOMES,
    Accuracy,
    CaseResult,
    FamilyResult,
    ImplementationResult,
    gravest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.records.conformance import Fault

_MISWIRED = "does not answer the smoke cases rightly: the wiring is wrong, nothing else was asked ({})"


def summarise(
    name: str,
    results: Sequence[CaseResult],
    families: dict[str, str],
    *,
    miswired: str = "",
    stale: tuple[str, ...] = (),
    faults: tuple[Fault, ...] | None = None,
) -> ImplementationResult:
    """The result of an implementation; `miswired` says what was answered, and what was expected, where nothing fits."""
    by_family: dict[str, list[CaseResult]] = {}
    for result in results:
        by_family.setdefault(result.family, []).append(result)
    summaries = tuple(_family(family, families.get(family, ""), each) for family, each in by_family.items())
    verdict = gravest(Counter(result.outcome for result in results))
    return ImplementationResult(
        name=name,
        verdict=verdict,
        summary=_MISWIRED.format(miswired) if miswired else _sentence(summaries, results),
        families=summaries,
        cases=tuple(results),
        miswired=bool(miswired),
        stale=stale,
        faults=faults_of(results) if faults is None else faults,
    )


def _family(family: str, about: str, results: list[CaseResult]) -> FamilyResult:
    outcomes = Counter(result.outcome for result in results)
    grades = [result.grade for result in results if result.grade]
    failed = [result for result in results if result.outcome in {"fails", "differs by convention"}]
    worst = max(failed, key=_gravity, default=None)
    reasons = dict.fromkeys(
        text
        for result in results
        for text in (
            *([result.reason] if result.outcome in {"unsupported", "differs by convention"} else []),
            *result.notes,
        )
    )
    return FamilyResult(
        family=family,
        about=about,
        verdict=gravest(Counter(map(str, outcomes.elements()))),
        counts={outcome: outcomes[outcome] for outcome in OUTCOMES if outcomes[outcome]},
        grade=max(grades, key=GRADES.index, default=None),
        accuracy=_accuracy([result.accuracy for result in results if result.accuracy]),
        reasons=tuple(filter(None, reasons)),
        worst=worst,
    )


def _gravity(result: CaseResult) -> tuple[int, bool]:
    """A failure before a convention; of these the one with a reproduction."""
    return OUTCOMES.index(result.outcome), bool(result.reproduction)


def _accuracy(parts: list[Accuracy]) -> Accuracy | None:
    known = [part for part in parts if part.digits_minimum is not None and part.digits_median is not None]
    if not known:
        return None
    return Accuracy(
        values=sum(part.values for part in known),
        correctly_rounded=sum(part.correctly_rounded for part in known),
        digits_minimum=min(part.digits_minimum for part in known if part.digits_minimum is not None),
        digits_median=statistics.median(part.digits_median for part in known if part.digits_median is not None),
    )


def _sentence(families: tuple[FamilyResult, ...], results: Sequence[CaseResult]) -> str:
    """What is wrong, what is not offered, and how much was judged where that is not all."""
    groups = {
        "fails": "fails {}", "differs by convention": "differs by convention in {}", "unsupported": "does not offer {}",
    }  # fmt: skip
    parts = []
    for verdict, words in groups.items():
        names = [each.family for each in families if each.verdict == verdict]
        if names:
            parts.append(words.format(", ".join(names)))
    judged = sum(result.outcome != "unsupported" for result in results)
    if judged < len(results):
        right = ", all right" if judged and not any(each.worst for each in families) else ""
        parts.append(f"{judged} of {len(results)} cases judged{right}")
    return "; ".join(parts) or f"conforms in all {len(families)} families"
