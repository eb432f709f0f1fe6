"""What is asked of an implementation beyond being right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.records.conformance import GRADES

if TYPE_CHECKING:
    from xentcli.records.conformance import CaseResult

SPELLED = {"shift-first": GRADES[0], "16-bit-sum": GRADES[1]}  # on the command line


@dataclass(frozen=True)
class Demands:
    """A grade that every case must reach, and whether the first failure ends it all."""

    grade: str | None = None  # of SPELLED
    first: bool = False

    def held(self, result: CaseResult) -> CaseResult:
        """The result, which fails where its grade is worse than the one demanded."""
        wanted = SPELLED[self.grade] if self.grade else GRADES[-1]
        if result.outcome != "passes" or result.grade is None or GRADES.index(result.grade) <= GRADES.index(wanted):
            return result
        reason = f"the grade {result.grade} is not good enough for --grade {self.grade}"
        return replace(result, outcome="fails", reason=reason, names=(f"grade:{reason}",))


NOTHING = Demands()
