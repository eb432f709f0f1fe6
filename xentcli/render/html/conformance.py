"""The page of a conformance report: every case as a sign, each fault once, the digits, and what was not judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from xentcli.render.cells import Grid
from xentcli.render.conformance.grids import alone, counted, details, headline
from xentcli.render.html import digits
from xentcli.render.html.casemap import LEGEND, lettered, mapped, strips
from xentcli.render.html.document import (
    LONGEST,
    MOST_ROWS,
    Document,
    Figure,
    Notice,
    Section,
    Table,
    Unfold,
    cut,
    shortened,
)
from xentcli.render.html.said import made_by
from xentcli.render.html.unjudged import unjudged
from xentcli.render.html.write import page
from xentcli.render.numbers import plural
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.records.conformance import ConformanceReport, Fault, ImplementationResult
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

BESIDE = 6  # implementations on a page
TOLD = 6  # faults that are told in full, with the lines to paste
PASTED = 3_000  # characters of lines to paste
CASES = 200  # characters of the names of cases; the map has them all


def render(report: ConformanceReport, _page: Page) -> str:
    """The report as one HTML page."""
    return page(document(report))


def document(report: ConformanceReport) -> Document:
    """The report as sections, in the order in which one asks."""
    kept = replace(report, implementations=report.implementations[:BESIDE])
    shown: ConformanceReport = printable(cut(kept, LONGEST))
    results, is_alone = shown.implementations, len(shown.implementations) == 1
    return Document(
        title=f"xent conform: {', '.join(each.name for each in results)}",
        verdict=shown.verdict,
        sentence=printable(cut(report.summary)),
        content=cut(kept).to_dict(),
        lesser=_spare(cut(kept).to_dict()),
        figures=tuple(_figures(results[0])) if is_alone else (),
        sections=(
            _judged(shown, len(report.implementations) - len(results)),
            Section("Families, case by case", _legend(results), strips=strips(results)),
            *_faults(results, kept.implementations),
            _digits(results),
            unjudged(results),
            Section("Families in numbers", details=tuple(_numbers(results))),
        ),
        made_by=f"{made_by(shown.tool)}, corpus {shown.corpus}",
    )


_DIGITS = (
    "The significant digits that are right, at the worst loss of each case, against those that its allowance asks for."
)


def _spare(content: Any) -> Any:
    """The JSON without members that say nothing, where there is no room for them."""
    if isinstance(content, dict):
        spared = {key: _spare(item) for key, item in content.items()}
        return {key: item for key, item in spared.items() if item not in (None, "", [], {})}
    return [_spare(item) for item in content] if isinstance(content, list) else content


def _figures(result: ImplementationResult) -> Iterator[Figure]:
    counts = _counts(result)
    judged = len(result.cases) - counts["unsupported"]
    yield Figure("judged", f"{judged:,}", f"of {plural(len(result.cases), 'case')}")
    yield Figure("right", f"{counts['passes']:,}")
    yield Figure("faults", f"{len(result.faults):,}")


def _counts(result: ImplementationResult) -> Counter[str]:
    return Counter(case.outcome for case in result.cases)


def _judged(report: ConformanceReport, left_out: int) -> Section:
    """Which implementations were judged, on what, and by which options."""
    said = [
        ("cases", counted(report)),
        ("seed", "" if report.seed is None else str(report.seed)),
        *((each.option, f"{each.value}, from {each.source}") for each in report.options),
        ("left out", f"{plural(left_out, 'implementation')} more: a page has room for {BESIDE}" if left_out else ""),
    ]
    rows = tuple(_counted(place, each) for place, each in enumerate(report.implementations, 1))
    head = ("", "implementation", "verdict", "judged", "right", "known to fail", "by convention", "wrong", "faults")
    words = ("", "implementation", "verdict")
    table = Table.of(Grid(head, rows), left=words) if len(rows) > 1 else ()
    return Section("What was judged", entries=tuple(each for each in said if each[1]), tables=table)


def _counted(place: int, result: ImplementationResult) -> tuple[str, ...]:
    counts = _counts(result)
    judged = len(result.cases) - counts["unsupported"]
    outcomes = (counts[each] for each in ("passes", "expected failure", "differs by convention", "fails"))
    return (
        str(place), result.name, result.verdict, f"{judged:,} of {len(result.cases):,}",
        *(f"{each:,}" if each else "" for each in outcomes), str(len(result.faults) or ""),
    )  # fmt: skip


def _legend(results: Sequence[ImplementationResult]) -> str:
    if len(results) == 1:
        return f"{LEGEND}."
    lines = ", ".join(str(place + 1) for place in mapped(results))
    return f"Each column is a case; its lines are the implementations {lines}, from the top. {LEGEND}."


def _faults(results: Sequence[ImplementationResult], whole: Sequence[ImplementationResult]) -> Iterator[Section]:
    """The gravest faults in full, the others a line each; `whole` has the lines to paste, in full too."""
    every = lettered(results)
    code = [fault.worst.reproduction for _, _, fault in lettered(whole)]
    notices = (_fault(*each, lines, results) for each, lines in zip(every[:TOLD], code, strict=False))
    yield Section("Faults", notices=tuple(notices))
    rest = every[TOLD:]
    more = len(rest) - MOST_ROWS
    lead = f"And {plural(more, 'fault')} more, which the JSON report has." if more > 0 else ""
    lines = (
        (sign, shortened(f"{_whose(place, results, headline(fault))}: {fault.cases[0]}")) for sign, place, fault in rest
    )
    yield Section("More faults", lead, entries=tuple(islice(lines, MOST_ROWS)))


def _whose(place: int, results: Sequence[ImplementationResult], said: str) -> str:
    return f"{results[place].name}: {said}" if len(results) > 1 else said


def _fault(
    sign: str, place: int, fault: Fault, lines: tuple[str, ...], results: Sequence[ImplementationResult]
) -> Notice:
    is_short = sum(map(len, lines)) <= PASTED
    where: list[Entry] = [("where", _where(fault))]
    long = (
        [] if is_short else [("to paste", "the lines are too long for a page: `-f markdown` and `-f json` have them")]
    )
    return Notice(
        fault.outcome,
        _whose(place, results, headline(fault)),
        (*details(fault), *where, *long),
        printable(lines) if is_short else (),
        sign,
    )


def _where(fault: Fault) -> str:
    """The cases by their families, as many as there is room for."""
    said = "; ".join(
        f"{family}: {', '.join(case.removeprefix(f'{family}/') for case in fault.cases if _is_of(case, family))}"
        for family in fault.families
    )
    return said if len(said) <= CASES else f"{said[:CASES].rpartition(',')[0]}, … ({plural(len(fault.cases), 'case')})"


def _is_of(case: str, family: str) -> bool:
    return case.partition("/")[0] == family


def _digits(results: Sequence[ImplementationResult]) -> Section:
    drawn = tuple(filter(None, map(digits.picture, results)))
    return Section("Digits of each case", _DIGITS if drawn else "", pictures=drawn)


def _numbers(results: Sequence[ImplementationResult]) -> Iterator[Unfold]:
    """How good the numbers of each family are."""
    for result in results:
        grid = alone(result)
        yield Unfold(f"{result.name}: digits, nearest values and grades", tables=Table.of(grid, left=_WORDS))


_WORDS = ("family", "verdict", "grade")
