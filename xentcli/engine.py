"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from xentcli.case import Case
from xentcli.diagnose.verdict import Judged
from xentcli.errors import UsageError
from xentcli.judge import Question, judge
from xentcli.losses.kernels import check_kernels
from xentcli.measure import measure
from xentcli.precision import PRECISIONS
from xentcli.report import make_report

if TYPE_CHECKING:
    from xentcli.policy import Policy
    from xentcli.problem import Problem
    from xentcli.records import Report

SMALL_INPUT = 16_384  # logits of which every loss is enclosed exactly, in a fraction of a second
ESCALATED_INPUT = 1 << 20  # logits up to which an open question is decided exactly, in some seconds
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare


def run(problem: Problem, policy: Policy, *, seed: int | None = None) -> Report:
    """The report on a problem; what one float64 pass leaves open is decided by exact arithmetic where that is quick."""
    if policy.reference != "off":
        check_kernels()
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError("without a reduction there is no total to expect", found="--reduction none and --expect")
    report = _run(problem, policy, exact_bits(problem, policy), seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and problem.samples * problem.classes <= ESCALATED_INPUT:
        report = _run(problem, policy, EXACT_BITS, seed)
    return _with_causes(report, problem, policy)


def _run(problem: Problem, policy: Policy, bits: int | None, seed: int | None) -> Report:
    """One pass over the blocks, whose facts add up exactly."""
    shown = problem.samples if problem.options.reduction == "none" else policy.rows
    facts = (
        measure(Case(block, problem.options), policy, whole=not problem.streamed, shown=shown, bits=bits)
        for block in problem.blocks()
    )
    measured = reduce(lambda left, right: (left + right).candidates(shown), facts).chosen(shown)
    question = Question(problem.options.reduction, PRECISIONS[problem.dtype], policy)
    return make_report(problem, Judged(measured, judge(measured, question), question), seed)


def _with_causes(report: Report, problem: Problem, policy: Policy) -> Report:
    """The same report, with what gives a claim that does not hold; that takes one more pass over the blocks."""
    expectation, truth = report.expectation, report.losses.reference
    if expectation is None or expectation.holds is not False or policy.expect is None:
        return report
    if truth is None or truth.lower is None or truth.upper is None:
        return report
    from xentcli.diagnose.causes.find import find_causes

    causes = find_causes(problem, policy.expect, (truth.lower + truth.upper) / 2)
    return replace(report, expectation=replace(expectation, causes=causes))


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    return max(EXACT_BITS, 4 * (policy.digits or 0))
