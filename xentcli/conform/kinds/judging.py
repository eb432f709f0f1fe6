"""An answer against the certified values of a call: within which grade, or wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xentcli.conform.judging.fitting import digits_of
from xentcli.conform.kinds.bounded import TRUTH, roundings
from xentcli.conform.kinds.call import LOSS
from xentcli.measuring.case import floats
from xentcli.numbers.precision import PRECISIONS
from xentcli.records.conformance import GRADES, Accuracy, CaseResult, Offence

if TYPE_CHECKING:
    import torch

    from xentcli.conform.kinds.asking import Answer
    from xentcli.conform.kinds.bounded import Floats
    from xentcli.conform.kinds.call import Call, Kind

KEPT = 256  # questions


@dataclass(frozen=True, eq=False)
class Certified:
    """One result of a call: the truth within `radius` of `value`, and the allowances of the grades."""

    value: Floats
    radius: Floats
    allowed: dict[str, Floats]  # without the radius


@lru_cache(maxsize=KEPT)
def certify(kind: Kind, call: Call, dtype: str) -> dict[str, Certified]:
    """All results of a call that is computed in a format; kept, as several implementations are asked the same."""
    truth = kind.formula(call, TRUTH)
    ways = {grade: kind.formula(call, how) for grade, how in roundings(dtype).items()}
    precision = PRECISIONS[dtype]
    return {
        name: Certified(
            found.value,
            found.error,
            {
                grade: way[name].error + precision.unit_roundoff * np.abs(_finite(found.value)) + precision.smallest
                for grade, way in ways.items()
            },
        )
        for name, found in truth.items()
    }


def judge(kind: Kind, call: Call, answer: Answer) -> CaseResult:
    """What came of a call."""
    blank = CaseResult(call.name, call.family, "fails")
    if answer.kind == "unsupported":
        return replace(blank, outcome="unsupported", reason=answer.said)
    if answer.kind != "value":
        return replace(blank, reason=answer.said)
    if answer.changed:
        return replace(blank, reason=f"it writes to its inputs: {', '.join(answer.changed)}")
    certified, grades = certify(kind, call, call.dtype), []
    for name, truth in certified.items():
        if name in kind.others and name not in answer.results:
            continue  # it returns the loss alone
        reason = _form_error(_said(name, kind), answer.results.get(name), truth, call)
        if reason:
            return replace(blank, reason=reason)
        values = floats(answer.results[name]).reshape(truth.value.shape)
        grade = next((each for each in GRADES if _within(values, truth, each).all()), None)
        if grade is None:
            offence = _offence(_said(name, kind), values, truth)
            return replace(blank, worst=offence, reason=f"the {_said(name, kind)} is not the certified one")
        grades.append(grade)
    values = floats(answer.results[LOSS]).reshape(certified[LOSS].value.shape)
    accuracy = _accuracy(values, certified[LOSS], call.dtype)
    return replace(blank, outcome="passes", grade=max(grades, key=GRADES.index), accuracy=accuracy)


def _said(name: str, kind: Kind) -> str:
    """What a result is called: a loss, another value that is returned, or a gradient."""
    return name if name in {LOSS, *kind.others} else f"gradient of {name}"


def _form_error(said: str, values: torch.Tensor | None, truth: Certified, call: Call) -> str:
    """What is wrong before any number is looked at."""
    if values is None:
        return f"the answer has no {said}"
    if tuple(values.shape) != truth.value.shape:
        return f"the {said} has shape {tuple(values.shape)}, not {truth.value.shape}"
    dtype = str(values.dtype).removeprefix("torch.")
    narrow = PRECISIONS.get(dtype)
    if narrow is None or narrow.bits < PRECISIONS[call.dtype].bits:
        return f"the {said} is {dtype}, of inputs that are {call.dtype}"
    return ""


def _within(values: Floats, truth: Certified, grade: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Inside the allowance, or the same infinity or NaN."""
    with np.errstate(invalid="ignore"):
        near = np.abs(values - truth.value) <= truth.allowed[grade] + truth.radius
    same = (values == truth.value) | (np.isnan(values) & np.isnan(truth.value))
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = near | same
    return inside


def _offence(what: str, values: Floats, truth: Certified) -> Offence:
    """Where the error is the most allowances."""
    allowed = truth.allowed[GRADES[-1]] + truth.radius
    with np.errstate(all="ignore"):
        share = np.where(_within(values, truth, GRADES[-1]), 0.0, np.abs(values - truth.value) / allowed)
    share = np.where(np.isnan(share), np.inf, share)
    at = np.unravel_index(int(share.argmax()), share.shape)
    numbers = (float(each[at]) for each in (values, truth.value, allowed))
    return Offence(what, tuple(map(int, at)), *numbers)


def _accuracy(values: Floats, certified: Certified, dtype: str) -> Accuracy:
    """How many digits of the finite, non-zero losses are right, and how many are the nearest of the format."""
    precision, truth = PRECISIONS[dtype], certified.value
    chosen = np.isfinite(values) & np.isfinite(truth) & (truth != 0.0)
    if not chosen.any():
        return Accuracy(0, 0, None, None)
    error = np.abs(values[chosen] - truth[chosen])
    halves = np.array([precision.ulp(each) for each in truth[chosen].tolist()]) / 2.0
    most = precision.bits * math.log10(2.0)
    digits = digits_of(error, truth[chosen], most)
    allowed = certified.allowed[GRADES[-1]] + certified.radius
    wanted = digits_of(allowed[chosen][digits.argmin()], truth[chosen][digits.argmin()], most)
    return Accuracy(
        int(chosen.sum()), int((error <= halves).sum()), float(digits.min()), float(np.median(digits)), float(wanted)
    )


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, 0.0)
