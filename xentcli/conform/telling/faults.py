"""From the cases that fail to their causes: one finding for a fault, however many cases show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.conform.judging.conventions import CONVENTIONS
from xentcli.conform.naming.names import NAMES, could_tell, form_of, name_of
from xentcli.records.conformance import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.conform.judging.judge import Question
    from xentcli.records.conformance import CaseResult

FAILED = ("fails", "differs by convention")
UNEXPLAINED = "unexplained"
NEITHER = "the gradient is neither"
CANDIDATES = 12  # names that are held against all cases

Questions = Callable[[str], "Question"]  # of a case's name


def settled(results: Sequence[CaseResult], questions: Questions) -> list[CaseResult]:
    """The results, with each failure's one name first; a convention that some case contradicts is none.

    The name that explains most is taken first, one that no case contradicts before the others.  A name that none of
    its own cases can tell from the truth is no explanation.
    """
    chosen: dict[str, str] = {}
    left = [result for result in results if result.outcome in FAILED and result.names]
    while left:
        best = _best(left, results, questions)
        if best is None:
            break
        chosen |= {result.name: best for result in left if best in result.names}
        left = [result for result in left if best not in result.names]
    contrary = {name: next(against(name, results, questions), "") for name in set(chosen.values()) & CONVENTIONS.keys()}
    return [_settled(result, chosen.get(result.name), contrary) for result in results]


def _best(left: list[CaseResult], results: Sequence[CaseResult], questions: Questions) -> str | None:
    """The name of most of the cases that nothing contradicts; else one that fewer cases contradict than bear it out."""
    counts = Counter(name for result in left for name in result.names)
    names = [name for name, _ in counts.most_common() if _is_told(name, left, questions)][:CANDIDATES]
    plain = next((name for name in names if next(against(name, results, questions), None) is None), None)
    if plain is not None:
        return plain
    held = (name for name in names if len(tuple(against(name, results, questions))) < counts[name])
    return next(held, None)


def _is_told(name: str, left: list[CaseResult], questions: Questions) -> bool:
    """Whether a case of it is one that the truth would not pass for."""
    own = (result for result in left if name in result.names)
    return name not in NAMES or any(could_tell(questions(each.name), name, large=True) for each in own)


def _settled(result: CaseResult, name: str | None, contrary: dict[str, str]) -> CaseResult:
    if result.outcome not in FAILED:
        return result
    if name is None:
        return replace(result, outcome="fails", names=())
    named = replace(result, names=(name, *(each for each in result.names if each != name)))
    if name not in CONVENTIONS or result.reason.startswith(NEITHER):
        return replace(named, outcome="fails")
    reason = CONVENTIONS[name].statement
    if contrary[name]:
        return replace(named, outcome="fails", reason=f"{reason}, but not in {contrary[name]}")
    return replace(named, outcome="differs by convention", reason=reason)


def against(name: str, results: Sequence[CaseResult], questions: Questions) -> Iterator[str]:
    """The cases that could tell a name, and whose answer is another."""
    others = (each for each in results if name not in each.names and each.outcome != "unsupported")
    return (each.name for each in others if could_tell(questions(each.name), name))


def _nobody(name: str) -> Question:
    """Of results that have no names nothing is asked."""
    raise KeyError(name)


def faults_of(results: Sequence[CaseResult], questions: Questions = _nobody) -> tuple[Fault, ...]:
    """The causes of what fails, failures before conventions, the widest first."""
    groups: dict[tuple[str, str], list[CaseResult]] = {}
    for result in results:
        if result.outcome in FAILED:
            groups.setdefault(_key(result), []).append(result)
    faults = [_fault(name, cases, results, questions) for (name, _), cases in groups.items()]
    return tuple(sorted(faults, key=lambda fault: (FAILED.index(fault.outcome), -len(fault.cases))))


def _key(result: CaseResult) -> tuple[str, str]:
    """A name; what has none is one finding a family, as nobody knows whether it is the same elsewhere."""
    name = next(iter(result.names), "") or ("" if result.worst else form_of(result.reason))
    return (name, result.outcome) if name else (UNEXPLAINED, f"{result.family} {_what(result)}")


def _what(result: CaseResult) -> str:
    return result.worst.what if result.worst else ""


def _fault(name: str, cases: list[CaseResult], results: Sequence[CaseResult], questions: Questions) -> Fault:
    worst = max(cases, key=lambda each: bool(each.reproduction))
    told = name_of(name) if name != UNEXPLAINED else None
    return Fault(
        name=name.partition(":")[0],
        statement=told.statement if told and not name.startswith("error:") else cases[0].reason,
        why=told.why if told else "",
        outcome=worst.outcome,
        cases=tuple(each.name for each in cases),
        families=tuple(dict.fromkeys(each.family for each in cases)),
        against=tuple(against(name, results, questions)) if name in NAMES else (),
        worst=worst,
        known=told.known if told else (),
    )
