"""One pass over the base and all other sides, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.comparing.alike import findings_of
from xentcli.comparing.breakdown import breakdown
from xentcli.comparing.causes.find import Search
from xentcli.comparing.causes.known import Known
from xentcli.comparing.claims import check_labels, held
from xentcli.comparing.dialect import dialect
from xentcli.comparing.floor import floors_of
from xentcli.comparing.gates import gates_of
from xentcli.comparing.grouping import groups_of, parts_of
from xentcli.comparing.llamacpp import printed
from xentcli.comparing.rows import Side, table_of
from xentcli.comparing.statistics import statistics_of
from xentcli.comparing.table import Table
from xentcli.comparing.telling import beneath, summarize
from xentcli.comparing.worst import worst_of
from xentcli.diagnose.answer import noticed
from xentcli.errors import InputError
from xentcli.losses.kernels import check_kernels
from xentcli.losses.machine import subnormals_kept
from xentcli.measuring.facts import RangeFacts
from xentcli.measuring.measure import range_of
from xentcli.question.grouping import ENTRIES
from xentcli.records.breakdown import Worst
from xentcli.records.comparison import Compared, Comparison, Counts, Dialect, DialectLine, Identity
from xentcli.records.pairs import AllRows, row_pairs
from xentcli.records.report import JUDGEMENTS, ArrayInfo
from xentcli.render.comparison.claims import claim_line
from xentcli.running.passes import Pass
from xentcli.running.pipeline import in_order, thread_crew
from xentcli.running.reporting import this_tool
from xentcli.sources.stored import Spool
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from xentcli.comparing.claims import NamedClaim
    from xentcli.comparing.floor import Floored
    from xentcli.comparing.problem import Pairing
    from xentcli.numbers.arrays import Array
    from xentcli.question.grouping import By, Grouping
    from xentcli.question.problem import Problem
    from xentcli.records.breakdown import Part
    from xentcli.records.progress import Watcher

    Rows = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Wanted:
    """What is asked of a comparison, beside the logits."""

    limits: dict[str, float]  # gate -> its limit
    rows: int = 10  # that are shown
    grouping: Grouping = ENTRIES
    by: tuple[By, ...] = ()  # what parts of the rows are told apart
    dialect: bool = False  # llama.cpp's lines, too
    every_row: bool = False  # all rows are told, not only those with the greatest KL
    claims: tuple[NamedClaim, ...] = ()


def compare(
    pairing: Pairing, wanted: Wanted, *, threads: int | None = None, progress: Watcher | None = None
) -> Comparison:
    """How far each other side is from the base, certified.

    Errors: InputError for files that cannot be read, and for rows that have no softmax or an infinite divergence.
    """
    check_kernels(divergences=True)
    check_labels(wanted.claims, labelled=pairing.has_labels)
    base = pairing.base
    spools = [Spool(name, "the rows' divergences") for name in pairing.pairs]
    worst = [Worst(pairing.worst) for _ in pairing.pairs]
    ranges = [RangeFacts() for _ in (base, *pairing.others)]
    told = Pass("comparing", base, progress)
    ignored = done = 0
    with thread_crew(threads or torch.get_num_threads()) as crew:
        for found, tables, tops, samples in in_order(crew, (partial(_block, pairing, *span) for span in base.spans())):
            ranges = [one + other for one, other in zip(ranges, found, strict=True)]
            ignored += samples - len(tables[0])
            done += samples
            worst = [one + other for one, other in zip(worst, tops, strict=True)]
            for spool, table in zip(spools, tables, strict=True):
                spool.append(table)
            told.reached(done)
    about = [_about(problem, facts) for problem, facts in zip((base, *pairing.others), ranges, strict=True)]
    counts = Counts(base.samples, ignored, base.classes, None)
    kept = [Table(spool.tables()) for spool in spools]
    pairs = map(Pair, pairing.compared, kept, worst, floors_of(pairing, kept))  # as many as there are floors
    compared = tuple(_compared(pairing, one, pair, wanted, counts) for one, pair in zip(about[1:], pairs, strict=False))
    if wanted.dialect:
        told.reached(0)
        compared = tuple(
            replace(one, dialect=_dialect(pairing, other))
            for one, other in zip(compared, pairing.compared, strict=True)
        )
    verdicts = [verdict for one in compared for verdict in one.verdicts]
    labels = _described(base.target, RangeFacts()) if pairing.has_labels else None
    verdict = max(verdicts, key=JUDGEMENTS.index, default=None)
    return Comparison(this_tool(), about[0], labels, _options(pairing, wanted), compared, verdict)


def _options(pairing: Pairing, wanted: Wanted) -> dict[str, Any]:
    """What was asked for, as JSON has it."""
    return {
        "input": pairing.base.options.input,
        "group": None if wanted.grouping == ENTRIES else str(wanted.grouping),
        "by": list(wanted.by),
        "floor": pairing.floor and pairing.floor.name,
        "reduction": "none" if wanted.every_row else "mean",
        "rows": wanted.rows,
        **wanted.limits,
    }


def _block(pairing: Pairing, start: int, stop: int) -> tuple[list[RangeFacts], list[Rows], list[Worst], int]:
    """What the values are like, and the rows of each two sides that are compared."""
    with subnormals_kept():
        sides = [Side.read(problem, start, stop) for problem in (pairing.base, *pairing.others)]
        ranges = [range_of((side.block.stored or side.block).logits) for side in sides]
        pairs = pairing.paired(sides)
        tables = [table_of(*pair, pairing.base.options) for pair in pairs]
        tops = [worst_of(*pair, table, pairing.worst) for pair, table in zip(pairs, tables, strict=True)]
    for name, table in zip(pairing.pairs, tables, strict=True):
        _refuse_endless(pairing.base, name, table)
    return ranges, tables, tops, sides[0].block.samples


def _refuse_endless(base: Problem, other: str, table: Rows) -> None:
    """InputError for the first row that has no divergence, or an infinite one."""
    strange = np.flatnonzero(~np.isfinite(table["kl"]))
    if strange.size:
        row = int(table["row"][strange[0]])
        endless = bool(np.isposinf(table["kl"][strange[0]]))
        what = "the KL divergence is infinite" if endless else "a row has no softmax"
        found = (
            "a class has probability 0 in the other logits alone" if endless else _without_softmax(table[strange[0]])
        )
        hint = "compare them the other way round, or without the masked classes" if endless else ""
        raise InputError(what, at=f"{base.logits.path} and {other}, row {row}", found=found, hint=hint)


def _without_softmax(row: Any) -> str:
    """Which side of a row has NaN or infinity, by its entropy, which is none."""
    sides = {"the base": np.isnan(row["entropy_base"]), "the other": np.isnan(row["entropy_other"])}
    odd = " and ".join(name for name, is_odd in sides.items() if is_odd) or "one side"
    return f"NaN, inf, or −inf alone in {odd}"


def _about(problem: Problem, facts: RangeFacts) -> ArrayInfo:
    return _described(problem.logits, facts)


def _described(array: Array, facts: RangeFacts) -> ArrayInfo:
    return ArrayInfo(array.path, array.format, array.shape, array.dtype, facts.record())


@dataclass(frozen=True)
class Pair:
    """What is known of two sides that were compared."""

    other: Problem
    table: Table
    worst: Worst
    floor: Floored | None = None


def _compared(pairing: Pairing, about: ArrayInfo, pair: Pair, wanted: Wanted, counts: Counts) -> Compared:
    table, labelled = pair.table, pairing.has_labels
    if not len(table):
        raise InputError("no sample counts, so there is nothing to compare", at=pairing.base.target.path)
    groups = groups_of(pairing, table, wanted.grouping)
    statistics = statistics_of(table, groups, labelled=labelled)
    kl = table.column("kl")
    worst = table.rows(np.argsort(-kl, kind="stable")[: wanted.rows])
    shown = row_pairs(worst, pair.worst, labelled=labelled)
    counted = replace(counts, groups=None if groups is None else int(groups.max()) + 1)
    identity = Identity(int(table.column("same").sum()), about.shape, (pairing.base.logits.dtype, about.dtype))
    half = Ordered.of(kl).carrying_half() or 0
    search = Search(Known.of(statistics, table, groups, pairing.base), (pairing.base, pair.other))
    claims = tuple(held(claim, statistics, search.causes) for claim in wanted.claims)
    findings = findings_of(table, labelled=labelled)
    beyond = None if pair.floor is None else pair.floor.beneath(statistics, table, groups)
    return Compared(
        name=about.path,
        other=about,
        counts=counted,
        identity=identity,
        statistics=statistics,
        half=half,
        rows=AllRows(table.parts, shown, labelled=labelled) if wanted.every_row else shown,
        gates=gates_of(statistics, wanted.limits, tuple(each.row for each in shown)),
        summary="; ".join(
            [
                *map(claim_line, claims),
                beneath(summarize(about.path, statistics, counted, half, identity), beyond),
                *noticed(findings),
            ]
        ),
        findings=findings,
        expectations=claims,
        floor=beyond,
        groups={by: _breakdown(by, pairing, table, groups, wanted) for by in wanted.by},
    )


def _breakdown(
    by: By, pairing: Pairing, table: Table, groups: np.ndarray[Any, np.dtype[np.int64]] | None, wanted: Wanted
) -> tuple[Part, ...]:
    parts = parts_of(by, pairing, table, wanted.grouping)
    return breakdown(table, parts, groups, labelled=pairing.has_labels)


def _dialect(pairing: Pairing, other: Problem) -> Dialect:
    """What llama-perplexity prints, which reads the files once more in its own arithmetic."""
    labels = pairing.base.target.values.reshape(-1)
    found = dialect(pairing.base.logits, other.logits, labels)
    intervals = found.intervals if found.lines else {}
    lines = (
        DialectLine(
            line.name,
            line.label.strip(),
            line.printed,
            line.printed_pm,
            line.value,
            *intervals.get(line.name, (None, None)),
        )
        for line in found.lines
    )
    return Dialect("llama.cpp", printed(found.lines), tuple(lines), found.statement)
