"""The exact facts of some rows of an input, in a file that is read back exactly, and the report on them."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xentcli.diagnose.answer import answered
from xentcli.diagnose.verdict import Judged
from xentcli.errors import InputError
from xentcli.judging.judge import Question, judge
from xentcli.measuring.facts import Measured
from xentcli.measuring.reduce import Reduction, with_streamed_reductions
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.policy import Policy, user_tolerance
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange
from xentcli.records.codec import decode, encode
from xentcli.records.report import PartInfo, Tool
from xentcli.running.identity import digest
from xentcli.running.reporting import About, make_report, this_tool
from xentcli.sources.files import opened
from xentcli.sources.named import NamedInputs  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.sources.pairs import open_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from xentcli.question.claims import Claim
    from xentcli.question.share import Share
    from xentcli.records.report import Report

SCHEMA_VERSION = "1.4"
KIND = "loss"  # what a partial of this module is of
WRITERS = {"loss": "xent compute", "comparison": "xent compare"}  # kind -> what writes partials of it
MOST_BYTES = 32 << 20  # of a partial; a device or a pipe may have no end
MOST_MEMBERS = 1 << 21  # in it, of which Python may take a hundred bytes for two in the file


@dataclass(frozen=True)
class Digests:
    """SHA-256 of numbers of the inputs, that tells other numbers from a copy in another place."""

    logits: str
    labels: str
    weight: str | None  # of all of them


@dataclass(frozen=True)
class Asked:
    """What was asked for: facts add up where all of this is the same."""

    about: About
    digests: Digests
    digits: int | None
    shown: int  # rows of the tables

    @classmethod
    def of(cls, problem: Problem, policy: Policy) -> Asked:
        weight = problem.options.weight
        digests = Digests(
            logits=digest(problem.logits),
            labels=digest(problem.target),
            weight=None if weight is None else hashlib.sha256(weight.values.tobytes()).hexdigest(),
        )
        shown = problem.samples if problem.options.reduction == "none" else policy.rows
        return cls(About.of(problem, policy), digests, policy.digits, shown)

    def policy(self, expect: Claim | None) -> Policy:
        options = self.about.options
        tolerance = user_tolerance(options.rtol, options.atol)
        return Policy(
            reference=options.reference, tolerance=tolerance, digits=self.digits, expect=expect, rows=self.shown
        )


@dataclass(frozen=True)
class Partial:
    """The facts of some rows."""

    tool: Tool  # what computed them
    asked: Asked
    inputs: NamedInputs  # from the folder of the run
    rows: RowRange
    facts: Measured
    schema_version: str = SCHEMA_VERSION

    @classmethod
    def of(cls, asked: Asked, inputs: NamedInputs, first_row: int, facts: Measured) -> Partial:
        """What has been computed here of the rows from the first one on."""
        return cls(this_tool(), asked, inputs, RowRange(first_row, first_row + facts.samples), facts)

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
    ) -> Report:
        """The report on these rows; `explained` adds the mistake behind a false claim before the answer is given."""
        about = self.asked.about
        question = Question(about.options.reduction, PRECISIONS[about.options.dtype], self.asked.policy(expect))
        facts = self.facts.candidates(self.rows.start + self.asked.shown).chosen(self.asked.shown)
        if self.is_whole and about.options.reduction != "none":
            facts = with_streamed_reductions(facts, Reduction.asked(about.options, about.kind, about.classes))
        part = None if self.is_whole else PartInfo(self.rows, about.samples, str(share) if share else None)
        judged = Judged(facts, judge(facts, question), question)
        report = make_report(about, judged, tool=self.tool, command=command, part=part)
        return answered(explained(report))

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
        )
        return Problem(logits, target, asked, in_parts=True)

    def to_bytes(self) -> bytes:
        """The file's content: JSON, with a checksum of all members but itself."""
        return json.dumps(headed(KIND, self), indent=1, allow_nan=False).encode() + b"\n"

    def pieces(self) -> Iterator[bytes]:
        """The same, as partials of more than JSON have it."""
        yield self.to_bytes()


def read_partial(path: str) -> Partial:
    """What `to_bytes` made; InputError for a file that is not a partial, is damaged, or has another schema version."""
    with opened(path) as file:
        return partial_in(file, path)


def partial_in(file: BinaryIO, path: str) -> Partial:
    """The same of an open file."""
    content = content_of(file.read(MOST_BYTES + 1), path, KIND, SCHEMA_VERSION)
    with forgery_told(path):
        partial = decode(Partial, content, f"{path}: partial")
    if not 0 <= partial.rows.start <= partial.rows.stop == partial.rows.start + partial.facts.samples:
        raise InputError("this partial has facts of other rows than it says", at=path, found=str(partial.rows))
    with forgery_told(path):
        partial.followed_by(partial).report("merge")
        partial.report("merge")
    return partial


@contextmanager
def forgery_told(path: str) -> Iterator[None]:
    """InputError for facts that are of the right types, and that no run comes to: nothing can be made of them."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            "this partial has facts that no run comes to",
            at=path,
            found=f"{type(error).__name__}: {str(error)[:60]}",
            hint="compute it again",
        ) from error


def headed(kind: str, record: Any) -> dict[str, Any]:
    """The record as JSON has it, behind what it is of and a checksum of all members but itself."""
    content = {"kind": kind, **encode(record)}
    return {"kind": kind, "checksum": _checksum(content), **content}


def content_of(data: bytes, path: str, kind: str, version: str) -> dict[str, Any]:
    """The record that `headed` made JSON of; InputError for anything else, and for one of another kind or version."""
    expected = f"a partial that {WRITERS[kind]} --partial or --resume wrote"
    if len(data) > MOST_BYTES or data.count(b",") > MOST_MEMBERS:
        found = f"more than {MOST_BYTES:,} bytes" if len(data) > MOST_BYTES else f"more than {MOST_MEMBERS:,} members"
        raise InputError("this is too long for a partial", at=path, found=found, expected=expected)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("this is not a partial", at=path, found=str(error)[:80], expected=expected) from error
    if not isinstance(content, dict) or "schema_version" not in content or "asked" not in content:
        raise InputError("this is not a partial", at=path, found="other JSON", expected=expected)
    _check_kind(content, path, kind, version)
    checksum = content.pop("checksum", None)
    if checksum != _checksum(content):
        raise InputError("this partial is damaged", at=path, found="content that is not what its checksum is of")
    content.pop("kind", None)
    return content


def _check_kind(content: dict[str, Any], path: str, kind: str, version: str) -> None:
    if content.get("kind", kind) != kind:
        raise InputError(
            "this is a partial of something else", at=path, found=repr(content["kind"])[:40], expected=repr(kind)
        )
    if content["schema_version"] != version:
        raise InputError(
            "this partial has another schema version",
            at=path,
            found=repr(content["schema_version"])[:40],
            expected=repr(version),
            hint="compute and merge all partials with the same xent",
        )


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
