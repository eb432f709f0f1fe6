"""The exact facts of some rows of an input, and the report on them.

Sums add up.  What the order of the rows and groups of them tell needs a few numbers of each row, which are carried, and
not added up.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xentcli.diagnose.answer import answered
from xentcli.diagnose.verdict import Judged
from xentcli.errors import InputError, without_secrets
from xentcli.judging.judge import Question, judge
from xentcli.measuring.facts import Measured
from xentcli.measuring.predictions import columns_kept
from xentcli.measuring.reduce import Reduction, with_streamed_reductions
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.grouping import By, Grouping  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.question.policy import Policy, user_tolerance
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange
from xentcli.records.report import PartInfo, Tool
from xentcli.running.beside import Beside
from xentcli.running.identity import digest
from xentcli.running.reporting import About, make_report, this_tool
from xentcli.running.saved import headed, line_of, slices
from xentcli.sources.named import NamedInputs  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.sources.open import open_array
from xentcli.sources.pairs import open_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.question.claims import Claim
    from xentcli.question.share import Share
    from xentcli.records.report import Report

SCHEMA_VERSION = "1.4"
KIND = "loss"  # what a partial of this module is of


@dataclass(frozen=True)
class Digests:
    """SHA-256 of numbers of the inputs, that tells other numbers from a copy in another place."""

    logits: str
    labels: str
    weight: str | None  # of all of them
    groups: str | None  # of the groups of all rows, of a file
    bytes: str | None  # of the bytes of all rows, of a file


@dataclass(frozen=True)
class TextBytes:
    """The bytes of the text, or the file that has those of each row."""

    total: int
    path: str

    @classmethod
    def of(cls, size: int | str | None) -> TextBytes | None:
        """As they are typed."""
        if size is None:
            return None
        return cls(0, without_secrets(size)) if isinstance(size, str) else cls(size, "")


@dataclass(frozen=True)
class Wanted:
    """The metrics that are asked for beside those that every report has."""

    worst: int
    by: tuple[By, ...]
    group: Grouping | None
    bytes: TextBytes | None

    @classmethod
    def of(cls, policy: Policy) -> Wanted | None:
        if not policy.metrics:
            return None
        group = policy.grouping and replace(policy.grouping, path=without_secrets(policy.grouping.path))
        return cls(policy.worst, policy.by, group, TextBytes.of(policy.bytes))

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each row that counts."""
        return columns_kept(scored=bool(self.by) or self.group is not None)

    @property
    def of_policy(self) -> dict[str, Any]:
        """The same as a policy has it."""
        size = None if self.bytes is None else self.bytes.path or self.bytes.total
        return {"metrics": True, "worst": self.worst, "by": self.by, "grouping": self.group, "bytes": size}


@dataclass(frozen=True)
class Asked:
    """What was asked for: facts add up where all of this is the same."""

    about: About
    digests: Digests
    digits: int | None
    shown: int  # rows of the tables
    metrics: Wanted | None

    @classmethod
    def of(cls, problem: Problem, policy: Policy, beside: Beside | None = None) -> Asked:
        """Of a run; `beside` is what its metrics need, where that was read before."""
        weight, about = problem.options.weight, About.of(problem, policy)
        digests = Digests(
            logits=digest(problem.given),
            labels=digest(problem.target),
            weight=None if weight is None else hashlib.sha256(weight.values.tobytes()).hexdigest(),
            **(beside or Beside.of(about, policy)).digests,
        )
        shown = problem.samples if problem.options.reduction == "none" else policy.rows
        return cls(about, digests, policy.digits, shown, Wanted.of(policy))

    def policy(self, expect: Claim | None, expect_bpb: Claim | None = None) -> Policy:
        """With these claims; UsageError for one of bits per byte where no bytes are known."""
        options = self.about.options
        tolerance = user_tolerance(options.rtol, options.atol)
        return Policy(
            reference=options.reference,
            tolerance=tolerance,
            digits=self.digits,
            expect=expect,
            expect_bpb=expect_bpb,
            rows=self.shown,
            **({} if self.metrics is None else self.metrics.of_policy),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each row that counts."""
        return () if self.metrics is None else self.metrics.columns


@dataclass(frozen=True)
class Partial:
    """The facts of some rows."""

    tool: Tool  # what computed them
    asked: Asked
    inputs: NamedInputs  # from the folder of the run
    rows: RowRange
    facts: Measured
    columns: tuple[str, ...] = ()  # of the rows behind the JSON, each a float64, in order
    schema_version: str = SCHEMA_VERSION

    @classmethod
    def of(cls, asked: Asked, inputs: NamedInputs, first_row: int, facts: Measured) -> Partial:
        """What has been computed here of the rows from the first one on."""
        return cls(this_tool(), asked, inputs, RowRange(first_row, first_row + facts.samples), facts, asked.columns)

    @property
    def is_whole(self) -> bool:
        return self.rows == RowRange(0, self.asked.about.samples)

    def followed_by(self, other: Partial) -> Partial:
        """With the facts of the rows after these."""
        shown = self.rows.start + self.asked.shown
        rows = RowRange(self.rows.start, other.rows.stop)
        return replace(self, rows=rows, facts=(self.facts + other.facts).candidates(shown).bounded())

    def report(
        self,
        command: str,
        expect: Claim | None = None,
        share: Share | None = None,
        explained: Callable[[Report], Report] = lambda report: report,
        *,
        expect_bpb: Claim | None = None,
        beside: Beside | None = None,
    ) -> Report:
        """The report on these rows; `explained` adds the mistake behind a false claim before the answer is given.

        beside  what the metrics need beside the rows; None reads it again, and refuses files that changed
        """
        policy = self.asked.policy(expect, expect_bpb)
        report = self._of_sums(command, policy, share)
        if self.columns:
            beside = beside or self._read_beside(policy)
            report = beside.told(report, self.facts, None if self.is_whole else self.rows)
        return answered(explained(report))

    def _of_sums(self, command: str, policy: Policy, share: Share | None) -> Report:
        about = self.asked.about
        question = Question(about.options.reduction, PRECISIONS[about.options.dtype], policy)
        facts = self.facts.candidates(self.rows.start + self.asked.shown).chosen(self.asked.shown)
        if self.is_whole and about.options.reduction != "none":
            facts = with_streamed_reductions(facts, Reduction.asked(about.options, about.kind, about.classes))
        part = None if self.is_whole else PartInfo(self.rows, about.samples, str(share) if share else None)
        judged = Judged(facts, judge(facts, question), question)
        return make_report(about, judged, tool=self.tool, command=command, part=part)

    def _read_beside(self, policy: Policy) -> Beside:
        beside = Beside.of(self.asked.about, policy)
        beside.check({"groups": self.asked.digests.groups, "bytes": self.asked.digests.bytes})
        return beside

    def check(self) -> None:
        """Any error for facts of which no report can be made, not even of twice as many."""
        policy, bare = self.asked.policy(None), replace(self, facts=replace(self.facts, ordered=()))
        for partial in (bare.followed_by(bare), bare):
            answered(partial._of_sums("merge", policy, None))

    def reopened(self) -> Problem:
        """The inputs as they are now, by the names that the run was given."""
        logits, target = open_named(self.inputs)
        inputs, options = self.inputs, self.asked.about.options
        asked = Options(
            class_axis=inputs.class_axis,
            dtype=options.dtype,
            binary=inputs.binary,
            shift=options.shift,
            temperature=options.temperature,
            softcap=options.softcap,
            z_loss=options.z_loss,
            head=None if inputs.head is None else open_array(inputs.head, "head"),
            bias=None if inputs.bias is None else open_array(inputs.bias, "bias"),
        )
        problem = Problem(logits, target, asked, in_parts=True)
        self._check_head(problem)
        return problem

    def _check_head(self, problem: Problem) -> None:
        """InputError for a head, or a bias, of other numbers than the facts are of."""
        now, about = About.of(problem, self.asked.policy(None)), self.asked.about
        for ours, theirs in ((about.head, now.head), (about.bias, now.bias)):
            if ours is not None and theirs is not None and ours.digest != theirs.digest:
                raise InputError(
                    "the head is not what these facts are of",
                    at=theirs.path,
                    found="other numbers than were read for them",
                    hint="was the file changed since? bring the old one back, or compute these parts again",
                )

    def to_bytes(self) -> bytes:
        """The JSON of the file, with a checksum of all members but itself: in one line where rows follow."""
        if self.columns:
            return line_of(KIND, self)
        return json.dumps(headed(KIND, self), indent=1, allow_nan=False).encode() + b"\n"

    def pieces(self) -> Iterator[bytes]:
        """The content of the file, with the rows."""
        yield self.to_bytes()
        for table in self.facts.ordered:
            yield from (rows.astype("<f8", copy=False).tobytes() for rows in slices(table))
