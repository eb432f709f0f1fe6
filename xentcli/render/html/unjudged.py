"""What was not judged, and why: not offered, refused, known to fail; and which conventions are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.html.document import MOST_ROWS, Section, shortened
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.records.conformance import CaseResult, ImplementationResult
    from xentcli.render.wording import Entry

REFUSED = "refused: "


def unjudged(results: Sequence[ImplementationResult]) -> Section:
    """A line for each reason, the widest first."""
    every = [
        (word, f"{result.name}: {text}" if len(results) > 1 else text)
        for result in results
        for word, text in _told(result)
    ]
    more = len(every) - MOST_ROWS
    lead = f"The first {MOST_ROWS} of {plural(len(every), 'reason')}; the JSON report has all." if more > 0 else ""
    return Section(
        "Not judged, and noted", lead, entries=tuple((word, shortened(text)) for word, text in every[:MOST_ROWS])
    )


def _told(result: ImplementationResult) -> Iterator[Entry]:
    found: dict[tuple[str, str], list[CaseResult]] = {}
    for case in result.cases:
        for reason in _reasons(case):
            found.setdefault(reason, []).append(case)
    for (what, why), cases in sorted(found.items(), key=lambda each: -len(each[1])):
        families = dict.fromkeys(case.family for case in cases)
        yield what, f"{why} ({plural(len(cases), 'case')} of {', '.join(families)})"
    yield from (("stale", f"{pattern} was expected to fail and does not") for pattern in result.stale)


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
