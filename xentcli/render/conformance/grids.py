"""The tables that the formats for people share, as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.numbers import against, plural

if TYPE_CHECKING:
    from xentcli.records.conformance import (
        CaseResult,
        ConformanceReport,
        FamilyResult,
        Fault,
        ImplementationResult,
    )
    from xentcli.render.wording import Entry

CALLED = {"differs by convention": "convention", "conforms in part": "in part"}  # in a cell
FAILED = ("fails", "differs by convention")
NAMED = 3  # cases that contradict a fault are named, the others counted
SHORT = {"sum stored in 16 bits": "16-bit sum", "logsumexp - x[y]": "lse - x[y]"}  # grades, where a column is narrow


def verdicts(report: ConformanceReport) -> Grid:
    """Families down, implementations across; one alone also shows how good its numbers are."""
    if len(report.implementations) == 1:
        return alone(report.implementations[0])
    head = ("family", *(each.name for each in report.implementations))
    known = [{family.family: family for family in each.families} for each in report.implementations]
    names = dict.fromkeys(family for each in known for family in each)
    return Grid(head, tuple((name, *(verdict(each.get(name)) for each in known)) for name in names))


def alone(result: ImplementationResult) -> Grid:
    """Families down, and across how good the numbers of one implementation are."""
    head = ("family", "cases", "verdict", "digits", "median", "nearest", "grade")
    return Grid(head, tuple(_family_row(family) for family in result.families)).without_blanks()


def _family_row(family: FamilyResult) -> tuple[str, ...]:
    accuracy = family.accuracy
    numbers = ("", "", "")
    if accuracy and accuracy.digits_minimum is not None and accuracy.digits_median is not None:
        share = accuracy.correctly_rounded / accuracy.values
        numbers = (f"{accuracy.digits_minimum:.1f}", f"{accuracy.digits_median:.1f}", _share(share))
    grade = family.grade or ""
    cases = str(sum(family.counts.values()))
    return (family.family, cases, verdict(family), *numbers, SHORT.get(grade, grade))


def _share(share: float) -> str:
    """A percentage, of which only all is 100 and only none is 0."""
    if 0.0 < share < 1.0:
        return f"{min(max(100.0 * share, 1.0), 99.0):.0f} %"
    return f"{100.0 * share:.0f} %"


def verdict(family: FamilyResult | None) -> str:
    """The verdict in a word or two, with how many cases it stands on where not on all."""
    if family is None:
        return "not asked"
    total, word = sum(family.counts.values()), family.verdict
    count = family.counts.get(word, 0) if word in FAILED else total
    text = CALLED.get(word, word)
    if word in FAILED:
        return f"{text} {count} of {total}"
    skipped = family.counts.get("unsupported", 0)
    expected = family.counts.get("expected failure", 0)
    parts = [f"{skipped} skipped"] * bool(skipped and word != "unsupported") + [f"{expected} expected"] * bool(expected)
    return f"{text} ({', '.join(parts)})" if parts else text


def headline(fault: Fault) -> str:
    """A fault in one sentence, with how far it reaches."""
    where = fault.families[0] if len(fault.families) == 1 else plural(len(fault.families), "family")
    return f"{fault.statement}, in {plural(len(fault.cases), 'case')} of {where.replace('familys', 'families')}"


def details(fault: Fault, known: int | None = None) -> list[Entry]:
    """What there is to say of a fault beside its sentence, and so many of the reports of it."""
    told = [
        ("why", fault.why),
        ("case", f"{fault.worst.name}: {offence(fault.worst)}"),
        ("not in", _some(fault.against)),
        ("known", ", ".join(fault.known[:known])),
    ]
    return [(word, text) for word, text in told if text]


def _some(cases: tuple[str, ...]) -> str:
    """The first of those that could tell a fault, and do not have it."""
    more = len(cases) - NAMED
    return f"{', '.join(cases[:NAMED])}{f' and {more} more' if more > 0 else ''}" if cases else ""


def fault_of(result: ImplementationResult, case: CaseResult) -> Fault | None:
    """The fault that a case shows."""
    return next((fault for fault in result.faults if case.name in fault.cases), None)


def case_message(result: ImplementationResult, case: CaseResult) -> str:
    """What is wrong with a case, after the fault that it shows."""
    fault = fault_of(result, case)
    told = [fault.statement] if fault and fault.statement != case.reason else []
    return "; ".join((*told, offence(case)))


def offence(case: CaseResult) -> str:
    """What is wrong with a case, in one sentence."""
    worst = case.worst
    if worst is None:
        return case.reason
    error, allowed = against(abs(worst.got - worst.certified), worst.allowed)
    place = f" at {list(worst.index)}" if worst.index else ""
    numbers = f"got {worst.got!r}, certified {worst.certified!r}, error {error}, allowed {allowed}"
    return f"{case.reason}: {worst.what}{place}: {numbers}"


def notes(result: ImplementationResult) -> list[Entry]:
    """What was not judged and why, and which of two conventions is followed."""
    said: dict[str, list[str]] = {}
    for family in result.families:
        for reason in family.reasons if family.verdict not in FAILED else ():
            said.setdefault(reason, []).append(family.family)
    told = [("note", f"{reason} ({', '.join(families)})") for reason, families in said.items()]
    return [*told, *(("stale", f"{pattern} was expected to fail and does not") for pattern in result.stale)]


def counted(report: ConformanceReport) -> str:
    """What was asked."""
    return f"{plural(report.cases, 'case')} of corpus {report.corpus}"
