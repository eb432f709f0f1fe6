"""What the shared options ask for, sorted by whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import completed, typed_command
from xentcli.cli.output import name_inputs
from xentcli.cli.present import Presentation
from xentcli.errors import UsageError
from xentcli.question.policy import Policy, user_tolerance
from xentcli.render.registry import FORMATS
from xentcli.sources.files import check_input
from xentcli.sources.names import name_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.numbers.arrays import Array
    from xentcli.question.claims import Claim
    from xentcli.question.problem import Problem


@dataclass(frozen=True)
class Request:
    """The loss (torch is not yet imported, so as plain values), how to judge it, and where to print it."""

    loss: dict[str, Any]
    weight: str | None
    policy: Policy
    presentation: Presentation
    threads: int | None
    block_bytes: int | None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Request:
        """Sort the values of LOSS_, JUDGE_, OUTPUT_ and RUNNING_OPTIONS; every value has its one place.

        Errors: UsageError for values that do not go together, InputError for a weight file that there is not.
        """
        tolerance = user_tolerance(given.pop("rtol"), given.pop("atol"))
        judging = {name: given.pop(name) for name in ("reference", "digits", "rows")}
        policy = Policy(tolerance=tolerance, expect=claim(given.pop("expect")), **judging)
        printing = {name: given.pop(name) for name in ("form", "output", "reports", "quiet", "exit_zero", "strict")}
        if given.pop("json"):
            printing["form"] = "json"
        running = {name: given.pop(name) for name in ("threads", "block_bytes")}
        _check_formats([printing["form"], *(form for form, _ in printing["reports"])], given["reduction"])
        weight = given.pop("weight")
        if weight is not None:
            check_input(weight)
            name_inputs(weight)
        return cls(weight=weight, loss=given, policy=policy, presentation=Presentation(**printing), **running)

    def problem(self, pair: tuple[Array, Array]) -> Problem:
        """The checked problem of these logits and their target."""
        from xentcli.running.memory import keep_freed_memory

        keep_freed_memory()
        with completed(typed_command(click.get_current_context())):
            problem = problem_of(pair, self.weight, self.loss)
        return problem if self.block_bytes is None else replace(problem, block_bytes=self.block_bytes)

    def weight_elsewhere(self) -> str | None:
        """The weight file as other processes name it; UsageError for what can be read only once."""
        return None if self.weight is None else name_elsewhere(self.weight)


def problem_of(pair: tuple[Array, Array], weight: str | None, loss: dict[str, Any]) -> Problem:
    """The checked problem of logits and target with the values of LOSS_OPTIONS; reads the weight file."""
    from xentcli.question.problem import Options, Problem
    from xentcli.sources.open import open_array

    return Problem(*pair, Options(weight=None if weight is None else open_array(weight, "weight"), **loss))


def _check_formats(forms: Iterable[str], reduction: str) -> None:
    """UsageError for an array of samples from a run that keeps none."""
    for form in forms:
        if FORMATS[form].is_array and reduction != "none":
            raise UsageError(
                f"{form} holds a record a sample, and --reduction {reduction} makes one number of them",
                expected="--reduction none",
                hint="json and csv hold the totals",
            )


def claim(text: str | None) -> Claim | None:
    """The claimed value, if there is one; UsageError for what is no number."""
    if text is None:
        return None
    from xentcli.question.claims import Claim

    return Claim.parse(text)
