"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from xentcli.case import Case
from xentcli.diagnose.causes.find import find_causes
from xentcli.diagnose.verdict import Judged
from xentcli.errors import UsageError
from xentcli.judge import Question, judge
from xentcli.losses.kernels import check_kernels
from xentcli.measure import measure, measure_head
from xentcli.opening import Opening, there
from xentcli.paths import Part
from xentcli.pipeline import batches, in_order, thread_crew
from xentcli.precision import PRECISIONS
from xentcli.reduce import with_reductions
from xentcli.report import make_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.facts import Measured
    from xentcli.opening import Elsewhere
    from xentcli.pipeline import Crew
    from xentcli.policy import Policy
    from xentcli.problem import Problem
    from xentcli.records import Report
    from xentcli.traits import Traits

    Span = tuple[int, int]
    Progress = Callable[[Measured], object]

Result = TypeVar("Result")

SMALL_INPUT = 16_384  # logits of which every loss is enclosed exactly, in a fraction of a second
ESCALATED_INPUT = 1 << 20  # logits up to which an open question is decided exactly, in some seconds
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare
BATCH_BYTES = 64 << 20  # logits that another process is sent for at once: asking must not take longer than computing


def run(
    problem: Problem,
    policy: Policy,
    *,
    seed: int | None = None,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Progress | None = None,
) -> Report:
    """The report on a problem; what one float64 pass leaves open is decided by exact arithmetic where that is quick.

    threads    blocks computed at once, None as many as torch has threads; the report does not depend on it
    elsewhere  processes that compute the blocks of a streamed input instead; the report does not depend on them
    progress   is called with the facts so far after each block, or after each batch of blocks from elsewhere
    """
    if policy.reference != "off":
        check_kernels()
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError("without a reduction there is no total to expect", found="--reduction none and --expect")
    bits = exact_bits(problem, policy)
    if elsewhere is None or not problem.streamed:  # what fits in memory is computed sooner than it is sent for
        with thread_crew(threads or torch.get_num_threads()) as crew:
            return _run(Task(problem, policy, bits, crew), seed, progress)
    opening = Opening.of(elsewhere.make, problem, certified=policy.reference != "off")
    with elsewhere.start() as crew:
        return _run(Task(problem, policy, bits, crew, opening), seed, progress)


def _run(task: Task, seed: int | None, progress: Progress | None) -> Report:
    problem = task.problem
    report = _report(task, task.measured(progress), seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and problem.samples * problem.classes <= ESCALATED_INPUT:
        task = replace(task, bits=EXACT_BITS)
        report = _report(task, task.measured(progress), seed)
    return _with_causes(report, task)


@dataclass(frozen=True)
class Task:
    """What is asked of every block, and of whom."""

    problem: Problem
    policy: Policy
    bits: int | None
    crew: Crew
    opening: Opening | None = None  # how the crew opens the problem; None where it sees this process's memory

    def measured(self, progress: Progress | None) -> Measured:
        """The facts of the whole input, which add up exactly."""
        whole = None if self.problem.streamed else Part.of(self.problem)
        shown = shown_rows(self.problem, self.policy)
        total: Measured | None = None
        for facts in self._facts(whole):
            total = facts if total is None else (total + facts).candidates(shown)
            if progress:
                progress(total)
        assert total is not None  # there is at least one block
        return self._completed(total, whole).chosen(shown)

    def _facts(self, whole: Part | None) -> Iterator[Measured]:
        """The facts of each batch; a whole input's are cut out of what torch gave all of it, by all its threads."""
        if whole is None:
            blocks = 1 if self.opening is None else max(1, BATCH_BYTES // self.problem.block_bytes)
            spans = batches(self.problem.spans(), blocks)
            yield from in_order(self.crew, (self._call(facts_of, self.policy, self.bits, batch) for batch in spans))
            return
        parts = [partial(self._measure, whole.part(*span)) for span in self.problem.spans()]
        yield from (part() for part in parts) if len(parts) == 1 else in_order(self.crew, parts)

    def _measure(self, part: Part) -> Measured:
        return measure(part, self.policy, shown=shown_rows(self.problem, self.policy), bits=self.bits)

    def _completed(self, measured: Measured, whole: Part | None) -> Measured:
        """With what is no sum over blocks: torch's own reduction, and a close look at the first samples."""
        if whole is not None and self.problem.options.reduction != "none":
            measured = with_reductions(measured, whole, certified=self.policy.reference != "off")
        if measured.traits is None:
            return measured
        return replace(measured, traits=measured.traits + self.once(head_traits))

    def once(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The function of the problem and the arguments, by one worker where the data are elsewhere."""
        if self.opening is None:
            return function(self.problem, *arguments)
        [result] = in_order(self.crew, [self._call(function, *arguments)])
        return result

    def _call(self, function: Callable[..., Result], *arguments: Any) -> Callable[[], Result]:
        """The function of the problem and the arguments, as the crew can call it."""
        if self.opening is None:
            return partial(function, self.problem, *arguments)
        return partial(there, self.opening, function, *arguments)


def facts_of(problem: Problem, policy: Policy, bits: int | None, spans: Iterable[Span]) -> Measured:
    """The facts of some blocks."""
    shown = shown_rows(problem, policy)
    facts = (measure(Part.of(problem, *span), policy, shown=shown, bits=bits) for span in spans)
    return reduce(lambda total, more: (total + more).candidates(shown), facts)


def head_traits(problem: Problem) -> Traits:
    """The close look at the first samples."""
    return measure_head(Case(problem.head(), problem.options))


def shown_rows(problem: Problem, policy: Policy) -> int:
    """How many samples tables may show."""
    return problem.samples if problem.options.reduction == "none" else policy.rows


def _report(task: Task, measured: Measured, seed: int | None) -> Report:
    question = Question(task.problem.options.reduction, PRECISIONS[task.problem.dtype], task.policy)
    return make_report(task.problem, Judged(measured, judge(measured, question), question), seed)


def _with_causes(report: Report, task: Task) -> Report:
    """The same report, with what gives a claim that does not hold; that takes one more pass over the blocks."""
    expectation, truth, claim = report.expectation, report.losses.reference, task.policy.expect
    if expectation is None or expectation.holds is not False or claim is None:
        return report
    if truth is None or truth.lower is None or truth.upper is None:
        return report
    causes = task.once(find_causes, claim, (truth.lower + truth.upper) / 2)
    return replace(report, expectation=replace(expectation, causes=causes))


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    return max(EXACT_BITS, 4 * (policy.digits or 0))
