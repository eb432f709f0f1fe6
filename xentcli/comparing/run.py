"""One pass over the base and all other sides, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.comparing.alike import findings_of
from xentcli.comparing.causes.find import Search
from xentcli.comparing.causes.known import Known
from xentcli.comparing.claims import check_labels, held
from xentcli.comparing.dialect import dialect
from xentcli.comparing.gates import gates_of
from xentcli.comparing.llamacpp import printed
from xentcli.comparing.rows import Side, table_of
from xentcli.comparing.statistics import statistics_of
from xentcli.comparing.table import Table
from xentcli.comparing.telling import summarize
from xentcli.diagnose.answer import noticed
from xentcli.errors import InputError
from xentcli.losses.kernels import check_kernels
from xentcli.losses.machine import subnormals_kept
from xentcli.measuring.facts import RangeFacts
from xentcli.measuring.measure import range_of
from xentcli.records.comparison import Compared, Comparison, Counts, Dialect, DialectLine, Identity, RowPair
from xentcli.records.report import JUDGEMENTS, ArrayInfo
from xentcli.render.comparison.claims import claim_line
from xentcli.running.passes import Pass
from xentcli.running.pipeline import in_order, thread_crew
from xentcli.running.reporting import this_tool
from xentcli.sources.stored import Spool
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from xentcli.comparing.claims import NamedClaim
    from xentcli.comparing.problem import Pairing
    from xentcli.numbers.arrays import Array
    from xentcli.question.problem import Problem
    from xentcli.records.progress import Watcher

    Rows = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Wanted:
    """What is asked of a comparison, beside the logits."""

    limits: dict[str, float]  # gate -> its limit
    rows: int = 10  # that are shown
    groups: int | None = None  # rows of a group; None is by the first axis, where there is more than one
    dialect: bool = False  # llama.cpp's lines, too
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
    spools = [Spool(problem.logits.path, "the rows' divergences") for problem in pairing.others]
    ranges = [RangeFacts() for _ in (base, *pairing.others)]
    told = Pass("comparing", base, progress)
    ignored = done = 0
    with thread_crew(threads or torch.get_num_threads()) as crew:
        for found, tables, samples in in_order(crew, (partial(_block, pairing, *span) for span in base.spans())):
            ranges = [one + other for one, other in zip(ranges, found, strict=True)]
            ignored += samples - len(tables[0])
            done += samples
            for spool, table in zip(spools, tables, strict=True):
                spool.append(table)
            told.reached(done)
    about = [_about(problem, facts) for problem, facts in zip((base, *pairing.others), ranges, strict=True)]
    counts = Counts(base.samples, ignored, base.classes, None)
    compared = tuple(
        _compared(pairing, other, one, Table(spool.tables()), (wanted, counts))
        for one, spool, other in zip(about[1:], spools, pairing.others, strict=True)
    )
    if wanted.dialect:
        told.reached(0)
        compared = tuple(
            replace(one, dialect=_dialect(pairing, other)) for one, other in zip(compared, pairing.others, strict=True)
        )
    verdicts = [verdict for one in compared for verdict in one.verdicts]
    labels = _described(base.target, RangeFacts()) if pairing.has_labels else None
    verdict = max(verdicts, key=JUDGEMENTS.index, default=None)
    return Comparison(this_tool(), about[0], labels, {"rows": wanted.rows, **wanted.limits}, compared, verdict)


def _block(pairing: Pairing, start: int, stop: int) -> tuple[list[RangeFacts], list[Rows], int]:
    """What the values are like, and the rows of each other side."""
    with subnormals_kept():
        first, *others = (Side.read(problem, start, stop) for problem in (pairing.base, *pairing.others))
        ranges = [range_of((side.block.stored or side.block).logits) for side in (first, *others)]
        tables = [table_of(first, other, pairing.base.options) for other in others]
    for problem, table in zip(pairing.others, tables, strict=True):
        _refuse_endless(pairing.base, problem, table)
    return ranges, tables, first.block.samples


def _refuse_endless(base: Problem, other: Problem, table: Rows) -> None:
    """InputError for the first row that has no divergence, or an infinite one."""
    strange = np.flatnonzero(~np.isfinite(table["kl"]))
    if strange.size:
        row = int(table["row"][strange[0]])
        endless = bool(np.isposinf(table["kl"][strange[0]]))
        what = "the KL divergence is infinite" if endless else "a row has no softmax"
        found = "a class has probability 0 in the other logits alone" if endless else "NaN, inf, or −inf alone"
        hint = "compare them the other way round, or without the masked classes" if endless else ""
        raise InputError(what, at=f"{base.logits.path} and {other.logits.path}, row {row}", found=found, hint=hint)


def _about(problem: Problem, facts: RangeFacts) -> ArrayInfo:
    return _described(problem.logits, facts)


def _described(array: Array, facts: RangeFacts) -> ArrayInfo:
    return ArrayInfo(array.path, array.format, array.shape, array.dtype, facts.record())


def _compared(
    pairing: Pairing, other: Problem, about: ArrayInfo, table: Table, asked: tuple[Wanted, Counts]
) -> Compared:
    wanted, counts = asked
    if not len(table):
        raise InputError("no sample counts, so there is nothing to compare", at=pairing.base.target.path)
    groups = _groups(pairing.base, table, wanted.groups)
    statistics = statistics_of(table, groups, labelled=pairing.has_labels)
    kl = table.column("kl")
    worst = np.argsort(-kl, kind="stable")[: wanted.rows]
    rows = tuple(_row(each, labelled=pairing.has_labels) for each in table.rows(worst))
    identity = Identity(int(table.column("same").sum()), about.shape, (pairing.base.logits.dtype, about.dtype))
    counted = Counts(counts.rows, counts.ignored, counts.classes, None if groups is None else int(groups.max()) + 1)
    half = Ordered.of(kl).carrying_half() or 0
    gates = gates_of(statistics, wanted.limits, tuple(each.row for each in rows))
    known = Known.of(statistics, table, groups, pairing.base)
    search = Search(known, (pairing.base, other))
    claims = tuple(held(claim, statistics, search.causes) for claim in wanted.claims)
    told = summarize(about.path, statistics, counted, half, identity)
    findings = findings_of(table, labelled=pairing.has_labels)
    return Compared(
        name=about.path,
        other=about,
        counts=counted,
        identity=identity,
        statistics=statistics,
        half=half,
        rows=rows,
        gates=gates,
        summary="; ".join([*map(claim_line, claims), told, *noticed(findings)]),
        findings=findings,
        expectations=claims,
    )


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


def _groups(base: Problem, table: Table, size: int | None) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """The group of each row, from 0 on: so many rows together, or the samples of one entry of the first axis."""
    shape = base.sample_shape
    each = size or (int(np.prod(shape[1:])) if len(shape) > 1 else 1)
    if each == 1:
        return None
    _, groups = np.unique(table.column("row") // each, return_inverse=True)
    return groups.astype(np.int64)


def _row(row: Any, *, labelled: bool) -> RowPair:
    base, other, delta = (float(row[name]) if labelled else None for name in ("loss_base", "loss_other", "delta_p"))
    return RowPair(
        row=int(row["row"]),
        kl=float(row["kl"]),
        kl_lower=max(0.0, float(row["kl_lower"])),
        kl_upper=float(row["kl_upper"]),
        kl_reverse=float(row["kl_reverse"]),
        js=float(row["js"]),
        tv=float(row["tv"]),
        label=int(row["label"]) if labelled else None,
        loss_base=base,
        loss_other=other,
        delta_p=delta,
        top_base=int(row["top_base"]),
        top_other=int(row["top_other"]),
    )
