"""A code shown on its example, with numbers computed on the spot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.diagnose.causes.grammar import guesses
from xentcli.errors import XentError
from xentcli.question.claims import Claim
from xentcli.question.policy import Policy, user_tolerance
from xentcli.question.problem import Options, Problem
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.diagnose.code import Call, Code
    from xentcli.records.report import Cause, Finding, Report

DIGITS = 7  # a claim is printed in


@dataclass(frozen=True)
class Shown:
    """A code, the report on its example, and what the report says of it: a finding, or the cause of a claim."""

    code: Code
    report: Report
    said: Finding | Cause


def show(code: Code) -> Shown:
    """The example of a code, run; an XentError if it does not show the code, which would be a bug."""
    problem = problem_of(code.example)
    claim = claimed(code.code, problem) if code.kind == "cause" else None
    report = run(problem, policy_of(code.example, claim))
    said: tuple[Finding | Cause, ...] = report.findings
    if claim is not None:
        said = (report.expectation.causes if report.expectation else None) or ()
    for one in said:
        if one.code == code.code:
            return Shown(code, report, one)
    raise XentError(f"the example of {code.code} does not show it")


def problem_of(call: Call) -> Problem:
    """The input of an example."""
    loss: dict[str, Any] = {
        name: call[name]
        for name in ("ignore_index", "label_smoothing", "reduction", "class_axis", "dtype", "input", "z_loss")
        if name in call
    }
    loss |= {name: from_memory(call[name], name) for name in ("weight", "head", "bias") if name in call}
    return Problem(from_memory(call["logits"], "logits"), from_memory(call["labels"], "labels"), Options(**loss))


def policy_of(call: Call, claim: str | None) -> Policy:
    """How an example is judged."""
    tolerance = user_tolerance(call.get("rtol"), call.get("atol"))
    return Policy(tolerance=tolerance, expect=None if claim is None else Claim.parse(claim), rows=8)


def claimed(code: str, problem: Problem) -> str:
    """The wrong loss that a mistake makes of a problem, as somebody would print it."""
    report = run(problem, Policy(rows=0))
    reference = report.losses.reference
    truth = math.nan if reference is None or reference.lower is None else reference.lower
    if code in MISPRINTED:
        return MISPRINTED[code](truth)
    wrong = sorted((guess for guess in guesses(problem) if guess.code == code), key=lambda guess: guess.rarity)
    return next(text for guess in wrong if _differs(text := printed(guess.value), truth))


def printed(value: float) -> str:
    """A number in so many significant digits."""
    return f"{value:#.{DIGITS}g}".rstrip(".") if math.isfinite(value) else str(value)


def _differs(text: str, truth: float) -> bool:
    """Whether it is another number than the truth, by more than a few units in the last digit."""
    value = float(text)
    return not math.isfinite(value) or abs(value - truth) > 10.0 ** (2 - DIGITS) * abs(truth)


MISPRINTED: dict[str, Callable[[float], str]] = {
    "float32-digits": lambda truth: repr(float(np.float32(truth))),
    "float64-digits": lambda truth: repr(math.nextafter(truth, math.inf)),
    "last-digit": lambda truth: f"{float(f'{truth:.4f}') + 1e-4:.4f}",
}
