"""What the shared options ask for, sorted by whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import completed, typed_command
from xentcli.cli.options import RECORDED_ROWS
from xentcli.cli.output import name_inputs
from xentcli.cli.present import Presentation
from xentcli.errors import UsageError
from xentcli.question.policy import Policy, user_tolerance
from xentcli.render.registry import FORMATS, PICTURES
from xentcli.sources.files import check_input, exists
from xentcli.sources.names import name_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.numbers.arrays import Array
    from xentcli.question.claims import Claim
    from xentcli.question.problem import Problem
    from xentcli.question.rowclaims import RowClaims

DRAWN = {"draws": True, "worst": 10}  # what a page asks for, where nobody says otherwise


ARRAYS = ("head", "bias")  # options of the loss that are files, beside the weights


@dataclass(frozen=True)
class Request:
    """The loss (torch is not yet imported, so as plain values), how to judge it, and where to print it."""

    loss: dict[str, Any]
    weight: str | None
    policy: Policy
    presentation: Presentation
    threads: int | None
    block_bytes: int | None
    claims: tuple[str | None, tuple[str, ...]] | None = None  # about rows: a file, and what was typed

    @classmethod
    def of(cls, given: dict[str, Any], *, in_parts: bool = False) -> Request:
        """Sort the values of LOSS_, JUDGE_, OUTPUT_ and RUNNING_OPTIONS; every value has its one place.

        Partials are put together where the same was asked of all, so that a page of one of them asks for nothing more.

        Errors: UsageError for values that do not go together, InputError for a weight file that there is not.
        """
        tolerance = user_tolerance(given.pop("rtol"), given.pop("atol"))
        judging = {name: given.pop(name) for name in ("reference", "digits")}
        shown = given.pop("rows")
        judging["rows"] = RECORDED_ROWS if shown is None else shown
        by_row = "expect_row" in given and given["reduction"] == "none"
        expect, rows = given.pop("expect"), given.pop("expect_row", ())
        claims = _row_claims(expect if by_row else None, rows, by_row=by_row)
        judging |= _metrics(given)
        printing = {name: given.pop(name) for name in ("form", "output", "reports", "quiet", "exit_zero", "strict")}
        printing["rows"] = shown
        if given.pop("json"):
            printing["form"] = "json"
        running = {name: given.pop(name) for name in ("threads", "block_bytes")}
        forms = [printing["form"], *(form for form, _ in printing["reports"])]
        check_formats(forms, given["reduction"])
        if PICTURES in forms and not in_parts:
            judging = DRAWN | judging
        policy = Policy(tolerance=tolerance, expect=None if by_row else claim(expect), **judging)
        weight = given.pop("weight")
        for path in (weight, *(given.get(name) for name in ARRAYS)):
            if path is not None:
                check_input(path)
                name_inputs(path)
        parts = {"weight": weight, "loss": given, "policy": policy, "claims": claims}
        return cls(**parts, presentation=Presentation(**printing), **running)

    def problem(self, pair: tuple[Array, Array]) -> Problem:
        """The checked problem of these logits and their target."""
        from xentcli.running.memory import keep_freed_memory

        keep_freed_memory()
        with completed(typed_command(click.get_current_context())):
            problem = problem_of(pair, self.weight, self.loss)
        return problem if self.block_bytes is None else replace(problem, block_bytes=self.block_bytes)

    def row_claims(self) -> RowClaims | None:
        """What is claimed of rows; None where nothing is."""
        if self.claims is None:
            return None
        from xentcli.question.rowclaims import RowClaims
        from xentcli.sources.open import open_array

        path, typed = self.claims
        return RowClaims.parse(typed) if path is None else RowClaims(open_array(path, "losses"))

    def weight_elsewhere(self) -> str | None:
        """The weight file as other processes name it; UsageError for what can be read only once."""
        return None if self.weight is None else name_elsewhere(self.weight)

    def loss_elsewhere(self) -> dict[str, Any]:
        """The options of the loss, with the files in them as other processes name them; errors as of the weights."""
        named = {name: self.loss.get(name) for name in ARRAYS}
        return self.loss | {name: name_elsewhere(file) for name, file in named.items() if file is not None}


def _metrics(given: dict[str, Any]) -> dict[str, Any]:
    """What the values of METRIC_OPTIONS say to the policy; each of them asks for metrics, too."""
    asked = {name: given.pop(name, None) for name in ("metrics", "bytes", "calibrate", "worst", "by", "group")}
    is_asked = any(each is not None and each is not False and each != () for each in asked.values())
    grouping, expected = asked.pop("group"), claim(given.pop("expect_bpb", None))
    for path in (asked["bytes"], None if grouping is None else grouping.path):
        if isinstance(path, str) and path:
            check_input(path)
            name_inputs(path)
    told = {name: value for name, value in asked.items() if value is not None}
    return told | {"metrics": is_asked, "grouping": grouping, "expect_bpb": expected}


def _row_claims(path: str | None, typed: tuple[str, ...], *, by_row: bool) -> tuple[str | None, tuple[str, ...]] | None:
    """The claims about rows, as they were given; UsageError where there are no rows."""
    if typed and not by_row:
        raise UsageError("a claim about a row needs its loss", found="--expect-row", hint="--reduction none")
    if path is not None and typed:
        raise UsageError("the losses of rows are claimed twice", found="--expect FILE and --expect-row")
    if path is not None:
        _refuse_total(path)
        check_input(path)
        name_inputs(path)
    return (path, typed) if path is not None or typed else None


def _refuse_total(path: str) -> None:
    """UsageError for a number where a file of losses is asked for."""
    if exists(path):
        return
    try:
        claim(path)
    except UsageError:  # no number either: the file is missing, which is said elsewhere
        return
    raise UsageError(
        "without a reduction there is no total to expect",
        found=f"--reduction none and --expect {path}",
        hint=f"--expect-row ROW={path}, or a file with a loss for each sample",
    )


def problem_of(pair: tuple[Array, Array], weight: str | None, loss: dict[str, Any]) -> Problem:
    """The checked problem of logits and target with the values of LOSS_OPTIONS; reads the weight file."""
    from xentcli.question.problem import Options, Problem
    from xentcli.sources.open import open_array

    files = {"weight": weight} | {name: loss.get(name) for name in ARRAYS}
    read = {name: None if file is None else open_array(file, name) for name, file in files.items()}
    return Problem(*pair, Options(**loss | read))


def check_formats(forms: Iterable[str], reduction: str) -> None:
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
