"""All cases on one implementation: asked in order, the fatal ones again alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.naming.names import names_of
from xentcli.conform.telling.demands import NOTHING, Demands
from xentcli.conform.telling.faults import faults_of, settled
from xentcli.conform.telling.reproduction import reproduce
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Case
    from xentcli.conform.telling.faults import Questions
    from xentcli.conform.xfail import Expected
    from xentcli.records.conformance import CaseResult, ImplementationResult

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

    def result(self, case: Case) -> CaseResult:
        """Ask, judge, and ask again alone where the answer was fatal and others had been asked before."""
        question = _question(case)
        alone = not self.asked
        answer = self._ask_alone(question) if alone else self.implementation.ask(case, question.inputs)
        self.asked.append(case)
        if answer.kind == "fatal":
            return self._fatal(question, answer, alone=alone)
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
    task = Run(implementation, [], smoke[0] if smoke else None, named=True)
    questions = partial(_question_of, {case.name: case for case in cases})
    results: list[CaseResult] = []
    for case in smoke:
        results.append(task.result(case))
        if results[-1].outcome != "passes":  # the next one would only be waited for in vain
            told = _told(implementation, questions, results)
            return summarise(implementation.name, told, families, miswired=True, faults=faults_of(told, questions))
    for case in cases:
        if case.family != SMOKE:
            progress(case.name)
            results.append(_as_expected(demands.held(task.result(case)), expected))
            if demands.first and results[-1].outcome in FAILED:
                break
    results = _told(implementation, questions, results)
    stale = tuple(each.pattern for each in expected if _is_stale(each, results))
    faults = faults_of(results, questions)
    return summarise(implementation.name, results, families, stale=stale, faults=faults)


def _told(implementation: Implementation, questions: Questions, results: list[CaseResult]) -> list[CaseResult]:
    """The results by the names of their faults, and with the lines that show each fault."""
    named = settled(results, questions)
    firsts = {fault.cases[0] for fault in faults_of(named, questions)}
    return [reproduce(implementation, questions(each.name), each) if each.name in firsts else each for each in named]


def _as_expected(result: CaseResult, expected: Sequence[Expected]) -> CaseResult:
    if result.outcome not in FAILED:
        return result
    reason = next((each.reason for each in expected if each.matches(result)), None)
    return result if reason is None else replace(result, outcome="expected failure", notes=(*result.notes, reason))


def _is_stale(expected: Expected, results: Sequence[CaseResult]) -> bool:
    """Whether an expected failure was run and none came."""
    met = [result for result in results if expected.matches(result)]
    return bool(met) and not any(result.outcome == "expected failure" for result in met)


def _question_of(cases: dict[str, Case], name: str) -> Question:
    return _question(cases[name])


@lru_cache(maxsize=KEPT)
def _question(case: Case) -> Question:
    """The certified case; kept, as several implementations are asked the same, and shrinking asks again."""
    return Question.of(case)
