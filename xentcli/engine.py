"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from xentcli.case import Case
from xentcli.diagnose.verdict import Judged
from xentcli.errors import UsageError
from xentcli.judge import Question, judge
from xentcli.losses.kernels import check_kernels
from xentcli.measure import measure, measure_head
from xentcli.passes import Pass
from xentcli.paths import Part
from xentcli.pipeline import over_blocks
from xentcli.precision import PRECISIONS
from xentcli.problem import BLOCK_BYTES
from xentcli.reduce import with_reductions
from xentcli.report import About, make_report, this_tool, with_shards
from xentcli.sources.stored import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.facts import Measured
    from xentcli.policy import Policy
    from xentcli.problem import Problem
    from xentcli.progress import Watcher
    from xentcli.records import Report, RowRange

    Journal = Callable[[Measured], object]

SMALL_INPUT = 16_384  # logits of which every loss is enclosed exactly, in a fraction of a second
ESCALATED_INPUT = 1 << 20  # logits up to which an open question is decided exactly, in some seconds
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare


def run(
    problem: Problem,
    policy: Policy,
    *,
    seed: int | None = None,
    threads: int | None = None,
    progress: Watcher | None = None,
) -> Report:
    """The report on a problem; what one float64 pass leaves open is decided by exact arithmetic where that is quick.

    threads   blocks computed at once, None as many as torch has threads; the report does not depend on it
    progress  is told how far each pass over the blocks is, in this thread
    """
    _check(problem, policy)
    workers = _workers(threads)
    task = Task(problem, policy, exact_bits(problem, policy))
    report = _report(task, task.measured(workers, Pass("computing", problem, progress)), seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and problem.samples * problem.classes <= ESCALATED_INPUT:
        task = replace(task, bits=EXACT_BITS)
        report = _report(task, task.measured(workers, Pass("deciding exactly", problem, progress)), seed)
    return with_causes(report, problem, policy, progress)


def measure_rows(
    problem: Problem,
    policy: Policy,
    rows: RowRange,
    begun: Measured | None = None,
    journal: Journal | None = None,
    *,
    threads: int | None = None,
    progress: Watcher | None = None,
) -> Measured:
    """The facts of some rows of a problem computed in parts, ready to be added to those of the rows beside them.

    rows     entries of the batch axis in whole
    begun    the facts of the first of these rows, from a run that was interrupted; they are not computed again
    journal  is given the facts so far after each block
    """
    _check(problem, policy)
    task = Task(problem, policy, exact_bits(problem, policy), rows.start)
    left = rows if begun is None else replace(rows, start=rows.start + begun.samples)
    if begun is not None and left.start == left.stop:
        return begun
    told = Pass("computing", problem, progress)
    return task.total(task.streamed(left, _workers(threads)), told, begun, journal)


def _check(problem: Problem, policy: Policy) -> None:
    if policy.reference != "off":
        check_kernels()
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError("without a reduction there is no total to expect", found="--reduction none and --expect")


def _workers(threads: int | None) -> int:
    if threads is not None and threads < 1:
        raise UsageError("threads is out of range", found=str(threads), expected="1 or more")
    return threads or torch.get_num_threads()


@dataclass(frozen=True)
class Task:
    """What is asked of every block."""

    problem: Problem
    policy: Policy
    bits: int | None
    first_row: int = 0  # of those that are asked for

    def measured(self, workers: int, told: Pass) -> Measured:
        """The facts of the whole input."""
        if self.problem.streamed:
            return self.total(self.streamed(None, workers), told).chosen(self.policy.rows)
        whole = Part.whole(self.problem)
        total = self.total(self._cut(whole, workers), told)
        return self._with_reductions(total, whole).chosen(self.policy.rows)

    def total(
        self, blocks: Iterable[Measured], told: Pass, begun: Measured | None = None, journal: Journal | None = None
    ) -> Measured:
        """The facts of all blocks, which add up exactly; those of every sample wait in a spool."""
        total, kept = begun, Spool(self.problem.logits.path, "the samples' losses")
        for block in blocks:
            for rows in block.tables:
                kept.append(rows[:])
            facts = replace(block, tables=())
            total = facts if total is None else (total + facts).candidates(self._shown)
            told.measured(total, self.question)
            if journal:
                journal(total)
        assert total is not None  # there is at least one block
        return replace(total, tables=kept.tables())

    def streamed(self, rows: RowRange | None, workers: int) -> Iterator[Measured]:
        """The facts of each block of these rows, or of all, read as it is computed."""
        return over_blocks(self._read, self.problem.spans(rows), workers)

    def _cut(self, whole: Part, workers: int) -> Iterator[Measured]:
        """The facts of each block, cut out of what torch gave the whole input, by all its threads."""
        parts = [whole.part(*span) for span in self.problem.spans()]
        return map(self._measure, parts) if len(parts) == 1 else over_blocks(self._measure, parts, workers)

    def _read(self, span: tuple[int, int]) -> Measured:
        return self._measure(Part.read(self.problem, *span))

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
    def question(self) -> Question:
        return Question(self.problem.options.reduction, PRECISIONS[self.problem.dtype], self.policy)

    @property
    def _shown(self) -> int:
        """Samples below this row are wanted in tables."""
        return self.first_row + self.policy.rows


def _report(task: Task, measured: Measured, seed: int | None) -> Report:
    report = make_report(
        About.of(task.problem, task.policy, seed),
        Judged(measured, judge(measured, task.question), task.question),
        tool=this_tool(),
        command="compute" if seed is None else "random",
        streamed=task.problem.streamed,
    )
    return with_shards(report, task.problem)


def with_causes(report: Report, problem: Problem, policy: Policy, progress: Watcher | None) -> Report:
    """The same report, with what gives a claim that does not hold; that takes one more pass over the blocks."""
    expectation, truth = report.expectation, report.losses.reference
    if expectation is None or expectation.holds is not False or policy.expect is None:
        return report
    if truth is None or truth.lower is None or truth.upper is None:
        return report
    from xentcli.diagnose.causes.find import find_causes

    usual = replace(problem, block_bytes=BLOCK_BYTES)  # whose sums are float64, in the order of the blocks
    told = Pass("looking for the mistake", usual, progress, partial(_true_value, report))
    causes = find_causes(usual, policy.expect, (truth.lower + truth.upper) / 2, told.reached)
    return replace(report, expectation=replace(expectation, causes=causes))


def _true_value(report: Report) -> str:
    truth = report.losses.reference
    return f"{report.options.reduction} {truth.decimal}" if truth and truth.decimal else ""


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    return max(EXACT_BITS, 4 * (policy.digits or 0))
