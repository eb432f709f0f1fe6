"""All cases on one implementation: asked in order, the fatal ones again alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from xentcli.conform.asking.deriving import EVERYTHING, Offer, Plan, plan
from xentcli.conform.asking.learning import Missing, learn
from xentcli.conform.asking.presented import Presented
from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.telling.reproduction import reproduce
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import GRADES, OUTCOMES, SMOKE, CaseResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Case
    from xentcli.conform.xfail import Expected
    from xentcli.records.conformance import ImplementationResult

SUSPECTS = 8  # cases before a fatal one that may have corrupted the process
KEPT = 512  # questions


@dataclass
class Run:
    """One implementation on its way through the battery."""

    implementation: Implementation
    asked: list[Case]  # since it was last started
    warm: Case | None = None  # asked of a fresh process first, so that its start does not count as the case's time
    offer: Offer = EVERYTHING
    failed: dict[str, Question] = field(default_factory=dict)  # case -> the call of it that went wrong

    def __post_init__(self) -> None:
        self.missing = Missing(self.implementation, self.offer)
        self.implementation = Presented(self.implementation, self.offer)

    def result(self, case: Case) -> CaseResult:
        """What comes of a case, asked as the implementation can be asked."""
        asked = plan(case, _question(case).inputs, self.offer)
        if asked.missing:
            return CaseResult(case.name, case.family, "unsupported", asked.missing, reports=case.reports)
        questions = [_question(case) if call is case else Question.of(call) for call in asked.calls]
        results = [self._asked(question) for question in questions]
        worst = max(range(len(results)), key=lambda index: OUTCOMES.index(results[index].outcome))
        self.failed[case.name] = questions[worst]
        return _together(results, worst, asked)

    def _asked(self, question: Question) -> CaseResult:
        """Ask, judge, and ask again alone where the answer was fatal and others had been asked before."""
        case, alone = question.case, not self.asked
        answer = self._ask_alone(question) if alone else self.implementation.ask(case, question.inputs)
        self.asked.append(case)
        if answer.kind == "fatal":
            return self._fatal(question, answer, alone=alone)
        missing = self.missing.of(case, question.inputs) if answer.kind == "error" else ""
        if missing:
            return CaseResult(case.name, case.family, "unsupported", missing, reports=case.reports)
        again = self.implementation.ask(case, question.inputs) if case.repeated and answer.kind == "value" else None
        return judge(question, answer, again)

    def _fatal(self, question: Question, answer: Answer, *, alone: bool) -> CaseResult:
        """Name the right case: this one when it is fatal alone, else the earlier one after which it is."""
        before, self.asked = self.asked[:-1], []
        again = answer if alone else self._ask_alone(question)
        if again.kind == "fatal":
            return judge(question, again)
        culprit = next((each for each in before[: -SUSPECTS - 1 : -1] if self._is_fatal_after(each, question)), None)
        result = judge(question, again)
        blamed = f"after {culprit.name}" if culprit else "after other cases"
        return replace(result, outcome="fails", reason=f"{blamed}, though not alone, it {answer.said}")

    def _ask_alone(self, question: Question) -> Answer:
        """The answer of a fresh process, which knows nothing but a case that cannot be wrong."""
        self.implementation.restart()
        if self.warm is not None and self.warm is not question.case:
            self.implementation.ask(self.warm, _question(self.warm).inputs)
        return self.implementation.ask(question.case, question.inputs)

    def _is_fatal_after(self, earlier: Case, question: Question) -> bool:
        self._ask_alone(_question(earlier))
        fatal = self.implementation.ask(question.case, question.inputs).kind == "fatal"
        self.implementation.restart()
        return fatal


def run(
    implementation: Implementation,
    cases: Sequence[Case],
    families: dict[str, str],
    expected: Sequence[Expected] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> ImplementationResult:
    """Everything that came of the battery on an implementation."""
    smoke = [case for case in cases if case.family == SMOKE]
    first = _first(implementation, smoke)
    if first is not None:
        return summarise(implementation.name, [first], families, miswired=_answered(first, smoke[0]))
    task = Run(implementation, smoke[:1], smoke[0] if smoke else None, learn(implementation))
    results: list[CaseResult] = []
    for case in smoke:
        results.append(task.result(case))
        if results[-1].outcome != "passes":  # the next one would only be waited for in vain
            return summarise(implementation.name, results, families, miswired=_answered(results[-1], case))
    for case in cases:
        if case.family != SMOKE:
            progress(f"{case.name}  {len(results) + 1} of {len(cases)}")
            results.append(task.result(case))
    results = [_as_expected(result, expected) for result in results]
    results = _with_reproductions(task, results)
    stale = tuple(each.pattern for each in expected if _is_stale(each, results))
    return summarise(implementation.name, results, families, stale=stale)


def _first(implementation: Implementation, smoke: Sequence[Case]) -> CaseResult | None:
    """What became of an implementation whose first answer is none: it need not be waited for again."""
    if not smoke:
        return None
    question = _question(smoke[0])
    answer = implementation.ask(question.case, question.inputs)
    return judge(question, answer) if answer.kind in {"fatal", "garbled"} else None


def _answered(result: CaseResult, case: Case) -> str:
    """What came of a smoke case in place of what was expected."""
    certified = _question(case).certified
    expected = f", expected {float(certified.value[0])!r}" if certified is not None else ""
    said = f"got {result.worst.got!r}" if result.worst is not None else result.reason
    return f"{case.name}: {said}{expected}"


def _together(results: Sequence[CaseResult], worst: int, asked: Plan) -> CaseResult:
    """The gravest of the results of a case's calls, with the worst grade and the fewest digits of all."""
    if len(results) == 1 and not asked.note:
        return results[0]
    grades = [result.grade for result in results if result.grade]
    digits = [result.accuracy for result in results if result.accuracy and result.accuracy.digits_minimum is not None]
    notes = dict.fromkeys(note for result in results for note in result.notes)
    if results[worst].outcome == "unsupported":
        return results[worst]
    return replace(
        results[worst],
        grade=max(grades, key=GRADES.index, default=None),
        accuracy=min(digits, key=lambda each: each.digits_minimum or 0.0, default=results[worst].accuracy),
        notes=(*notes, *([asked.note] if asked.note else [])),
    )


def _as_expected(result: CaseResult, expected: Sequence[Expected]) -> CaseResult:
    if result.outcome not in {"fails", "differs by convention"}:
        return result
    reason = next((each.reason for each in expected if each.matches(result)), None)
    return result if reason is None else replace(result, outcome="expected failure", notes=(*result.notes, reason))


def _is_stale(expected: Expected, results: Sequence[CaseResult]) -> bool:
    """Whether an expected failure was run and none came."""
    met = [result for result in results if expected.matches(result)]
    return bool(met) and not any(result.outcome == "expected failure" for result in met)


def _with_reproductions(task: Run, results: list[CaseResult]) -> list[CaseResult]:
    """A reproduction for the first failure of each family: one is what a reader pastes."""
    seen: Counter[str] = Counter()
    told = []
    for result in results:
        failed = result.outcome in {"fails", "differs by convention"}
        seen[result.family] += failed
        first = failed and seen[result.family] == 1 and result.worst is not None
        told.append(reproduce(task.implementation, task.failed[result.name], result) if first else result)
    return told


@lru_cache(maxsize=KEPT)
def _question(case: Case) -> Question:
    """The certified case; kept, as several implementations are asked the same, and shrinking asks again."""
    return Question.of(case)
