"""What is known of a run, as frozen records; `plain` turns any of them into the JSON of the contract."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, get_args

from xentcli.errors import Exit

SCHEMA_VERSION = "1.0"

Status = Literal["within", "underflow", "overflow", "nan", "wrong"]
STATUSES: tuple[Status, ...] = get_args(Status)  # in the order of gravity
Judgement = Literal["agrees", "differs", "undecided"]
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
class ArrayInfo:
    """An input as it was read."""

    path: str
    format: str
    shape: tuple[int, ...]
    dtype: str
    range: Range


@dataclass(frozen=True)
class Input:
    """Both inputs; `kind` says how the labels' file was read."""

    logits: ArrayInfo
    labels: ArrayInfo
    kind: Literal["labels", "probabilities"]


@dataclass(frozen=True)
class OptionsInfo:
    """The options as the user gave them, or their defaults."""

    reduction: str
    ignore_index: int
    label_smoothing: float
    weight: str | None
    class_axis: int
    dtype: str  # the format that the paths computed in
    device: str
    reference: str
    rtol: float | None = None  # None: derived
    atol: float | None = None
    seed: int | None = None


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
class Cast:
    """What --dtype did to the true loss: its value after the cast less its value before, enclosed."""

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
    causes: tuple[Cause, ...] = ()


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
    probabilities: tuple[ClassProbability, ...]  # every class, or the most probable ones, in descending order


@dataclass(frozen=True)
class Report:
    """The whole result: what JSON, tables and scripts are made from."""

    tool: Tool
    command: str
    input: Input
    options: OptionsInfo
    counts: Counts
    losses: Losses
    discrepancy: Discrepancy
    cast: Cast | None  # only when --dtype narrows
    findings: tuple[Finding, ...]
    expectation: Expectation | None  # only with --expect
    samples: tuple[Sample, ...]
    streamed: bool  # the input took more than one block
    verdict: Judgement
    summary: str  # the verdict in one sentence
    schema_version: str = SCHEMA_VERSION

    def exit_code(self, *, strict: bool = False) -> Exit:
        """The verdict as a script sees it; `strict` makes warnings count."""
        if self.counts.samples == self.counts.ignored:
            return Exit.NOTHING_CHECKED
        warned = strict and any(finding.severity == "warning" for finding in self.findings)
        claim = self.expectation is None or self.expectation.holds
        return Exit.HOLDS if self.verdict == "agrees" and claim and not warned else Exit.DIFFERS

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content = plain(self)
        head = {"schema_version": content.pop("schema_version")}
        optional = {"cast", "expectation"}
        return head | {name: value for name, value in content.items() if not (name in optional and value is None)}


def plain(value: Any) -> Any:
    """Records as dictionaries, tuples as lists, and the floats that JSON lacks as the strings "nan", "inf", "-inf"."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


@dataclass(frozen=True)
class ClassNumber:
    """A class's number at a step, as computed and as it truly is."""

    index: int
    value: float
    true: str | None = None  # 17 digits, as a float64 may not reach so far down; None where nothing true is known
    ulp: float | None = None  # how far apart, in units of the last place of the format that the step computes in


@dataclass(frozen=True)
class PathStep:
    """What a step gives one path."""

    value: float | None  # the label's number, or the sum's; None where every class has its own
    ulp: float | None  # how far from the true one, as for a class
    adds: float | None  # what its rounding adds to the loss, had all later steps none; None where not followed


@dataclass(frozen=True)
class Step:
    """A step on the way from the logits to the loss; a path that goes another way has None."""

    number: int
    name: str
    formula: str
    why: str
    true: str | None
    manual: PathStep | None
    library: PathStep | None
    classes: tuple[ClassNumber, ...] = ()


@dataclass(frozen=True)
class Term:
    """What a class contributes to loss = Σ_c a_c·(−log p_c), by each path."""

    index: int
    target: float  # 1 for the label, 0 for the others; or the target probability
    coefficient: float  # a_c: the target, weighted and smoothed
    manual_log: float  # log p_c
    manual: float
    library_log: float
    library: float


@dataclass(frozen=True)
class ClassSum:
    """The loss as a sum over all classes, most of which contribute nothing when the target is a label."""

    terms: tuple[Term, ...]
    manual: float
    library: float


@dataclass(frozen=True)
class GradientNumber:
    """dL/dx_c of a class: by autograd through each path, and as it truly is."""

    index: int
    library: float
    manual: float
    true: str | None


@dataclass(frozen=True)
class Gradient:
    """The gradient of the loss with respect to the logits, with the library's greatest error against what is allowed."""

    classes: tuple[GradientNumber, ...]
    total: float  # the sum of the library's over all classes, truly 0
    error: float | None  # None where nothing true is known
    allowed: float | None  # None where no bound is derived
    at: int | None  # the class of that error


@dataclass(frozen=True)
class Explanation:
    """One sample's loss, step by step."""

    tool: Tool
    row: int
    index: tuple[int, ...]  # of the sample, over every axis but the class axis
    rows: int
    worst: bool  # chosen as the row furthest from the truth, against what is allowed
    path: str
    label: int | None  # None when the target is probabilities
    ignored: bool
    classes: int  # in all; the steps show all of up to ten
    options: OptionsInfo
    steps: tuple[Step, ...]
    losses: Losses
    lost_at: dict[str, str | None]  # path -> the step that adds most to its error; None where nothing is known or lost
    surprisal: float | None  # the true −log p of the label, in nats
    stored: tuple[ClassNumber, ...]  # the logits before --dtype, when that narrows
    cast: Cast | None
    class_sum: ClassSum | None  # None when the sample is ignored
    gradient: Gradient | None  # None when the sample is ignored
    findings: tuple[Finding, ...]
    verdict: Judgement
    summary: str
    command: str = "explain"
    schema_version: str = SCHEMA_VERSION

    def exit_code(self) -> Exit:
        """Holds when both paths are within what rounding explains."""
        statuses = {self.losses.library.status, self.losses.manual.status}
        return Exit.HOLDS if statuses == {"within"} else Exit.DIFFERS
