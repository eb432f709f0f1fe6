"""Computed in a narrower dtype: every number of the answer is one of that dtype's, and right for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.conform.judging.certified import certify
from xentcli.conform.judging.slopes import certify_slope
from xentcli.numbers.precision import PRECISIONS
from xentcli.records.conformance import GRADES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.cases.case import Inputs
    from xentcli.conform.judging.certified import Floats
    from xentcli.conform.judging.judge import Question

NARROWER = {"float64": ("float32", "bfloat16", "float16"), "float32": ("bfloat16", "float16")}
CODE, SLOPE_CODE = "computed-in-", "gradient-in-"
MOST_ENTRIES = 1 << 17
FEW = 4.0


def code(narrow: str, what: str) -> str:
    """The name of a loss, or of a gradient alone, that is no better than a dtype."""
    return f"{CODE if what == 'loss' else SLOPE_CODE}{narrow}"


def narrow_codes(question: Question, values: Floats, what: str) -> list[str]:
    """The dtypes that the numbers of a loss, or of a gradient, show by their digits; the widest alone."""
    wide = question.inputs.dtype
    found = (narrow for narrow in NARROWER.get(wide, ()) if _is_of(question, values, what, narrow))
    kinds = ("loss", "gradient") if what == "gradient" else ("loss",)
    return [code(narrow, kind) for narrow in list(found)[:1] for kind in kinds]


def narrow_tells(question: Question, narrow: str, what: str) -> bool:
    """Whether an answer rounded to the dtype cannot pass."""
    certified, slope = question.certified, question.slope
    if what == "loss" and certified is not None:
        allowed = certified.allowed[GRADES[-1]] + certified.radius
        return _is_away(certified.value, allowed, narrow)
    return slope is not None and _is_away(slope.value, slope.allowed[GRADES[-1]], narrow)


def _is_away(truth: Floats, allowed: Floats, narrow: str) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.abs(_rounded(truth, narrow) - truth) > FEW * allowed).any())


def _is_of(question: Question, values: Floats, what: str, narrow: str) -> bool:
    known = values[np.isfinite(values)]
    if (
        not known.size
        or question.inputs.logits.numel() > MOST_ENTRIES
        or not np.array_equal(_rounded(known, narrow), known)
    ):
        return False
    return any(_is_near(values, *ends, narrow) for ends in _truths(question, what, narrow))


def _truths(question: Question, what: str, narrow: str) -> Iterator[tuple[Floats, Floats]]:
    """The truth and its allowance: of the numbers as they were given, and as the dtype has them."""
    for inputs in (question.inputs, _narrowed(question.inputs, narrow)):
        if not torch.equal(inputs.logits.isfinite(), question.inputs.logits.isfinite()):
            return
        certified = certify(question.case, inputs)
        if what == "gradient":
            slope = certify_slope(question.case, inputs, certified)
            yield slope.value, slope.allowed[GRADES[-1]]
        else:
            yield certified.value, certified.allowed[GRADES[-1]]


def _is_near(values: Floats, truth: Floats, allowed: Floats, narrow: str) -> bool:
    unit = float(PRECISIONS[narrow].unit_roundoff)
    with np.errstate(invalid="ignore"):
        near = np.abs(values - truth) <= 2.0 * allowed + FEW * unit * np.abs(truth)
    return bool((near | (np.isnan(values) & np.isnan(truth)) | np.isinf(values)).all())


def _narrowed(inputs: Inputs, narrow: str) -> Inputs:
    kind = getattr(torch, narrow)
    arrays = {name: each.to(kind) if each.is_floating_point() else each for name, each in inputs.named().items()}
    return replace(inputs, logits=arrays["logits"], target=arrays["target"], weight=arrays.get("weight"),
                   upstream=arrays.get("upstream"))  # fmt: skip


def _rounded(values: Floats, narrow: str) -> Floats:
    rounded: Floats = torch.from_numpy(np.ascontiguousarray(values)).to(getattr(torch, narrow)).double().numpy()
    return rounded
