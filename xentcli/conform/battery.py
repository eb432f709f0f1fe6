"""All cases on one implementation: asked in order, the fatal ones again alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from xentcli.conform.judging.judge import Question, judge
from xentcli.conform.telling.reproduction import reproduce
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Case
    from xentcli.conform.xfail import Expected
    from xentcli.records.conformance import CaseResult, ImplementationResult

SUSPECTS = 8  # cases before a fatal one that may have corrupted the process
KEPT = 512  # questions


@dataclass
class Run:
    """One implementation on its way through the battery."""

    implementation: Implementation
    asked: list[Case]  # since it was last started
    warm: Case | None = None  # asked of a fresh process first, so that its start does not count as the case's time

    def result(self, case: Case) -> CaseResult:
        """Ask, judge, and ask again alone where the answer was fatal and others had been asked before."""
        question = _question(case)
        alone = not self.asked
        answer = self._ask_alone(question) if alone else self.implementation.ask(case, question.inputs)
        self.asked.append(case)
        if answer.kind == "fatal":
            return self._fatal(question, answer, alone=alone)
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
    task = Run(implementation, [], smoke[0] if smoke else None)
    results: list[CaseResult] = []
    for case in smoke:
        results.append(task.result(case))
        if results[-1].outcome != "passes":  # the next one would only be waited for in vain
            return summarise(implementation.name, results, families, miswired=True)
    for case in cases:
        if case.family != SMOKE:
            progress(case.name)
            results.append(task.result(case))
    results = [_as_expected(result, expected) for result in results]
    results = _with_reproductions(implementation, {case.name: case for case in cases}, results)
    stale = tuple(each.pattern for each in expected if _is_stale(each, results))
    return summarise(implementation.name, results, families, stale=stale)


def _as_expected(result: CaseResult, expected: Sequence[Expected]) -> CaseResult:
    if result.outcome not in {"fails", "differs by convention"}:
        return result
    reason = next((each.reason for each in expected if each.matches(result)), None)
    return result if reason is None else replace(result, outcome="expected failure", notes=(*result.notes, reason))


def _is_stale(expected: Expected, results: Sequence[CaseResult]) -> bool:
    """Whether an expected failure was run and none came."""
    met = [result for result in results if expected.matches(result)]
    return bool(met) and not any(result.outcome == "expected failure" for result in met)


def _with_reproductions(
    implementation: Implementation, cases: dict[str, Case], results: list[CaseResult]
) -> list[CaseResult]:
    """A reproduction for the first failure of each family: one is what a reader pastes."""
    seen: Counter[str] = Counter()
    told = []
    for result in results:
        failed = result.outcome in {"fails", "differs by convention"}
        seen[result.family] += failed
        first = failed and seen[result.family] == 1 and result.worst is not None
        told.append(reproduce(implementation, _question(cases[result.name]), result) if first else result)
    return told


@lru_cache(maxsize=KEPT)
def _question(case: Case) -> Question:
    """The certified case; kept, as several implementations are asked the same, and shrinking asks again."""
    return Question.of(case)
