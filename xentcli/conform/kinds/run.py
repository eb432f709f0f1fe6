"""All calls of a loss on implementations side by side, and on the doubles of that loss."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from xentcli.conform.kinds.asking import InProcess
from xentcli.conform.kinds.doubles.cast import CAST
from xentcli.conform.kinds.formats import Formats
from xentcli.conform.kinds.judging import judge
from xentcli.conform.kinds.telling import reproduction
from xentcli.conform.run import OF_FAMILY, summary, tool
from xentcli.conform.telling.summary import summarise
from xentcli.errors import UsageError, did_you_mean
from xentcli.losses.kernels import check_kernels
from xentcli.records.conformance import SMOKE, ConformanceReport, DoubleResult, SelfCheck, gravest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.doubles.cast import Double
    from xentcli.conform.kinds.asking import Implementation, Program
    from xentcli.conform.kinds.call import Call, Kind
    from xentcli.records.conformance import CaseResult, ImplementationResult

VERSION = "1.0"  # of the corpora
FAILED = {"fails", "differs by convention"}


def chosen(kind: Kind, only: Sequence[str], skip: Sequence[str]) -> tuple[Call, ...]:
    """The cases that are asked; the smoke cases always are.

    Errors: UsageError for a name that there is not, and when nothing is left.
    """
    cases = kind.cases()
    for pattern in (*only, *skip):
        if not any(_matches(case, pattern) for case in cases):
            names = [*kind.families, *(case.name for case in cases)]
            hint = did_you_mean(pattern, names, f"xent conform --list --loss {kind.name}")
            raise UsageError("no case or family is called so", found=pattern, hint=hint)
    kept = [case for case in cases
            if (case.family == SMOKE or not only or any(_matches(case, each) for each in only))
            and not any(_matches(case, each) for each in skip)]  # fmt: skip
    if not kept:
        raise UsageError("no case is left", found=" ".join(skip), hint=f"xent conform --list --loss {kind.name}")
    return tuple(kept)


def _matches(case: Call, pattern: str) -> bool:
    return case.family == pattern or fnmatchcase(case.name, pattern)


def conform(
    programs: Sequence[Program], kind: Kind, cases: Sequence[Call], progress: Callable[[str], None] = lambda _: None
) -> ConformanceReport:
    """Judge each of the programs on the cases of a loss."""
    check_kernels()
    with ExitStack() as stack:
        for program in programs:
            stack.enter_context(program)
        results = [run(program, kind, cases, progress) for program in programs]
    verdict = gravest(Counter(OF_FAMILY[result.verdict] for result in results))
    return ConformanceReport(
        tool(), f"{kind.name} {VERSION}", len(cases), tuple(results), verdict, summary(results)
    )  # fmt: skip


def run(
    implementation: Implementation,
    kind: Kind,
    cases: Sequence[Call],
    progress: Callable[[str], None] = lambda _: None,
) -> ImplementationResult:
    """Everything that came of the cases on an implementation."""
    results: list[CaseResult] = []
    formats = Formats(implementation, kind)
    for case in cases:
        progress(f"{implementation.name}  {case.name}  {len(results) + 1} of {len(cases)}")
        results.append(_told(formats, case, results))
        if case.family == SMOKE and results[-1].outcome in FAILED:
            return summarise(implementation.name, results, dict(kind.families), miswired=_answered(results[-1]))
    return summarise(implementation.name, results, dict(kind.families))


def _answered(result: CaseResult) -> str:
    """What came of a smoke case in place of what was expected."""
    worst = result.worst
    said = result.reason if worst is None else f"got {worst.got!r}, expected {worst.certified!r}"
    return f"{result.name}: {said}"


def _told(formats: Formats, case: Call, before: Sequence[CaseResult]) -> CaseResult:
    """The result of a case, with lines to paste for the first failure of each family."""
    asked, result = formats.asked(case)
    first = not any(each.family == case.family and each.outcome in FAILED for each in before)
    if result.outcome not in FAILED or result.worst is None or not first:
        return result
    lines = reproduction(formats.implementation.called(), formats.kind, asked, result, case.dtype)
    return replace(result, reproduction=lines)


def self_check(kind: Kind, progress: Callable[[str], None] = lambda _: None) -> SelfCheck:
    """Wrong doubles are asked the family that is meant for them, correct ones everything."""
    cases, results = kind.cases(), []
    for double in CAST[kind.name]:
        progress(double.name)
        own = [case for case in cases if not double.family or case.family == double.family]
        results.append(_result(double, kind, own))
    wrong, right = ([each for each in results if bool(each.family) == is_wrong] for is_wrong in (True, False))
    return SelfCheck(tool(), f"{kind.name} {VERSION}", tuple(wrong), tuple(right), ())


def _result(double: Double, kind: Kind, cases: Sequence[Call]) -> DoubleResult:
    implementation = InProcess(double.name, double.function)
    failed = [case.name for case in cases if judge(kind, case, implementation.ask(kind, case)).outcome in FAILED]
    return DoubleResult(double.name, double.what, double.family or None, double.report or None, tuple(failed))
