"""What comes out of a pass over the base and all other sides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.comparing.about import PairAbout
from xentcli.comparing.dialect import dialect
from xentcli.comparing.gates import check_limits, gates_of
from xentcli.comparing.llamacpp import printed
from xentcli.comparing.measuring import measure_pairs
from xentcli.comparing.statistics import statistics_of
from xentcli.comparing.table import Table
from xentcli.comparing.telling import summarize
from xentcli.errors import InputError
from xentcli.measuring.facts import RangeFacts
from xentcli.records.comparison import Compared, Comparison, Counts, Dialect, DialectLine, Identity, RowPair
from xentcli.records.report import JUDGEMENTS, PartInfo
from xentcli.running.passes import Pass
from xentcli.running.reporting import this_tool
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from xentcli.comparing.facts import PairFacts
    from xentcli.comparing.problem import Pairing
    from xentcli.question.problem import Problem
    from xentcli.records.progress import Watcher
    from xentcli.records.report import ArrayInfo, Judgement, Tool
    from xentcli.running.opening import Elsewhere


@dataclass(frozen=True)
class Wanted:
    """What is asked of a comparison, beside the logits."""

    limits: dict[str, float]  # gate -> its limit
    rows: int = 10  # that are shown
    groups: int | None = None  # rows of a group; None is by the first axis, where there is more than one
    dialect: bool = False  # llama.cpp's lines, too


def compare(
    pairing: Pairing,
    wanted: Wanted,
    *,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Watcher | None = None,
) -> Comparison:
    """How far each other side is from the base, certified; the arguments are those of `engine.run`.

    Errors: InputError for files that cannot be read, and for rows that have no softmax or an infinite divergence.
    """
    check_limits(wanted.limits, labelled=pairing.has_labels)
    facts = measure_pairs(pairing, threads=threads, elsewhere=elsewhere, progress=progress)
    dialects = None
    if wanted.dialect:
        Pass("comparing", pairing, progress)
        dialects = tuple(_dialect(pairing, other) for other in pairing.others)
    return concluded(PairAbout.of(pairing), wanted, facts, this_tool(), dialects=dialects)


def concluded(
    about: PairAbout,
    wanted: Wanted,
    facts: PairFacts,
    tool: Tool,
    *,
    part: PartInfo | None = None,
    dialects: tuple[Dialect, ...] | None = None,
) -> Comparison:
    """What the facts come to; limits are for the whole, so that those of a part are not judged."""
    check_limits(wanted.limits, labelled=about.labels is not None)
    first, *others = facts.ranges
    whole = _Whole(about, wanted, Counts(facts.samples, facts.ignored, about.classes, None), part)
    infos = [source.info(values) for source, values in zip(about.others.values(), others, strict=True)]
    compared = tuple(
        whole.compared(info, Table(tables), own)
        for info, tables, own in zip(infos, facts.tables, dialects or (None,) * len(infos), strict=True)
    )
    labels = None if about.labels is None else about.labels.info(RangeFacts())
    options = {"rows": wanted.rows, **wanted.limits}
    return Comparison(tool, about.base.info(first), labels, options, compared, _verdict(compared, facts), part=part)


def _verdict(compared: tuple[Compared, ...], facts: PairFacts) -> Judgement | None:
    if not facts.counted:
        return "undecided"
    verdicts = [gate.verdict for one in compared for gate in one.gates]
    return max(verdicts, key=JUDGEMENTS.index, default=None)


@dataclass(frozen=True)
class _Whole:
    """What all other sides have in common."""

    about: PairAbout
    wanted: Wanted
    counts: Counts
    part: PartInfo | None

    def compared(self, other: ArrayInfo, table: Table, own: Dialect | None) -> Compared:
        """One of them against the base; `own` is another tool's view of it."""
        identity = Identity(0, other.shape, (self.about.base.dtype, other.dtype))
        if not len(table):
            return self._nothing(other, identity)
        groups, labelled = _groups(self.about, table, self.wanted.groups), self.about.labels is not None
        statistics = statistics_of(table, groups, labelled=labelled)
        kl = table.column("kl")
        worst = np.argsort(-kl, kind="stable")[: self.wanted.rows]
        rows = tuple(_row(each, labelled=labelled) for each in table.rows(worst))
        identity = replace(identity, same_rows=int(table.column("same").sum()))
        counts = replace(self.counts, groups=None if groups is None else int(groups.max()) + 1)
        half = Ordered.of(kl).carrying_half() or 0
        gates = () if self.part else gates_of(statistics, self.wanted.limits, tuple(each.row for each in rows))
        summary = summarize(other.path, statistics, counts, half, identity) + self._of_part
        return Compared(other.path, other, counts, identity, statistics, half, rows, gates, summary, own)

    def _nothing(self, other: ArrayInfo, identity: Identity) -> Compared:
        """Of a part, of which no sample counts; InputError for the whole."""
        if self.part is None:
            at = "" if self.about.labels is None else self.about.labels.path
            raise InputError("no sample counts, so there is nothing to compare", at=at)
        summary = f"no sample counts{self._of_part}"
        return Compared(other.path, other, self.counts, identity, {}, 0, (), (), summary)

    @property
    def _of_part(self) -> str:
        return "" if self.part is None else f"; {self.part.rows} of {self.part.samples:,} alone"


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


def _groups(about: PairAbout, table: Table, size: int | None) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """The group of each row, from 0 on: so many rows together, or the samples of one entry of the first axis."""
    shape = about.sample_shape
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
