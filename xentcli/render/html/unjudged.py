"""What was not judged, and why: not offered, refused, known to fail; and which conventions are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.html.document import MOST_ROWS, Section, Table
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.records.conformance import CaseResult, ImplementationResult

REFUSED = "refused: "


def unjudged(results: Sequence[ImplementationResult]) -> Section:
    """A line for each reason, the widest first."""
    rows = [row for place, result in enumerate(results, 1) for row in _rows(place, result)]
    more = len(rows) - MOST_ROWS
    lead = f"The first {MOST_ROWS} of {plural(len(rows), 'reason')}; the JSON report has all." if more > 0 else ""
    head = ("", "what", "cases", "families", "why")
    grid = Grid(head, tuple(rows[:MOST_ROWS])) if len(results) > 1 else Grid(head, tuple(rows[:MOST_ROWS])).without("")
    return Section("Not judged, and told apart", lead, tables=Table.of(grid, left=("what", "families", "why")))


def _rows(place: int, result: ImplementationResult) -> Iterator[tuple[str, ...]]:
    found: dict[tuple[str, str], list[CaseResult]] = {}
    for case in result.cases:
        for reason in _reasons(case):
            found.setdefault(reason, []).append(case)
    for (what, why), cases in sorted(found.items(), key=lambda each: -len(each[1])):
        families = dict.fromkeys(case.family for case in cases)
        yield str(place), what, str(len(cases)), ", ".join(families), why
    for pattern in result.stale:
        yield str(place), "stale", "", "", f"{pattern} was expected to fail and does not"


def _reasons(case: CaseResult) -> Iterator[tuple[str, str]]:
    """Why a case was not judged, or what it says beside its verdict."""
    if case.outcome == "unsupported":
        is_refused = case.reason.startswith(REFUSED)
        yield ("refused", case.reason.removeprefix(REFUSED)) if is_refused else ("not offered", case.reason)
    *notes, last = case.notes or ("",)
    if case.outcome == "expected failure":
        yield "known to fail", last
    elif last:
        notes.append(last)
    yield from (("noted", note) for note in notes)
