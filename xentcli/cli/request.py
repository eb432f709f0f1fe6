"""What the shared options ask for, sorted by whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xentcli.cli.present import Presentation
from xentcli.policy import Policy, user_tolerance

if TYPE_CHECKING:
    from xentcli.claims import Claim
    from xentcli.problem import Array, Problem


@dataclass(frozen=True)
class Request:
    """The loss (torch is not yet imported, so as plain values), how to judge it, and where to print it."""

    loss: dict[str, Any]
    weight: str | None
    policy: Policy
    presentation: Presentation

    @classmethod
    def of(cls, given: dict[str, Any]) -> Request:
        """Sort the values of LOSS_OPTIONS, JUDGE_OPTIONS and OUTPUT_OPTIONS; every value has its one place."""
        tolerance = user_tolerance(given.pop("rtol"), given.pop("atol"))
        judging = {name: given.pop(name) for name in ("reference", "digits", "rows")}
        policy = Policy(tolerance=tolerance, expect=_claim(given.pop("expect")), **judging)
        presentation = Presentation(
            **{name: given.pop(name) for name in ("form", "output", "reports", "quiet", "exit_zero", "strict")}
        )
        return cls(weight=given.pop("weight"), loss=given, policy=policy, presentation=presentation)

    def problem(self, logits: Array, target: Array) -> Problem:
        """The checked problem; reads the weight file."""
        from xentcli.problem import Options, Problem
        from xentcli.sources.open import open_array

        weight = open_array(self.weight) if self.weight else None
        return Problem(logits, target, Options(weight=weight, **self.loss))


def _claim(text: str | None) -> Claim | None:
    if text is None:
        return None
    from xentcli.claims import Claim

    return Claim.parse(text)
