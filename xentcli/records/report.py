"""What is known of a run, as frozen records; `plain` turns any of them into the JSON of the contract."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, get_args

from xentcli.errors import Exit
from xentcli.question.share import RowRange
from xentcli.records.breakdown import Grouped, LossPart  # noqa: TC001 (schemas are made of the types of the fields)
from xentcli.records.metrics import Metrics  # noqa: TC001 (schemas are made of the types of the fields)
from xentcli.records.pictures import ClassSteps, Pictures  # noqa: TC001 (schemas are made of the types of the fields)
from xentcli.records.showing import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA_VERSION = "2.0"
OPTIONAL = frozenset(  # what a report has only where it was asked for
    (
        "cast",
        "expectation",
        "part",
        "settings",
        "row_sums",
        "row_claims",
        "metrics",
        "pictures",
        "worst",
        "byte_claim",
        "grouped",
        "groups",
    )
)
QUANTISED = "llama.cpp"  # the format of logits that were stored in 16 bits; the truth is that of those before

Status = Literal["within", "underflow", "overflow", "nan", "wrong"]
STATUSES: tuple[Status, ...] = get_args(Status)  # in the order of gravity
# the textbook's own weakness, of which the logits and torch are innocent: explained, and never silent
EXPLAINED: frozenset[Status | None] = frozenset({"underflow", "overflow"})
Judgement = Literal["holds", "undecided", "fails"]
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)  # in the order of gravity
EXITS: dict[Judgement, Exit] = {"holds": Exit.HOLDS, "undecided": Exit.NOTHING_CHECKED, "fails": Exit.DIFFERS}
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Tool:
    """What made the report."""

    name: str
    version: str
    torch: str


@dataclass(frozen=True)
class Range:
    """The values an array holds."""

    minimum: float | None  # of the finite values; None without any
    maximum: float | None
    nan: int = 0
    infinite: int = 0


@dataclass(frozen=True)
class Shard:
    """One file of several, and the rows of the whole that it holds."""

    path: str
    first_row: int
    rows: int


@dataclass(frozen=True)
class Shards:
    """How many files an input has, and those that hold the rows which the report names."""

    count: int
    named: tuple[Shard, ...]

    @classmethod
    def holding(cls, rows: Iterable[int], shards: tuple[Shard, ...]) -> Shards:
        """Those of all shards that hold these rows."""
        ends = list(accumulate(shard.rows for shard in shards))
        numbers = sorted({bisect_right(ends, row) for row in rows})
        return cls(len(shards), tuple(shards[number] for number in numbers))

    def of_row(self, row: int) -> Shard | None:
        """The file that holds a row, if it is among those named."""
        held = (shard for shard in self.named if shard.first_row <= row < shard.first_row + shard.rows)
        return next(held, None)


@dataclass(frozen=True)
class ArrayInfo:
    """An input as it was read."""

    path: str
    format: str
    shape: tuple[int, ...]
    dtype: str
    range: Range
    shards: Shards | None = None  # only of several files
    notes: tuple[str, ...] | None = None  # of a table: what was left out, or taken for something else than a number
    crc32: str | None = None  # only of a page: of the bytes of the numbers, in the order of torch's samples


@dataclass(frozen=True)
class HeadInfo:
    """The weights of a head, or its bias, as they were read; `digest` is the SHA-256 of all its numbers."""

    path: str
    format: str
    shape: tuple[int, ...]
    dtype: str
    digest: str


@dataclass(frozen=True)
class Input:
    """Both inputs; `kind` says how the labels' file was read."""

    logits: ArrayInfo
    labels: ArrayInfo
    kind: Literal["labels", "probabilities"]
    class_names: tuple[str, ...] | None = None  # in the order of the classes, where they have names
    head: HeadInfo | None = None  # only of hidden states: what makes the logits of them
    bias: HeadInfo | None = None

    def class_name(self, index: int) -> str:
        """The name of a class; empty where it has none."""
        return self.class_names[index] if self.class_names and 0 <= index < len(self.class_names) else ""


@dataclass(frozen=True)
class OptionsInfo:
    """The options as the user gave them, or their defaults."""

    reduction: Literal["mean", "sum", "none"]
    ignore_index: int
    label_smoothing: float
    weight: str | None
    class_axis: int
    dtype: str  # the format that the paths computed in
    device: str
    reference: Literal["fast", "exact", "off"]
    rtol: float | None = None  # None: derived
    atol: float | None = None
    seed: int | None = None
    input: Literal["logits", "log-probabilities", "probabilities"] = "logits"  # what the numbers are
    binary: bool = False
    pos_weight: float | None = None  # only of a binary loss
    shift: bool = False  # each position predicts the next one's label
    temperature: float | None = None  # that the logits were divided by
    softcap: float | None = None  # and then bent to stay within
    z_loss: float | None = None  # Z: each loss has Z·logsumexp² in it

    @property
    def is_of_stored_logits(self) -> bool:
        """Whether the losses are the cross-entropies of the logits as they are stored."""
        return self.temperature is None and self.softcap is None and self.z_loss is None


@dataclass(frozen=True)
class Counts:
    """How many samples there were, how many count, and what the mean was divided by."""

    samples: int
    ignored: int
    classes: int
    denominator: float | None  # None where the reduction has none


@dataclass(frozen=True)
class Worst:
    """The sample that is furthest from what is allowed."""

    row: int
    value: float
    error: float
    allowed: float | None  # None where nothing is derived
    reference: float | None = None  # the true loss


@dataclass(frozen=True)
class PathResult:
    """One path: its value, how far it is from the true one, and what rounding explains."""

    value: float | None  # None with reduction none
    error: float | None
    allowed: float | None
    ulp: float | None  # the error in units of the last place of the dtype
    status: Status | None  # None without a reference: the two paths alone cannot say which is wrong
    rows: dict[str, int]  # how many samples have which status
    worst: Worst | None = None
    streamed: bool = False  # the value is the exact sum of the samples' losses, rounded once: not torch's own


@dataclass(frozen=True)
class Enclosure:
    """The true value lies between these two, by proof; `decimal` has its certain digits."""

    lower: float | None  # None with reduction none
    upper: float | None
    decimal: str | None = None


@dataclass(frozen=True)
class Losses:
    """The three losses that are always told apart."""

    library: PathResult
    manual: PathResult
    reference: Enclosure | None


@dataclass(frozen=True)
class WorstPair:
    """The sample where the two paths are furthest apart."""

    row: int
    library: float
    manual: float
    reference: float | None


@dataclass(frozen=True)
class Discrepancy:
    """Library against manual: of the reduced value, or of the worst sample with reduction none."""

    absolute: float | None
    relative: float | None
    ulp: float | None
    allowed: float | None
    worst: WorstPair | None


@dataclass(frozen=True)
class RowSums:
    """By how much a row of the given probabilities misses 1 at most: about `value`, by proof between the two ends."""

    value: float
    lower: float
    upper: float
    row: int  # which it is
    total: float  # about what that row adds up to


@dataclass(frozen=True)
class Cast:
    """What a cast did to the true loss: its value after it less its value before, enclosed."""

    effect: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Finding:
    """Something worth saying about the input or the numbers, with what to do."""

    code: str
    severity: Severity
    message: str
    rows: tuple[int, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Match:
    """How a cause's value gives the claim, and how likely one of all values tried would do so by chance."""

    kind: Literal["digits", "float32", "float64", "last digit"]
    chance: float
    tried: int


@dataclass(frozen=True)
class Cause:
    """A mistake that gives the claimed value, or two at once: their codes are `steps`."""

    code: str
    statement: str
    value: float
    remedy: str
    steps: tuple[str, ...] = ()
    match: Match | None = None


@dataclass(frozen=True)
class Expectation:
    """A claimed value, and whether the true one, rounded to its digits, is it; None where that is undecided."""

    claimed: str
    holds: bool | None
    true: str | None = None  # in digits enough to tell it from the claim; None where not one digit is certain
    of_library: bool = False  # it is the library's value that rounds to the claim, and the true one does not
    causes: tuple[Cause, ...] | None = ()  # None: not looked for, as that takes the inputs


@dataclass(frozen=True)
class RowClaim:
    """A claimed loss of one row that does not hold, or may not, beside the true one."""

    row: int
    claimed: float
    lower: float
    upper: float
    holds: bool | None  # None where that is undecided


@dataclass(frozen=True)
class RowClaims:
    """Claimed losses of rows, each held to its own digits, or its format, and to what rounding allows."""

    source: str  # the file, or "" for typed ones
    count: int
    wrong: int
    undecided: int
    rows: tuple[RowClaim, ...]  # those that are furthest off
    looked: int = 0  # wrong rows for which a mistake was looked for
    caused: int = 0  # of these, the rows that have this cause
    cause: Cause | None = None  # the one that fits most of them

    @property
    def holds(self) -> bool | None:
        """Whether all of them do."""
        return False if self.wrong else None if self.undecided else True


@dataclass(frozen=True)
class ByteClaim:
    """Claimed bits per byte, held to their digits, and what the true ones are made of."""

    claimed: str
    holds: bool | None  # None where that is undecided
    lower: float  # the true value lies between these, by proof
    upper: float
    true: str | None  # in digits enough to tell it from the claim; None where not one digit is certain
    nats: float  # Σ −log p of the labels that count, which are the tokens
    tokens: int
    bytes: int
    implied: float | None  # the bytes over which these nats give the claim; None of a claim that is not positive
    causes: tuple[Cause, ...] = ()  # of one that does not hold


@dataclass(frozen=True)
class WorstLoss:
    """One of the rows with the highest losses, and what the model says instead."""

    row: int
    label: int
    loss: float  # −log p of the label, in nats
    probability: float  # of the label
    top: int  # the first of the most probable classes
    confidence: float  # its probability
    margin: float  # what the label's probability is above the greatest of the others
    # the most probable classes, the label among them, step by step; None where the row is not to be had again
    classes: tuple[ClassSteps, ...] | None = None
    sum: float | None = None  # S, of the exponentials of all classes


@dataclass(frozen=True)
class ClassProbability:
    """A class and the probability that softmax gives it."""

    index: int
    probability: float


@dataclass(frozen=True)
class Sample:
    """One row of the tables."""

    row: int
    label: int | None  # None when the target is probabilities
    ignored: bool
    probability: float | None  # of the label
    library: float
    manual: float
    lower: float | None  # the enclosure of the true loss
    upper: float | None
    # every class, or the most probable ones, in descending order; none of a row that tables do not show
    probabilities: tuple[ClassProbability, ...]


@dataclass(frozen=True)
class PartInfo:
    """What a report of some rows alone is of."""

    rows: RowRange
    samples: int  # of the whole input
    share: str | None  # "3/16", as the user asked for it


@dataclass(frozen=True)
class Setting:
    """An option that was not typed, and the variable or the file that gave its value."""

    option: str
    value: str
    source: str


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The whole result: what JSON, tables and scripts are made from."""

    tool: Tool
    command: str
    input: Input
    options: OptionsInfo
    counts: Counts
    losses: Losses
    discrepancy: Discrepancy
    cast: Cast | None  # only when --dtype, or the logits next to text, narrow
    findings: tuple[Finding, ...]
    expectation: Expectation | None  # only with --expect
    samples: Sequence[Sample]  # with reduction none every sample, read back as it is asked for
    streamed: bool  # a total is an exact sum, rounded once, as torch's order of additions was not followed
    verdict: Judgement
    summary: str  # the verdict in one sentence
    part: PartInfo | None = None  # only of a part of the input
    settings: tuple[Setting, ...] | None = None  # only where options were not typed
    row_sums: RowSums | None = None  # only with --input of probabilities or their logarithms
    row_claims: RowClaims | None = None  # only where losses of rows are claimed
    metrics: Metrics | None = None  # by name; only of labels, and with a reference
    pictures: Pictures | None = None  # only with --metrics: what a page draws
    worst: tuple[WorstLoss, ...] | None = None  # only of labels, and with a reference; a few, or --worst of them
    byte_claim: ByteClaim | None = None  # only with --expect-bpb
    grouped: Grouped | None = None  # only where rows belong together
    groups: dict[str, tuple[LossPart, ...]] | None = None  # only with --by: the parts, by what they are told apart
    schema_version: str = SCHEMA_VERSION

    def told(self) -> tuple[str, str, str]:
        """Beside the verdict all three losses, as far as there are totals."""
        truth = self.losses.reference
        values = {
            "library": self.losses.library.value,
            "manual": self.losses.manual.value,
            "true": None if truth is None else truth.decimal or truth.lower,
        }
        losses = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
        about = f"{self.counts.samples:,} samples × {self.counts.classes:,} classes"
        return f"xent {self.command}: {self.verdict}", f"{about}{losses and f'; {losses}'}", self.summary

    def exit_code(self, *, strict: bool = False) -> Exit:
        """The verdict as a script sees it; `strict` makes warnings count."""
        return Exit.DIFFERS if strict and self.verdict == "holds" and warnings(self.findings) else EXITS[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content = plain(self)
        head = {"schema_version": content.pop("schema_version")}
        for array in (content["input"]["logits"], content["input"]["labels"]):
            leave_out(array, "shards", "notes", "crc32")
        leave_out(content["input"], "class_names", "head", "bias")
        for statistic in _statistics(content):
            leave_out(statistic, *(name for name, value in statistic.items() if value is None))
        for row in content["worst"] or ():
            leave_out(row, "classes", "sum")
        return head | {name: value for name, value in content.items() if not (name in OPTIONAL and value is None)}


def _statistics(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that are in a report as JSON has it."""
    yield from (content["metrics"] or {}).values()
    parts = [part for parts in (content["groups"] or {}).values() for part in parts]
    yield from (part[name] for part in parts for name in ("loss", "accuracy", "share") if part[name])
    pictures = content["pictures"] or {"reliability": (), "reliability_tempered": ()}
    bins = (*(pictures["reliability"] or ()), *(pictures["reliability_tempered"] or ()))
    yield from (each["accuracy"] for each in bins if each["accuracy"])


def leave_out(content: dict[str, Any], *names: str) -> None:
    """Members that say nothing."""
    for name in names:
        if content[name] is None:
            del content[name]


def warnings(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The codes of the warnings, each once."""
    return tuple(dict.fromkeys(finding.code for finding in findings if finding.severity == "warning"))


def is_at_fault(path: str, status: Status | None) -> bool:
    """Whether what a path gave counts against it: all but `within`, and what explains the manual path."""
    return status != "within" and not (path == "manual" and status in EXPLAINED)


def plain(value: Any) -> Any:
    """Records as dictionaries, sequences as lists, and floats that JSON lacks as the strings "nan", "inf", "-inf"."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
