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
from xentcli.report import make_report
from xentcli.sources.stored import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.facts import Measured
    from xentcli.policy import Policy
    from xentcli.problem import Problem
    from xentcli.progress import Watcher
    from xentcli.records import Report

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
    if policy.reference != "off":
        check_kernels()
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError("without a reduction there is no total to expect", found="--reduction none and --expect")
    workers = _workers(threads)
    task = Task(problem, policy, exact_bits(problem, policy))
    report = _report(task, task.measured(workers, Pass("computing", problem, progress)), seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and problem.samples * problem.classes <= ESCALATED_INPUT:
        task = replace(task, bits=EXACT_BITS)
        report = _report(task, task.measured(workers, Pass("deciding exactly", problem, progress)), seed)
    return _with_causes(report, problem, policy, progress)


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

    def measured(self, workers: int, told: Pass) -> Measured:
        """The facts of the whole input, which add up exactly."""
        whole = None if self.problem.streamed else Part.whole(self.problem)
        total: Measured | None = None
        kept = Spool(self.problem.logits.path, "the samples' losses")
        for block in self._facts(whole, workers):
            for rows in block.tables:
                kept.append(rows[:])
            facts = replace(block, tables=())
            total = facts if total is None else (total + facts).candidates(self.policy.rows)
            told.measured(total, self.question)
        assert total is not None  # there is at least one block
        return replace(self._completed(total, whole).chosen(self.policy.rows), tables=kept.tables())

    def _facts(self, whole: Part | None, workers: int) -> Iterator[Measured]:
        """The facts of each block; a whole input's are cut out of what torch gave all of it, by all its threads."""
        if whole is None:
            yield from over_blocks(self._read, self.problem.spans(), workers)
            return
        parts = [whole.part(*span) for span in self.problem.spans()]
        yield from map(self._measure, parts) if len(parts) == 1 else over_blocks(self._measure, parts, workers)

    def _read(self, span: tuple[int, int]) -> Measured:
        return self._measure(Part.read(self.problem, *span))

    def _measure(self, part: Part) -> Measured:
        return measure(part, self.policy, shown=self.policy.rows, bits=self.bits)

    def _completed(self, measured: Measured, whole: Part | None) -> Measured:
        """With what is no sum over blocks: torch's own reduction, and a close look at the first samples."""
        if whole is not None and self.problem.options.reduction != "none":
            measured = with_reductions(measured, whole, certified=self.policy.reference != "off")
        if measured.traits is None:
            return measured
        head = Case(self.problem.head(), self.problem.options)
        return replace(measured, traits=measured.traits + measure_head(head))

    @property
    def question(self) -> Question:
        return Question(self.problem.options.reduction, PRECISIONS[self.problem.dtype], self.policy)


def _report(task: Task, measured: Measured, seed: int | None) -> Report:
    return make_report(task.problem, Judged(measured, judge(measured, task.question), task.question), seed)


def _with_causes(report: Report, problem: Problem, policy: Policy, progress: Watcher | None) -> Report:
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
