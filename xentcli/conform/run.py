"""Implementations side by side."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import torch

from xentcli import __version__
from xentcli.conform.battery import run
from xentcli.conform.cases.generated import ABOUT, FAMILY
from xentcli.conform.telling.demands import NOTHING, Demands
from xentcli.losses.kernels import check_kernels
from xentcli.records.conformance import ConformanceReport, gravest
from xentcli.records.report import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.conform.asking.implementation import Program
    from xentcli.conform.cases.case import Case
    from xentcli.conform.cases.corpus import Corpus
    from xentcli.conform.xfail import Expected
    from xentcli.records.conformance import FamilyVerdict, ImplementationResult

OF_FAMILY: dict[FamilyVerdict, str] = {
    "conforms": "passes", "conforms in part": "conforms in part", "unsupported": "unsupported",
    "differs by convention": "differs by convention", "fails": "fails",
}  # fmt: skip


def conform(
    programs: Sequence[Program],
    corpus: Corpus,
    cases: Sequence[Case],
    expected: Sequence[Expected] = (),
    *,
    seed: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
    demands: Demands = NOTHING,
) -> ConformanceReport:
    """Judge each of the programs on the cases."""
    check_kernels()
    families = corpus.families | {FAMILY: ABOUT}
    with ExitStack() as stack:
        for program in programs:
            stack.enter_context(program)
        _refuse_unknown(programs[1:], cases)
        results = [_judged(program, cases, families, expected, progress, demands=demands) for program in programs]
    verdict = gravest(Counter(OF_FAMILY[result.verdict] for result in results))
    return ConformanceReport(
        tool=tool(),
        corpus=corpus.version,
        cases=len(cases),
        implementations=tuple(results),
        verdict=verdict,
        summary=summary(results),
        seed=seed,
    )


def _refuse_unknown(programs: Sequence[Program], cases: Sequence[Case]) -> None:
    """UsageError for a name that is misspelt, before another one is judged for a minute."""
    for program in programs:
        program.ask(cases[0], cases[0].load())
        program.restart()


def _judged(
    program: Program,
    cases: Sequence[Case],
    families: dict[str, str],
    expected: Sequence[Expected],
    progress: Callable[[str], None],
    *,
    demands: Demands,
) -> ImplementationResult:
    result = run(program, cases, families, expected, partial(_announce, progress, program.name), demands=demands)
    program.finish()
    return result


def _announce(progress: Callable[[str], None], program: str, case: str) -> None:
    progress(f"{program}  {case}")


def tool() -> Tool:
    """What makes the report."""
    return Tool("xent", __version__, torch.__version__)


def summary(results: Sequence[ImplementationResult]) -> str:
    if len(results) == 1:
        return f"{results[0].name} {results[0].summary}"
    counts = Counter(result.verdict for result in results)
    return ", ".join(
        f"{counts[verdict]} {_plural(verdict, counts[verdict])}" for verdict in OF_FAMILY if counts[verdict]
    )


def _plural(verdict: str, count: int) -> str:
    words = {
        "conforms": "conform",
        "conforms in part": "conform in part",
        "fails": "fail",
        "differs by convention": "differ by convention",
    }
    return words.get(verdict, verdict) if count > 1 else verdict
