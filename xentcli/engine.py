"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from xentcli.case import Case
from xentcli.diagnose.causes.find import find_causes
from xentcli.diagnose.verdict import Judged
from xentcli.errors import UsageError
from xentcli.judge import Question, judge
from xentcli.losses.kernels import check_kernels
from xentcli.measure import measure, measure_head
from xentcli.paths import Part
from xentcli.pipeline import over_blocks
from xentcli.precision import PRECISIONS
from xentcli.reduce import with_reductions
from xentcli.report import About, make_report, this_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.facts import Measured
    from xentcli.policy import Policy
    from xentcli.problem import Problem
    from xentcli.records import Report, RowRange

    Progress = Callable[[Measured], object]

SMALL_INPUT = 16_384  # logits of which every loss is enclosed exactly, in a fraction of a second
ESCALATED_INPUT = 1 << 20  # logits up to which an open question is decided exactly, in some seconds
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare


def run(
    problem: Problem,
    policy: Policy,
    *,
    seed: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """The report on a problem; what one float64 pass leaves open is decided by exact arithmetic where that is quick.

    threads   blocks computed at once, None as many as torch has threads; the report does not depend on it
    progress  is called with the facts so far after each block
    """
    _check(problem, policy)
    workers = threads or torch.get_num_threads()
    task = Task(problem, policy, exact_bits(problem, policy))
    report = _report(task, task.measured(workers, progress), seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and problem.samples * problem.classes <= ESCALATED_INPUT:
        task = replace(task, bits=EXACT_BITS)
        report = _report(task, task.measured(workers, progress), seed)
    return with_causes(report, problem, policy)


def measure_rows(
    problem: Problem,
    policy: Policy,
    rows: RowRange,
    begun: Measured | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Measured:
    """The facts of some rows of a problem computed in parts, ready to be added to those of the rows beside them.

    rows   entries of the batch axis in whole
    begun  the facts of the first of these rows, from a run that was interrupted; they are not computed again
    """
    _check(problem, policy)
    task = Task(problem, policy, exact_bits(problem, policy), rows.start)
    left = rows if begun is None else replace(rows, start=rows.start + begun.samples)
    if begun is not None and left.start == left.stop:
        return begun
    return task.total(task.streamed(left, threads or torch.get_num_threads()), begun, progress)


def _check(problem: Problem, policy: Policy) -> None:
    if policy.reference != "off":
        check_kernels()
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError("without a reduction there is no total to expect", found="--reduction none and --expect")


@dataclass(frozen=True)
class Task:
    """What is asked of every block."""

    problem: Problem
    policy: Policy
    bits: int | None
    first_row: int = 0  # of those that are asked for

    def measured(self, workers: int, progress: Progress | None) -> Measured:
        """The facts of the whole input."""
        if self.problem.streamed:
            return self.total(self.streamed(None, workers), None, progress).chosen(self._shown)
        whole = Part.of(self.problem)
        total = self.total(self._cut(whole, workers), None, progress)
        return self._with_reductions(total, whole).chosen(self._shown)

    def total(self, blocks: Iterable[Measured], begun: Measured | None, progress: Progress | None) -> Measured:
        """The facts of all blocks, which add up exactly."""
        total = begun
        for facts in blocks:
            total = facts if total is None else (total + facts).candidates(self._shown)
            if progress:
                progress(total)
        assert total is not None  # there is at least one block
        return total

    def streamed(self, rows: RowRange | None, workers: int) -> Iterator[Measured]:
        """The facts of each block of these rows, or of all, read as it is computed."""
        return over_blocks(self._read, self.problem.spans(rows), workers)

    def _cut(self, whole: Part, workers: int) -> Iterator[Measured]:
        """The facts of each block, cut out of what torch gave the whole input, by all its threads."""
        parts = [whole.part(*span) for span in self.problem.spans()]
        return map(self._measure, parts) if len(parts) == 1 else over_blocks(self._measure, parts, workers)

    def _read(self, span: tuple[int, int]) -> Measured:
        return self._measure(Part.of(self.problem, *span))

    def _measure(self, part: Part) -> Measured:
        measured = measure(part, self.policy, shown=self._shown, bits=self.bits)
        if measured.traits is None or part.case.block.first_row:
            return measured
        head = Case(self.problem.head(), self.problem.options)  # a close look at the first samples comes with row 0
        return replace(measured, traits=measured.traits + measure_head(head))

    def _with_reductions(self, measured: Measured, whole: Part) -> Measured:
        """With what is no sum over blocks: torch's own reduction."""
        if self.problem.options.reduction == "none":
            return measured
        return with_reductions(measured, whole, certified=self.policy.reference != "off")

    @property
    def _shown(self) -> int:
        """Samples below this row are wanted in tables."""
        return self.problem.samples if self.problem.options.reduction == "none" else self.first_row + self.policy.rows


def _report(task: Task, measured: Measured, seed: int | None) -> Report:
    question = Question(task.problem.options.reduction, PRECISIONS[task.problem.dtype], task.policy)
    return make_report(
        About.of(task.problem, task.policy, seed),
        Judged(measured, judge(measured, question), question),
        tool=this_tool(),
        command="compute" if seed is None else "random",
        streamed=task.problem.streamed,
    )


def with_causes(report: Report, problem: Problem, policy: Policy) -> Report:
    """The same report, with what gives a claim that does not hold; that takes one more pass over the blocks."""
    expectation, truth = report.expectation, report.losses.reference
    if expectation is None or expectation.holds is not False or policy.expect is None:
        return report
    if truth is None or truth.lower is None or truth.upper is None:
        return report
    causes = find_causes(problem, policy.expect, (truth.lower + truth.upper) / 2)
    return replace(report, expectation=replace(expectation, causes=causes))


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    return max(EXACT_BITS, 4 * (policy.digits or 0))
