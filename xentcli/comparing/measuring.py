"""One pass over the base and all other sides, block by block."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.comparing.facts import PairFacts
from xentcli.comparing.rows import Side, table_of
from xentcli.comparing.worst import worst_of
from xentcli.errors import InputError
from xentcli.losses.kernels import check_kernels
from xentcli.losses.machine import subnormals_kept
from xentcli.measuring.measure import range_of
from xentcli.numbers.checksum import Checksum, Checksums
from xentcli.running.engine import BATCH_BYTES
from xentcli.running.opening import Team
from xentcli.running.passes import Pass
from xentcli.running.pipeline import batches
from xentcli.sources.stored import ColumnSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.comparing.problem import Pairing
    from xentcli.question.problem import Problem
    from xentcli.question.share import RowRange
    from xentcli.records.progress import Watcher
    from xentcli.running.opening import Elsewhere

    Journal = Callable[[PairFacts], object]
    Span = tuple[int, int]
    Rows = np.ndarray[Any, Any]


def measure_pairs(
    pairing: Pairing,
    rows: RowRange | None = None,
    begun: PairFacts | None = None,
    journal: Journal | None = None,
    *,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Watcher | None = None,
) -> PairFacts:
    """The facts of these rows, or of all; the arguments are those of `engine.measure_rows`.

    Errors: InputError for files that cannot be read, and for rows that have no softmax or an infinite divergence.
    """
    check_kernels(divergences=True)
    first_row = rows.start if rows else 0
    if begun is not None and rows is not None:
        first_row = rows.start + begun.samples
        rows = replace(rows, start=first_row)
        if rows.start == rows.stop:
            return begun
    team, told = Team.of(pairing, threads, elsewhere, certified=True), Pass("comparing", pairing, progress)
    with team.start() as crew:
        return _total(pairing, team.measured(crew, _calls(pairing, rows, team), first_row), told, begun, journal)


def _calls(pairing: Pairing, rows: RowRange | None, team: Team) -> Iterator[tuple[Any, ...]]:
    """What asks for the facts of each block, or of each batch of blocks from elsewhere."""
    blocks = 1 if team.opening is None else max(1, BATCH_BYTES // pairing.block_bytes)
    return ((facts_of, spans) for spans in batches(pairing.spans(rows), blocks))


def _total(
    pairing: Pairing, blocks: Iterable[PairFacts], told: Pass, begun: PairFacts | None, journal: Journal | None
) -> PairFacts:
    """The facts of all blocks; their rows wait in a spool, behind those that a saved file holds already."""
    spools = [ColumnSpool(name, "the rows' divergences") for name in pairing.pairs]
    before = begun.tables if begun else ((),) * len(spools)
    nothing = ((),) * len(spools)
    total = None if begun is None else begun.with_tables(nothing)
    for block in blocks:
        for spool, tables in zip(spools, block.tables, strict=True):
            for table in tables:
                spool.append(table[:])
        facts = block.with_tables(nothing)
        total = facts if total is None else total + facts
        told.reached(total.samples)
        if journal:
            journal(_with_rows(total, before, spools))
    assert total is not None  # there is at least one block
    return _with_rows(total, before, spools)


def _with_rows(total: PairFacts, before: tuple[Any, ...], spools: list[ColumnSpool]) -> PairFacts:
    return total.with_tables(tuple((*own, *spool.tables()) for own, spool in zip(before, spools, strict=True)))


def facts_of(pairing: Pairing, spans: Iterable[Span]) -> PairFacts:
    """What a worker is asked for: the facts of some blocks, one after the other."""
    check_kernels(divergences=True)
    return reduce(add, (_block(pairing, *span) for span in spans))


def _block(pairing: Pairing, start: int, stop: int) -> PairFacts:
    """What the values are like, and the rows of each other side."""
    with subnormals_kept():
        sides = [Side.read(problem, start, stop) for problem in pairing.sides]
        ranges = tuple(range_of((side.block.stored or side.block).logits) for side in sides)
        pairs = pairing.paired(sides)
        tables = [table_of(*pair, pairing.base.options) for pair in pairs]
        tops = tuple(worst_of(*pair, table, pairing.worst) for pair, table in zip(pairs, tables, strict=True))
    for name, table in zip(pairing.pairs, tables, strict=True):
        _refuse_endless(pairing.base, name, table)
    return PairFacts(
        samples=sides[0].block.samples,
        ignored=sides[0].block.samples - len(tables[0]),
        worst=tops,
        ranges=ranges,
        read=tuple(side.block.checksums or Checksums() for side in sides),
        sums=tuple(Checksum.of(table) if pairing.in_parts else Checksum() for table in tables),
        tables=tuple((table,) for table in tables),
    )


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
