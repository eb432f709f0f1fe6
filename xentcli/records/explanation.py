"""One sample's loss told step by step, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xentcli.records.report import EXITS, SCHEMA_VERSION, plain
from xentcli.records.showing import Shown

if TYPE_CHECKING:
    from xentcli.errors import Exit
    from xentcli.records.report import Cast, Finding, Judgement, Losses, OptionsInfo, Tool


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
    """The gradient with respect to the logits, with the library's greatest error against what is allowed."""

    classes: tuple[GradientNumber, ...]
    total: float  # the sum of the library's over all classes, truly 0
    error: float | None  # None where nothing true is known
    allowed: float | None  # None where no bound is derived
    at: int | None  # the class of that error


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
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
    class_names: dict[str, str] | None = None  # class -> its name, of those that are shown, where they have names
    command: str = "explain"
    schema_version: str = SCHEMA_VERSION

    def told(self) -> tuple[str, str, str]:
        """Beside the verdict which sample it is."""
        target = "target probabilities" if self.label is None else f"label {self.label}"
        about = f"row {self.row} of {self.path}: {self.classes:,} classes, {target}"
        return f"xent explain: {self.verdict}", about, self.summary

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content: dict[str, Any] = plain(self)
        if self.class_names is None:
            del content["class_names"]
        return {name: content.pop(name) for name in ("schema_version", "tool", "command")} | content

    def class_name(self, index: int) -> str:
        """The name of a class; empty where it has none."""
        return (self.class_names or {}).get(str(index), "")

    def exit_code(self, **_strict: bool) -> Exit:
        """The verdict as a script sees it; of one sample, warnings are told and do not count."""
        return EXITS[self.verdict]
