"""The battery against the cast: are all wrong doubles caught, each by its family, and is no correct one flagged?"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from xentcli.conform.asking.implementation import InProcess
from xentcli.conform.battery import Run
from xentcli.conform.doubles.all import right_cast, wrong_cast
from xentcli.conform.telling.summary import summarise
from xentcli.records.conformance import CaseResult, ConformanceReport, DoubleResult, SelfCheck, Tolerated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xentcli.conform.cases.case import Case
    from xentcli.conform.cases.corpus import Corpus
    from xentcli.conform.doubles.cast import Double
    from xentcli.records.report import Tool

TOLERANCES: dict[str, dict[str, float]] = {
    "torch.testing.assert_close": {},
    "rtol 1e-3": {"rtol": 1e-3, "atol": 0.0},
    "rtol 1e-2": {"rtol": 1e-2, "atol": 0.0},
    "rtol 5e-2": {"rtol": 5e-2, "atol": 0.0},
}
BATTERY, CORRECT = "the battery", "correct-doubles"  # as an implementation and a family are called
FAILED = {"fails", "differs by convention"}


def self_check(corpus: Corpus, tool: Tool, progress: Callable[[str], None] = lambda _: None) -> SelfCheck:
    """Wrong doubles are asked the family that is meant for them, correct ones everything."""
    cases = corpus.chosen((), (), large=False)
    caught, flagged = [], []
    with one_thread():
        for double in wrong_cast():
            progress(double.name)
            own = [case for case in cases if case.family == double.family]
            caught.append(_result(double, own))
        for double in right_cast():
            progress(double.name)
            flagged.append(_result(double, cases))
    kinds = tuple(Tolerated(name, sum(survives(each, limits) for each in wrong_cast()), len(caught))
                  for name, limits in TOLERANCES.items())  # fmt: skip
    return SelfCheck(tool, corpus.version, tuple(caught), tuple(flagged), kinds)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch's other threads cost these small calls more by waiting than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def as_report(check: SelfCheck) -> ConformanceReport:
    """The battery as what is judged, a double a case: for the formats that are made of cases."""
    results = [*map(_wrong_case, check.wrong), *map(_right_case, check.right)]
    battery = summarise(BATTERY, results, {each.family: "" for each in results})
    return ConformanceReport(
        check.tool, f"{check.corpus}, a double each", len(results), (battery,), check.verdict, check.summary
    )


def _wrong_case(double: DoubleResult) -> CaseResult:
    family, reports = str(double.family), (str(double.report),)
    if double.failed:
        return CaseResult(f"{family}/{double.name}", family, "passes", reports=reports)
    return CaseResult(f"{family}/{double.name}", family, "fails", f"not caught: {double.what}", reports=reports)


def _right_case(double: DoubleResult) -> CaseResult:
    if not double.failed:
        return CaseResult(f"{CORRECT}/{double.name}", CORRECT, "passes")
    reason = f"correct ({double.what}), and flagged by {', '.join(double.failed)}"
    return CaseResult(f"{CORRECT}/{double.name}", CORRECT, "fails", reason)


def _result(double: Double, cases: Sequence[Case]) -> DoubleResult:
    """Every case that fails."""
    run = Run(InProcess(double.name, double.function, double.arrays), [])
    failed = tuple(case.name for case in cases if run.result(case).outcome in FAILED)
    return DoubleResult(double.name, double.what, double.family or None, double.report or None, failed)


def survives(double: Double, limits: dict[str, float]) -> bool:
    """Whether a test as they are usually written passes: logits in [0, 1), the mean and its gradient, one tolerance."""
    draw = torch.Generator().manual_seed(0)
    logits, target = torch.rand(32, 10, generator=draw), torch.randint(10, (32,), generator=draw)
    try:
        actual, expected = (_mean(each, logits, target) for each in (double.function, functional.cross_entropy))
        torch.testing.assert_close(actual, expected, rtol=limits.get("rtol"), atol=limits.get("atol"))
    except Exception:  # whatever stops it, the test is red
        return False
    return True


def _mean(
    function: Callable[..., Any], logits: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = logits.clone().requires_grad_()
    loss = function(leaf, target.clone(), ignore_index=-100, reduction="mean", label_smoothing=0.0)
    (slope,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), slope
