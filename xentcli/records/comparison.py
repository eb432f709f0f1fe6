"""What two sets of logits differ by, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from xentcli.errors import Exit
from xentcli.records.report import SCHEMA_VERSION, plain
from xentcli.records.statistic import Statistic  # noqa: TC001 (schemas are made of the types of the fields)

if TYPE_CHECKING:
    from xentcli.records.report import ArrayInfo, Finding, Judgement, Tool


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
    rows: tuple[RowPair, ...]  # those with the greatest KL
    gates: tuple[Gate, ...]
    summary: str
    dialect: Dialect | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Sets of logits against a base, over the same labels."""

    tool: Tool
    base: ArrayInfo
    labels: ArrayInfo | None
    options: dict[str, Any]
    comparisons: tuple[Compared, ...]
    verdict: Literal["holds", "undecided", "fails"] | None  # of all gates; None where there are none
    command: str = "compare"
    schema_version: str = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content: dict[str, Any] = plain(self)
        return {name: content.pop(name) for name in ("schema_version", "tool", "command")} | content

    def exit_code(self, *, strict: bool = False) -> Exit:
        """0 where every gate is kept, or there is none; 1 where one is not, 5 where that is not known."""
        if strict and any(each.severity == "warning" for one in self.comparisons for each in one.findings):
            return Exit.DIFFERS
        codes: dict[str | None, Exit] = {"fails": Exit.DIFFERS, "undecided": Exit.NOTHING_CHECKED}
        return codes.get(self.verdict, Exit.HOLDS)
