"""What is known of somebody's implementation of cross-entropy after the battery, as frozen records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from xentcli.errors import Exit
from xentcli.records.report import SCHEMA_VERSION, plain
from xentcli.records.showing import Shown

if TYPE_CHECKING:
    from xentcli.records.report import Setting, Tool

Outcome = Literal["passes", "unsupported", "expected failure", "differs by convention", "fails"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)  # in the order of gravity
FamilyVerdict = Literal["conforms", "conforms in part", "unsupported", "differs by convention", "fails"]
SMOKE = "smoke"  # the family that only tells whether the wiring is right
GRADES = ("shift-first", "sum stored in 16 bits", "logsumexp - x[y]")  # from the best to the cheapest


@dataclass(frozen=True)
class Offence:
    """The value that is furthest from what is allowed."""

    what: str  # "loss" or "gradient"
    index: tuple[int, ...]  # where it stands in the result
    got: float
    certified: float
    allowed: float


@dataclass(frozen=True)
class Accuracy:
    """How good the values of some cases are, whether or not that is asked for."""

    values: int  # finite, not zero, and computed
    correctly_rounded: int
    digits_minimum: float | None  # significant decimal digits that are right; None without values
    digits_median: float | None
    digits_allowed: float | None = None  # what the allowance asks for where the fewest are right; of one case alone


@dataclass(frozen=True)
class CaseResult:
    """What came of one case."""

    name: str
    family: str
    outcome: Outcome
    reason: str = ""  # what is wrong, or why the case was not judged
    notes: tuple[str, ...] = ()  # conventions that are told apart, and not held against anybody
    grade: str | None = None  # of GRADES, where a loss was judged
    accuracy: Accuracy | None = None
    worst: Offence | None = None
    reports: tuple[str, ...] = ()  # the public bug reports that motivate the case
    reproduction: tuple[str, ...] = ()  # lines to paste, of a call shrunk as far as it goes
    names: tuple[str, ...] = ()  # conventions and mistakes that explain the answer within its bounds


@dataclass(frozen=True)
class Fault:
    """One cause, however many cases fail of it."""

    name: str  # a convention, a mistake, what is wrong with the answer's form, or "unexplained"
    statement: str
    why: str  # the cause, where it is known
    outcome: Outcome  # "fails" or "differs by convention"
    cases: tuple[str, ...]
    families: tuple[str, ...]
    against: tuple[str, ...]  # cases that could tell it, and pass or answer otherwise
    worst: CaseResult  # one of the cases, with the lines to paste
    known: tuple[str, ...] = ()  # public reports of this very fault


@dataclass(frozen=True)
class FamilyResult:
    """All cases of one fault."""

    family: str
    about: str
    verdict: FamilyVerdict
    counts: dict[str, int]  # outcome -> cases
    grade: str | None
    accuracy: Accuracy | None
    reasons: tuple[str, ...]  # of unsupported cases, conventions and notes, each once
    worst: CaseResult | None  # None unless something fails or differs


@dataclass(frozen=True)
class ImplementationResult:
    """One implementation."""

    name: str
    verdict: FamilyVerdict
    summary: str
    families: tuple[FamilyResult, ...]
    cases: tuple[CaseResult, ...]
    miswired: bool = False  # the smoke cases failed, and nothing else was run
    stale: tuple[str, ...] = ()  # expected failures that passed
    faults: tuple[Fault, ...] = ()  # the gravest first


@dataclass(frozen=True, repr=False)
class ConformanceReport(Shown):
    """The whole result: what JSON, tables and scripts are made from."""

    tool: Tool
    corpus: str  # its version
    cases: int
    implementations: tuple[ImplementationResult, ...]
    verdict: FamilyVerdict
    summary: str
    seed: int | None = None
    options: tuple[Setting, ...] = ()  # those that are not as they are by themselves, and where they came from
    command: str = "conform"
    schema_version: str = SCHEMA_VERSION

    def exit_code(self, *, strict: bool = False) -> Exit:
        """Holds when nothing fails or differs; `strict` makes stale expected failures count.

        An implementation that offers nothing but what shows that it is there was not judged.
        """
        stale = strict and any(each.stale for each in self.implementations)
        if self.verdict in {"fails", "differs by convention"} or stale:
            return Exit.DIFFERS
        judged = [_is_judged(each.cases) for each in self.implementations]
        return Exit.HOLDS if judged and all(judged) else Exit.NOTHING_CHECKED

    def told(self) -> tuple[str, str, str]:
        """Beside the verdict what was judged, and on how many cases."""
        names = ", ".join(each.name for each in self.implementations)
        return f"xent conform: {self.verdict}", f"{names}: {self.cases:,} cases of corpus {self.corpus}", self.summary

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content = plain(self)
        return {"schema_version": content.pop("schema_version"), **content}


@dataclass(frozen=True)
class DoubleResult:
    """One implementation whose verdict is known."""

    name: str
    what: str  # its declared fault, or what is unusual about it
    family: str | None  # that must catch it; None for a correct one
    report: str | None
    failed: tuple[str, ...]  # cases: of a wrong one in its own family, of a correct one in all


@dataclass(frozen=True)
class Tolerated:
    """How many wrong doubles pass a usual test at a usual tolerance."""

    tolerance: str
    survivors: int
    of: int


@dataclass(frozen=True)
class SelfCheck:
    """Whether the battery works."""

    tool: Tool
    corpus: str
    wrong: tuple[DoubleResult, ...]
    right: tuple[DoubleResult, ...]
    tolerances: tuple[Tolerated, ...]
    schema_version: str = SCHEMA_VERSION

    @property
    def survivors(self) -> tuple[DoubleResult, ...]:
        """Wrong doubles that their family does not catch."""
        return tuple(each for each in self.wrong if not each.failed)

    @property
    def flagged(self) -> tuple[DoubleResult, ...]:
        """Correct doubles that some case fails."""
        return tuple(each for each in self.right if each.failed)

    @property
    def verdict(self) -> FamilyVerdict:
        return "fails" if self.survivors or self.flagged else "conforms"

    @property
    def summary(self) -> str:
        caught = len(self.wrong) - len(self.survivors)
        share = 100 * caught // max(1, len(self.wrong))
        return (
            f"kill rate {share} % ({caught} of {len(self.wrong)} wrong doubles caught, each by its family), "
            f"{len(self.flagged)} of {len(self.right)} correct ones flagged"
        )

    def exit_code(self, **_strict: bool) -> Exit:
        """Holds when every wrong double is caught and no correct one flagged; there is nothing to be stricter about."""
        return Exit.DIFFERS if self.survivors or self.flagged else Exit.HOLDS

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, ready for `json.dumps`."""
        content: dict[str, Any] = plain(self)
        head = {"schema_version": content.pop("schema_version"), "command": "conform --self-check"}
        return head | content | {"verdict": self.verdict, "summary": self.summary}


def gravest(outcomes: Counter[str]) -> FamilyVerdict:
    """The verdict on cases with these outcomes: what was asked and not judged does not conform."""
    if outcomes["fails"]:
        return "fails"
    if outcomes["differs by convention"]:
        return "differs by convention"
    if not outcomes["passes"] + outcomes["expected failure"] + outcomes["conforms in part"]:
        return "unsupported"
    return "conforms in part" if outcomes["unsupported"] + outcomes["conforms in part"] else "conforms"


def _is_judged(cases: tuple[CaseResult, ...]) -> bool:
    """Whether any case was judged that says more than that the implementation is there."""
    telling = [case for case in cases if case.family != SMOKE] or cases
    return any(case.outcome != "unsupported" for case in telling)
