"""What comes out of a pass over the base and all other sides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.comparing.about import PairAbout
from xentcli.comparing.alike import findings_of
from xentcli.comparing.breakdown import breakdown
from xentcli.comparing.causes.find import Search
from xentcli.comparing.causes.known import Known
from xentcli.comparing.claims import NamedClaim, check_labels, held
from xentcli.comparing.dialect import dialect
from xentcli.comparing.floor import floors_of
from xentcli.comparing.gates import check_limits, gates_of
from xentcli.comparing.llamacpp import printed
from xentcli.comparing.measuring import measure_pairs
from xentcli.comparing.statistics import statistics_of
from xentcli.comparing.table import Table
from xentcli.comparing.telling import beneath, judged, summarize
from xentcli.diagnose.answer import noticed
from xentcli.errors import InputError
from xentcli.measuring.facts import RangeFacts
from xentcli.question.grouping import ENTRIES, By, Grouping, check_by
from xentcli.records.comparison import Compared, Comparison, Counts, Dialect, DialectLine, Identity
from xentcli.records.pairs import AllRows, row_pairs
from xentcli.records.report import JUDGEMENTS
from xentcli.running.grouping import groups_of, parts_of
from xentcli.running.passes import Pass
from xentcli.running.reporting import this_tool
from xentcli.statistics.ranks import Ordered

if TYPE_CHECKING:
    from xentcli.comparing.facts import PairFacts
    from xentcli.comparing.floor import Floored
    from xentcli.comparing.problem import Pairing
    from xentcli.question.problem import Problem
    from xentcli.records.breakdown import Part, Worst
    from xentcli.records.progress import Watcher
    from xentcli.records.report import ArrayInfo, Judgement, PartInfo, Tool
    from xentcli.running.opening import Elsewhere


@dataclass(frozen=True)
class Wanted:
    """What is asked of a comparison, beside the logits."""

    limits: dict[str, float]  # gate -> its limit
    rows: int = 10  # that are shown
    grouping: Grouping = ENTRIES
    by: tuple[By, ...] = ()  # what parts of the rows are told apart
    dialect: bool = False  # llama.cpp's lines, too
    every_row: bool = False  # all rows are told, not only those with the greatest KL
    claims: tuple[NamedClaim, ...] = field(metadata={"saved": False}, default=())  # of the whole
    draws: bool = field(metadata={"saved": False}, default=False)  # a page, which says of which bytes it is

    def check(self, *, labelled: bool) -> None:
        """UsageError for limits and claims on labels where there are none, before anything is computed."""
        check_by(self.by)
        check_limits(self.limits, labelled=labelled)
        check_labels(self.claims, labelled=labelled)


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
    wanted.check(labelled=pairing.has_labels)
    pairing = pairing.read_as(digested=True) if wanted.draws else pairing
    facts = measure_pairs(pairing, threads=threads, elsewhere=elsewhere, progress=progress)
    dialects: tuple[Dialect, ...] = ()
    if wanted.dialect:
        Pass("comparing", pairing, progress)
        dialects = tuple(_dialect(pairing, other) for other in pairing.compared)
    sides = tuple((pairing.base, other) for other in pairing.compared)
    return concluded(PairAbout.of(pairing), wanted, facts, this_tool(), sides=sides, dialects=dialects)


def concluded(
    about: PairAbout,
    wanted: Wanted,
    facts: PairFacts,
    tool: Tool,
    *,
    part: PartInfo | None = None,
    sides: tuple[tuple[Problem, Problem], ...] = (),
    dialects: tuple[Dialect, ...] = (),
) -> Comparison:
    """What the facts come to; limits are for the whole, so that those of a part are not judged.

    sides     what is compared, where mistakes behind false claims are looked for in it; none where it is not at hand
    dialects  another tool's view of each other side
    """
    wanted.check(labelled=about.has_labels)
    first, *others = facts.ranges
    whole = _Whole(about, wanted, Counts(facts.samples, facts.ignored, about.classes, None), part)
    tables = [Table(each) for each in facts.tables]
    digests = [each.logits if wanted.draws else None for each in facts.read]
    count = len(about.compared)
    pairs = [
        Pair(source.info(values, digest), table, worst, sides=own)
        for source, values, digest, table, worst, own in zip(
            about.compared, others, digests[1:], tables, facts.worst, sides or (None,) * count, strict=False
        )  # the others are of a floor
    ]
    if facts.counted:
        pairs = [replace(pair, floor=own) for pair, own in zip(pairs, floors_of(about, tables), strict=True)]
    compared = tuple(map(whole.compared, pairs))
    if dialects:
        compared = tuple(replace(one, dialect=own) for one, own in zip(compared, dialects, strict=True))
    own = facts.read[0].target if wanted.draws else None
    labels = None if about.labels is None else about.labels.info(RangeFacts(), own)
    verdict = _verdict(compared, facts)
    return Comparison(
        tool, about.base.info(first, digests[0]), labels, _options(about, wanted), compared, verdict, part=part
    )


def _verdict(compared: tuple[Compared, ...], facts: PairFacts) -> Judgement | None:
    if not facts.counted:
        return "undecided"
    verdicts = [verdict for one in compared for verdict in one.verdicts]
    return max(verdicts, key=JUDGEMENTS.index, default=None)


def _options(about: PairAbout, wanted: Wanted) -> dict[str, Any]:
    """What was asked for, as JSON has it."""
    return {
        "input": about.options.input,
        "group": None if wanted.grouping == ENTRIES else str(wanted.grouping),
        "by": list(wanted.by),
        "floor": about.floor and about.floor.name,
        "reduction": "none" if wanted.every_row else "mean",
        "rows": wanted.rows,
        **wanted.limits,
    }


@dataclass(frozen=True)
class Pair:
    """What is known of two sides that were compared."""

    other: ArrayInfo
    table: Table
    worst: Worst
    sides: tuple[Problem, Problem] | None = None
    floor: Floored | None = None


@dataclass(frozen=True)
class _Whole:
    """What all other sides have in common."""

    about: PairAbout
    wanted: Wanted
    counts: Counts
    part: PartInfo | None

    def compared(self, pair: Pair) -> Compared:
        """One of them against the base."""
        about, wanted, table, other = self.about, self.wanted, pair.table, pair.other
        identity = Identity(0, other.shape, (about.base.dtype, other.dtype))
        if not len(table):
            return self._nothing(other, identity)
        labelled = about.has_labels
        groups = groups_of(about.layout, table.column("row"), wanted.grouping)
        statistics = statistics_of(table, groups, labelled=labelled)
        kl = table.column("kl")
        worst = table.rows(np.argsort(-kl, kind="stable")[: wanted.rows])
        shown = row_pairs(worst, pair.worst, labelled=labelled)
        counted = replace(self.counts, groups=None if groups is None else int(groups.max()) + 1)
        identity = replace(identity, same_rows=int(table.column("same").sum()))
        half = Ordered.of(kl).carrying_half() or 0
        search = Search(Known.of(statistics, table, groups, about), pair.sides)
        claims = tuple(held(claim, statistics, search.causes) for claim in wanted.claims)
        findings = findings_of(table, labelled=labelled)
        beyond = None if pair.floor is None else pair.floor.beneath(statistics, table, groups)
        told = beneath(summarize(other.path, statistics, counted, half, identity), beyond)
        gates = () if self.part else gates_of(statistics, wanted.limits, tuple(each.row for each in shown))
        return Compared(
            name=other.path,
            other=other,
            counts=counted,
            identity=identity,
            statistics=statistics,
            half=half,
            rows=AllRows(table.parts, shown, labelled=labelled) if wanted.every_row else shown,
            gates=gates,
            summary="; ".join([*judged(claims, gates), told, *self._of_part, *noticed(findings)]),
            findings=findings,
            expectations=claims,
            floor=beyond,
            groups={by: self._breakdown(by, table, groups) for by in wanted.by},
        )

    def _breakdown(self, by: By, table: Table, groups: np.ndarray[Any, np.dtype[np.int64]] | None) -> tuple[Part, ...]:
        parts = parts_of(by, self.about.layout, table.kept, self.wanted.grouping)
        return breakdown(table, parts, groups, labelled=self.about.has_labels)

    def _nothing(self, other: ArrayInfo, identity: Identity) -> Compared:
        """Of a part, of which no sample counts; InputError for the whole."""
        if self.part is None:
            at = "" if self.about.labels is None else self.about.labels.path
            raise InputError("no sample counts, so there is nothing to compare", at=at)
        summary = "; ".join(["no sample counts", *self._of_part])
        return Compared(other.path, other, self.counts, identity, {}, 0, (), (), summary)

    @property
    def _of_part(self) -> tuple[str, ...]:
        return () if self.part is None else (f"{self.part.rows} of {self.part.samples:,} alone",)


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
