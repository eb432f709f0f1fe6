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
    """The faults of all, each with its letter and the place of its implementation: first the gravest one of each."""
    every = [(at, place, fault) for place, result in enumerate(results) for at, fault in enumerate(result.faults)]
    ordered = sorted(every, key=lambda each: each[:2])
    return [(letter(number), place, fault) for number, (_, place, fault) in enumerate(ordered)]


def mapped(results: Sequence[ImplementationResult]) -> list[int]:
    """The places of those that were asked more than whether they are there; of all, where none was."""
    return [place for place, each in enumerate(results) if not each.miswired] or list(range(len(results)))


def letter(number: int) -> str:
    """A, B and so on to Z, then AA."""
    before, last = divmod(number, len(LETTERS))
    return (letter(before - 1) if before else "") + LETTERS[last]


def strips(results: Sequence[ImplementationResult]) -> tuple[Strip, ...]:
    """A strip a family: its cases beside each other, and of each case the implementations above each other."""
    places = mapped(results)
    letters = {(place, case): sign for sign, place, fault in lettered(results) for case in fault.cases}
    by_family = {place: _by_family(results[place]) for place in places}
    families = {family.family: family for place in places for family in results[place].families}
    return tuple(
        _strip(family, {place: each.get(name, {}) for place, each in by_family.items()}, letters, results)
        for name, family in families.items()
    )


def _by_family(result: ImplementationResult) -> dict[str, dict[str, CaseResult]]:
    found: dict[str, dict[str, CaseResult]] = {}
    for case in result.cases:
        found.setdefault(case.family, {})[case.name] = case
    return found


def _strip(
    family: FamilyResult,
    cases: Mapping[int, Mapping[str, CaseResult]],
    letters: Letters,
    results: Sequence[ImplementationResult],
) -> Strip:
    names = tuple(dict.fromkeys(name for each in cases.values() for name in each))
    cells = tuple(
        _cell(family.family, name, {place: each.get(name) for place, each in cases.items()}, letters) for name in names
    )
    said = _numbered({place: _said(each) for place, each in cases.items()}, len(results))
    known = {place: {each.family: each for each in results[place].families}.get(family.family) for place in cases}
    ends = _numbered({place: verdict(each) for place, each in known.items()}, len(results))
    return Strip(family.family, family.about, "; ".join(said), cells, ends)


def _numbered(said: Mapping[int, str], of: int) -> tuple[str, ...]:
    """What is said of implementations, with their numbers where there are several."""
    return tuple(said.values()) if of == 1 else tuple(f"{place + 1} {each}" for place, each in said.items())


def _said(cases: Mapping[str, CaseResult]) -> str:
    """How many cases came out in which way."""
    counts = Counter(TOLD.get(case.outcome, case.outcome) for case in cases.values())
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "not asked"


def _cell(
    family: str, name: str, cases: Mapping[int, CaseResult | None], letters: Letters
) -> tuple[str, tuple[Mark, ...]]:
    """A case by its own name, with what came of it, and its signs."""
    marks = {place: _mark(case, letters.get((place, name), UNNAMED)) for place, case in cases.items()}
    said = {place: _outcome(case, marks[place]) for place, case in cases.items()}
    alike = len(set(said.values())) == 1
    told = next(iter(said.values())) if alike else ", ".join(_numbered(said, len(said)))
    return f"{name.removeprefix(f'{family}/')}: {told}", tuple(marks.values())


def _mark(case: CaseResult | None, letter: str) -> Mark:
    if case is None:
        return NOT_ASKED
    look = case.outcome.replace(" ", "-")
    return Mark(letter if case.outcome in FAILED else SIGNS[case.outcome], look)


def _outcome(case: CaseResult | None, mark: Mark) -> str:
    if case is None:
        return "not asked"
    return f"{case.outcome} ({mark.sign})" if case.outcome in FAILED else TOLD[case.outcome]
