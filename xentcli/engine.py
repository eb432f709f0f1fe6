"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

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
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare


def run(problem: Problem, policy: Policy, *, seed: int | None = None) -> Report:
    """The report on a problem: one pass over its blocks, whose facts add up exactly."""
    if policy.reference != "off":
        check_kernels()
    shown = problem.samples if problem.options.reduction == "none" else policy.rows
    bits = exact_bits(problem, policy)
    facts = (
        measure(block, problem.options, policy, whole=not problem.streamed, shown=shown, bits=bits)
        for block in problem.blocks()
    )
    measured = reduce(lambda left, right: (left + right).candidates(shown), facts).chosen(shown)
    question = Question(
        reduction=problem.options.reduction,
        has_labels=problem.has_labels,
        has_weight=problem.options.weight is not None,
        precision=PRECISIONS[problem.dtype],
        policy=policy,
    )
    return make_report(problem, policy, measured, judge(measured, question), seed)


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    return max(EXACT_BITS, 4 * (policy.digits or 0))
