"""What two sets of logits differ by, as frozen records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from xentcli.errors import Exit
from xentcli.question.grouping import By  # noqa: TC001 (schemas are made of the types of the fields)
from xentcli.records.breakdown import Floor, Part, Top  # noqa: TC001
from xentcli.records.report import SCHEMA_VERSION, leave_out, plain
from xentcli.records.showing import Shown
from xentcli.records.statistic import Statistic  # noqa: TC001 (schemas are made of the types of the fields)

if TYPE_CHECKING:
    from xentcli.records.report import ArrayInfo, Cause, Finding, Judgement, PartInfo, Setting, Tool

# every statistic of two sets of logits, and those of them that take labels
WITHOUT_LABELS = (
    "kl", "kl_reverse", "js", "tv", "entropy_base", "entropy_other", "kl_cvar95", "kl_cvar99", "same_top",
    "top5_overlap", "top10_overlap", "max_abs_logit", "rmse_logit", "cosine_logit", "affine_slope", "affine_offset",
    "affine_residual",
)  # fmt: skip
WITH_LABELS = (
    "loss_base", "loss_other", "loss_difference", "smallest_detectable", "ppl_base", "ppl_other", "ppl_ratio",
    "ppl_difference", "log_ppl_ratio", "correlation", "delta_p", "rms_delta_p", "accuracy_base", "accuracy_other",
    "flips_right_wrong", "flips_wrong_right",
)  # fmt: skip
OF_CLAIM: dict[bool | None, Judgement] = {True: "holds", None: "undecided", False: "fails"}


@dataclass(frozen=True)
class Counts:
    """How many rows there are, and of what kind."""

    rows: int
    ignored: int
    classes: int
    groups: int | None  # None where rows stand alone


@dataclass(frozen=True)
class Identity:
    """What is equal before anything is computed."""

    same_rows: int  # whose logits are equal bit for bit, or differ by one exact constant
    shape: tuple[int, ...]
    dtypes: tuple[str, str]


@dataclass(frozen=True)
class RowPair:
    """A row of both sides."""

    row: int
    kl: float
    kl_lower: float
    kl_upper: float
    kl_reverse: float
    js: float
    tv: float
    label: int | None
    loss_base: float | None
    loss_other: float | None
    delta_p: float | None
    top_base: int
    top_other: int
    tops_base: tuple[Top, ...] = ()  # the most probable classes, of the rows with the greatest KL
    tops_other: tuple[Top, ...] = ()


@dataclass(frozen=True)
class Gate:
    """A limit, and whether the comparison keeps it, by proof."""

    name: str  # the option
    limit: float
    value: float
    lower: float
    upper: float
    verdict: Judgement
    rows: tuple[int, ...]  # that weigh most


@dataclass(frozen=True)
class ClaimedStatistic:
    """A claimed statistic, and whether the true one, rounded to the claim's digits, is it; None where that is open."""

    name: str  # as the statistics have it
    claimed: str
    holds: bool | None
    lower: float  # of the true one
    upper: float
    true: str | None = None  # in digits enough to tell it from the claim; None where not one is certain
    causes: tuple[Cause, ...] | None = ()  # None: not looked for, as that takes the inputs

    @property
    def verdict(self) -> Judgement:
        """What it adds to the verdict on the comparison."""
        return OF_CLAIM[self.holds]


@dataclass(frozen=True)
class DialectLine:
    """A line as another tool prints it, and between what its value was before the tool's own roundings."""

    name: str
    label: str
    printed: str
    printed_pm: str | None  # what stands after ±
    value: float  # in the line's unit, as `printed` is
    lower: float | None  # None where nothing is derived
    upper: float | None


@dataclass(frozen=True)
class Dialect:
    """What another tool prints of the same files."""

    tool: str
    text: str  # all of it, byte for byte
    lines: tuple[DialectLine, ...]
    statement: str  # what the tool's storage leaves out


@dataclass(frozen=True)
class Compared:
    """One set of logits against the base."""

    name: str
    other: ArrayInfo
    counts: Counts
    identity: Identity
    statistics: dict[str, Statistic]
    half: int  # the fewest rows that carry half of the KL
    rows: Sequence[RowPair]  # those with the greatest KL, or every one
    gates: tuple[Gate, ...]
    summary: str
    dialect: Dialect | None = None
    floor: Floor | None = None  # what noise alone does
    groups: dict[By, tuple[Part, ...]] = field(default_factory=dict)  # where the differences sit
    findings: tuple[Finding, ...] = ()
    expectations: tuple[ClaimedStatistic, ...] = ()

    @property
    def verdicts(self) -> tuple[Judgement, ...]:
        """Of each limit and of each claim."""
        return (*(gate.verdict for gate in self.gates), *(claim.verdict for claim in self.expectations))


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Sets of logits against a base, over the same labels."""

    tool: Tool
    base: ArrayInfo
    labels: ArrayInfo | None
    options: dict[str, Any]
    comparisons: tuple[Compared, ...]
    verdict: Literal["holds", "undecided", "fails"] | None  # of all gates and claims; None where there are none
    part: PartInfo | None = None  # only of a part of the inputs, of which no limit is judged
    settings: tuple[Setting, ...] | None = None  # only where options were not typed
    command: str = "compare"
    schema_version: str = SCHEMA_VERSION

    def told(self) -> tuple[str, str, str]:
        """Beside the verdict both sides, and what was found of each other one."""
        names = ", ".join(one.name for one in self.comparisons)
        rows = max((one.counts.rows for one in self.comparisons), default=0)
        found = "; ".join(one.summary for one in self.comparisons)
        return f"xent compare: {self.verdict or 'computed'}", f"{self.base.path} and {names}: {rows:,} rows", found

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content: dict[str, Any] = plain(self)
        for array in (content["base"], content["labels"], *(one["other"] for one in content["comparisons"])):
            if array is not None:
                leave_out(array, "shards", "notes", "crc32")
        leave_out(content, "part", "settings")
        return {name: content.pop(name) for name in ("schema_version", "tool", "command")} | content

    def exit_code(self, *, strict: bool = False) -> Exit:
        """0 where gates are kept and claims hold, or there are none; 1 where one does not, 5 where one is open."""
        if strict and any(each.severity == "warning" for one in self.comparisons for each in one.findings):
            return Exit.DIFFERS
        codes: dict[str | None, Exit] = {"fails": Exit.DIFFERS, "undecided": Exit.NOTHING_CHECKED}
        return codes.get(self.verdict, Exit.HOLDS)
