"""All cases on one implementation: asked in order, the fatal ones again alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from xentcli.conform.asking.deriving import EVERYTHING, Offer, Plan, plan
from xentcli.conform.asking.learning import Missing, learn
from xentcli.conform.asking.presented import Presented
from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.naming.names import names_of
from xentcli.conform.telling.demands import NOTHING, Demands
from xentcli.conform.telling.faults import faults_of, settled
from xentcli.conform.telling.reproduction import reproduce
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import GRADES, OUTCOMES, SMOKE, CaseResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Case
    from xentcli.conform.telling.faults import Questions
    from xentcli.conform.xfail import Expected
    from xentcli.records.conformance import ImplementationResult

SUSPECTS = 8  # cases before a fatal one that may have corrupted the process
KEPT = 512  # questions
FAILED = {"fails", "differs by convention"}


@dataclass
class Run:
    """One implementation on its way through the battery."""

    implementation: Implementation
    asked: list[Case]  # since it was last started
    warm: Case | None = None  # asked of a fresh process first, so that its start does not count as the case's time
    named: bool = False  # whether a wrong answer is explained
    offer: Offer = EVERYTHING
    decisive: dict[str, Question] = field(default_factory=dict)  # case -> the call that came out worst

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
        self.decisive[case.name] = questions[worst]
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
        result = judge(question, answer, again)
        wrong = self.named and result.outcome in FAILED
        return replace(result, names=names_of(question, answer, result)) if wrong else result

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
    *,
    demands: Demands = NOTHING,
) -> ImplementationResult:
    """Everything that came of the battery on an implementation."""
    smoke = [case for case in cases if case.family == SMOKE]
    first = _first(implementation, smoke)
    if first is not None:
        return summarise(implementation.name, [first], families, miswired=_answered(first, smoke[0]))
    task = Run(implementation, smoke[:1], smoke[0] if smoke else None, named=True, offer=learn(implementation))
    known = {case.name: case for case in cases}

    def questions(name: str) -> Question:
        return task.decisive.get(name) or _question(known[name])

    results: list[CaseResult] = []
    for case in smoke:
        results.append(task.result(case))
        if results[-1].outcome != "passes":  # the next one would only be waited for in vain
            told = _told(task.implementation, questions, results)
            faults = faults_of(told, questions)
            return summarise(implementation.name, told, families, miswired=_answered(results[-1], case), faults=faults)
    for case in cases:
        if case.family != SMOKE:
            progress(f"{case.name}  {len(results) + 1} of {len(cases)}")
            results.append(_as_expected(demands.held(task.result(case)), expected))
            if demands.first and results[-1].outcome in FAILED:
                break
    results = _told(task.implementation, questions, results)
    stale = tuple(each.pattern for each in expected if _is_stale(each, results))
    faults = faults_of(results, questions)
    return summarise(implementation.name, results, families, stale=stale, faults=faults)


def _told(implementation: Implementation, questions: Questions, results: list[CaseResult]) -> list[CaseResult]:
    """The results by the names of their faults, and with the lines that show each fault."""
    named = settled(results, questions)
    firsts = {fault.cases[0] for fault in faults_of(named, questions)}
    return [reproduce(implementation, questions(each.name), each) if each.name in firsts else each for each in named]


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
    if result.outcome not in FAILED:
        return result
    reason = next((each.reason for each in expected if each.matches(result)), None)
    return result if reason is None else replace(result, outcome="expected failure", notes=(*result.notes, reason))


def _is_stale(expected: Expected, results: Sequence[CaseResult]) -> bool:
    """Whether an expected failure was run and none came."""
    met = [result for result in results if expected.matches(result)]
    return bool(met) and not any(result.outcome == "expected failure" for result in met)


@lru_cache(maxsize=KEPT)
def _question(case: Case) -> Question:
    """The certified case; kept, as several implementations are asked the same, and shrinking asks again."""
    return Question.of(case)
