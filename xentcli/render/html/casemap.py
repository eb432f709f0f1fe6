"""Every case of every family as a sign: right, not judged, or the letter of the fault that it shows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from xentcli.render.conformance.grids import FAILED, verdict
from xentcli.render.html.document import Mark, Strip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xentcli.records.conformance import CaseResult, FamilyResult, Fault, ImplementationResult

SIGNS = {"passes": "✓", "unsupported": "–", "expected failure": "×"}
TOLD = {"passes": "right", "unsupported": "not judged", "expected failure": "known to fail"}
NOT_ASKED = Mark(" ", "blank")
UNNAMED = "✕"  # a failure that no fault stands for
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LEGEND = "✓ right · – not judged, see below · × known to fail · a letter: the fault below that has it"

Letters = dict[tuple[int, str], str]  # an implementation's place and a case -> its fault's letter


def lettered(results: Sequence[ImplementationResult]) -> list[tuple[str, int, Fault]]:
    """The faults of all, each with its letter and the place of its implementation, the gravest first."""
    every = [(place, fault) for place, result in enumerate(results) for fault in result.faults]
    return [(letter(number), *each) for number, each in enumerate(every)]


def letter(number: int) -> str:
    """A, B and so on to Z, then AA."""
    before, last = divmod(number, len(LETTERS))
    return (letter(before - 1) if before else "") + LETTERS[last]


def strips(results: Sequence[ImplementationResult]) -> tuple[Strip, ...]:
    """A strip a family: its cases beside each other, and of each case the implementations above each other."""
    letters = {(place, case): sign for sign, place, fault in lettered(results) for case in fault.cases}
    by_family = [_by_family(result) for result in results]
    families = {family.family: family for result in results for family in result.families}
    return tuple(_strip(family, [each.get(name, {}) for each in by_family], letters, results)
                 for name, family in families.items())  # fmt: skip


def _by_family(result: ImplementationResult) -> dict[str, dict[str, CaseResult]]:
    found: dict[str, dict[str, CaseResult]] = {}
    for case in result.cases:
        found.setdefault(case.family, {})[case.name] = case
    return found


def _strip(
    family: FamilyResult,
    cases: Sequence[Mapping[str, CaseResult]],
    letters: Letters,
    results: Sequence[ImplementationResult],
) -> Strip:
    names = tuple(dict.fromkeys(name for each in cases for name in each))
    cells = tuple(_cell(family.family, name, [each.get(name) for each in cases], letters) for name in names)
    said = tuple(map(_said, cases))
    label = said[0] if len(said) == 1 else "; ".join(f"{place}: {each}" for place, each in enumerate(said, 1))
    known = [{each.family: each for each in result.families}.get(family.family) for result in results]
    return Strip(family.family, family.about, label, cells, tuple(map(verdict, known)))


def _said(cases: Mapping[str, CaseResult]) -> str:
    """How many cases came out in which way."""
    counts = Counter(TOLD.get(case.outcome, case.outcome) for case in cases.values())
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "not asked"


def _cell(
    family: str, name: str, cases: Sequence[CaseResult | None], letters: Letters
) -> tuple[str, tuple[Mark, ...]]:
    """A case by its own name, with what came of it, and its signs."""
    marks = tuple(_mark(case, letters.get((place, name), UNNAMED)) for place, case in enumerate(cases))
    said = [_outcome(case, mark) for case, mark in zip(cases, marks, strict=True)]
    if len(set(said)) > 1:
        said = [f"{place} {each}" for place, each in enumerate(said, 1)]
    return f"{name.removeprefix(f'{family}/')}: {', '.join(dict.fromkeys(said))}", marks


def _mark(case: CaseResult | None, letter: str) -> Mark:
    if case is None:
        return NOT_ASKED
    look = case.outcome.replace(" ", "-")
    return Mark(letter if case.outcome in FAILED else SIGNS[case.outcome], look)


def _outcome(case: CaseResult | None, mark: Mark) -> str:
    if case is None:
        return "not asked"
    return f"{case.outcome} ({mark.sign})" if case.outcome in FAILED else TOLD[case.outcome]
