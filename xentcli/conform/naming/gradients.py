"""Mistakes of a backward whose forward is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from xentcli.conform.cases import reports
from xentcli.conform.cases.layouts import laid_out
from xentcli.conform.naming import variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.cases.case import Variable
    from xentcli.conform.judging.call import Call

Sloped = Callable[["Call"], "torch.Tensor | None"]  # [rows, classes]; None where a case has nothing to do with it

DROPPED = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
STOPS = tuple(1 << exponent for exponent in range(17))
LOGITS: tuple[Variable, ...] = ("logits",)
EVERY: tuple[Variable, ...] = ("logits", "target", "weight")


@dataclass(frozen=True)
class Backward:
    """A mistake of the gradient alone.

    of    what gradients it is a mistake of
    """

    code: str
    statement: str
    slope: Sloped
    why: str = ""
    known: tuple[str, ...] = ()
    of: tuple[Variable, ...] = LOGITS


def _true(call: Call) -> torch.Tensor:
    is_of_logits = call.inputs.variable == "logits"
    return call.slope(call.result(call.losses())) if is_of_logits else variables.slope_of(call)


def _negated(call: Call) -> torch.Tensor:
    return -_true(call)


def _zero(call: Call) -> torch.Tensor:
    return torch.zeros_like(_true(call))


def _halved(call: Call) -> torch.Tensor:
    return _true(call) / 2.0


def _without_upstream(call: Call) -> torch.Tensor | None:
    return _with_upstream(call, None)


def _first_upstream(call: Call) -> torch.Tensor | None:
    upstream = call.inputs.upstream
    if upstream is None or upstream.numel() < 2:
        return None
    return _with_upstream(call, upstream.double().reshape(-1)[:1])


def _upstream_read(call: Call) -> torch.Tensor | None:
    """As memory has it: of one number that is expanded, what lies behind it, here 0."""
    given, layout = call.inputs.upstream, call.case.layout.get("upstream", "contiguous")
    if call.case.reduction != "none" or (given is not None and layout == "contiguous"):
        return None
    rows = len(call.leaf)
    laid = torch.ones(()).expand(rows) if given is None else laid_out(given, layout)
    stored = torch.empty(0, dtype=laid.dtype).set_(laid.untyped_storage())[laid.storage_offset() :]
    read = torch.zeros(rows, dtype=torch.float64)
    read[: len(stored[:rows])] = stored[:rows].double()
    return call.slope(call.result(call.losses()), read)


def _upstream_twice(call: Call) -> torch.Tensor | None:
    upstream = call.inputs.upstream
    if upstream is None or call.case.gradient < 2:
        return None
    return _with_upstream(call, upstream.double().reshape(-1) ** 2)


def _with_upstream(call: Call, upstream: torch.Tensor | None) -> torch.Tensor | None:
    if call.inputs.upstream is None:
        return None
    if call.inputs.variable != "logits":
        return variables.slope_of(call, torch.ones(1, dtype=torch.float64) if upstream is None else upstream)
    result = call.result(call.losses())
    return call.slope(result, torch.ones_like(result) if upstream is None else upstream.expand(len(result)))


def _of_sum(call: Call) -> torch.Tensor | None:
    return _true(call) * call.divisor if call.case.reduction == "mean" else None


def _of_mean(call: Call) -> torch.Tensor | None:
    return _true(call) / call.divisor if call.case.reduction == "sum" and call.divisor else None


def _over_rows(call: Call) -> torch.Tensor | None:
    """Divided by all rows, the ignored ones too."""
    return _true(call) * call.divisor / len(call.leaf) if call.case.reduction == "mean" and len(call.leaf) else None


def _over_samples(call: Call) -> torch.Tensor | None:
    counted = float(call.counted.count_nonzero())
    if not call.weighted or call.case.reduction != "mean" or not counted:
        return None
    return _true(call) * call.divisor / counted


def _of_zero_for_none(call: Call) -> torch.Tensor | None:
    return torch.zeros_like(call.leaf) if call.case.reduction == "none" else None


def _without_weights(call: Call) -> torch.Tensor | None:
    if not call.weighted:
        return None
    smoothed = (1.0 - call.smoothing) * call.targets() + call.smoothing / call.classes
    return call.slope(call.result(call.losses(coefficients=smoothed)))


def _without_smoothing(call: Call) -> torch.Tensor | None:
    if call.inputs.variable != "logits":
        return variables.without_smoothing(call)
    return call.slope(call.result(call.losses(coefficients=call.coefficients(0.0)))) if call.smoothing else None


def _logits(call: Call) -> torch.Tensor:
    return call.leaf.detach()


def _softmax(call: Call) -> torch.Tensor:
    """The probabilities, of which no target was taken away."""
    return torch.softmax(call.leaf.detach(), 1)


def _unscaled(call: Call) -> torch.Tensor:
    """p − y, whatever the reduction, the weights and upstream."""
    return torch.where(call.counted[:, None], torch.softmax(call.rows.detach(), 1) - call.targets(), 0.0)


def _dropped(limit: float, call: Call) -> torch.Tensor:
    slope = _true(call)
    return torch.where(slope.abs() < limit, 0.0, slope)


def _classes_before(stop: int, call: Call) -> torch.Tensor | None:
    return _true(call) * (torch.arange(call.classes) < stop) if call.classes > stop else None


def _rows_before(stop: int, call: Call) -> torch.Tensor | None:
    return _true(call) * (torch.arange(len(call.leaf)) < stop)[:, None] if len(call.leaf) > stop else None


def _of_one_variable() -> Iterator[Backward]:
    """Mistakes with respect to target probabilities, or to weights, where the logits' gradient is right."""
    subjects: dict[Variable, str] = {"target": "target probabilities", "weight": "weights"}
    for variable, subject in subjects.items():
        code, start, only = f"{variable}-gradient", f"the gradient with respect to {subject}", (variable,)
        yield Backward(f"{code}-sign", f"the sign of {start} is flipped", _negated, of=only)
        yield Backward(f"{code}-zero", f"{start} is 0", _zero, of=only)
        yield Backward(f"{code}-halved", f"{start} is half of what it should be", _halved, of=only)
        yield Backward(
            f"{code}-without-upstream",
            f"{start} is not scaled by the upstream gradient",
            _without_upstream,
            known=reports.UPSTREAM,
            of=only,
        )
        yield Backward(f"{code}-of-sum", f"{start} of the mean is that of the sum", _of_sum, of=only)
        yield Backward(
            f"{code}-without-smoothing",
            f"{start} knows nothing of label smoothing",
            variables.without_smoothing,
            of=only,
        )
    yield Backward(
        "target-gradient-without-weights",
        "the gradient with respect to target probabilities has no weights",
        variables.without_weights,
        of=("target",),
    )
    yield Backward(
        "target-gradient-of-shares",
        "the gradient with respect to target probabilities is that of their shares of their sum",
        variables.of_shares,
        "the loss does not divide by that sum",
        reports.NORMALISED,
        ("target",),
    )
    yield Backward(
        "weight-gradient-constant-divisor",
        "what a weighted mean divides by has no gradient",
        variables.constant_divisor,
        "it is a sum of weights, too",
        reports.WEIGHTED_MEAN,
        ("weight",),
    )
    yield Backward(
        "weight-gradient-constant-smoothing",
        "the weights of the smooth part have no gradient",
        variables.constant_smoothing,
        "each class has its weight there, too",
        reports.SMOOTHING_WEIGHTED,
        ("weight",),
    )
    yield Backward(
        "weight-gradient-of-ignored",
        "ignored rows count in the gradient with respect to weights",
        variables.of_ignored,
        "as rows of class 0",
        reports.IGNORED_DENOMINATOR,
        ("weight",),
    )


BACKWARDS = {each.code: each for each in (
    *_of_one_variable(),
    Backward("gradient-sign", "the sign of the gradient is flipped", _negated, of=EVERY),
    Backward("gradient-zero", "the gradient is 0", _zero, of=EVERY),
    Backward("gradient-zero-for-none", 'the gradient of reduction="none" is 0', _of_zero_for_none,
             known=reports.ZERO_GRADIENT),
    Backward("gradient-without-upstream", "the gradient is not scaled by the upstream gradient", _without_upstream,
             known=reports.UPSTREAM, of=EVERY),
    Backward("gradient-first-upstream", "all rows take the upstream gradient of the first", _first_upstream, of=EVERY),
    Backward("gradient-upstream-read", "the strides of the upstream gradient are not looked at", _upstream_read,
             "of an expanded one, memory behind it is read", reports.EXPANDED),
    Backward("gradient-upstream-twice", "the gradient is scaled by the upstream gradient twice", _upstream_twice,
             "a second backward scales what the first one scaled in place", reports.TWICE),
    Backward("gradient-of-sum", "the gradient of the mean is that of the sum", _of_sum, of=EVERY),
    Backward("gradient-of-mean", "the gradient of the sum is that of the mean", _of_mean, of=EVERY),
    Backward("gradient-over-all-rows", "the gradient of the mean is divided by all rows, the ignored ones too",
             _over_rows),
    Backward("gradient-over-samples", "the gradient of a weighted mean is divided by the number of samples",
             _over_samples),
    Backward("gradient-without-weights", "the gradient has no weights", _without_weights),
    Backward("gradient-without-smoothing", "the gradient knows nothing of label smoothing", _without_smoothing,
             of=EVERY),
    Backward("gradient-is-logits", "the gradient is the logits themselves", _logits),
    Backward("gradient-is-softmax", "the gradient is the softmax, from which no target is taken away", _softmax),
    Backward("gradient-unscaled", "the gradient is p - y, whatever it should be scaled by", _unscaled),
    *(Backward(f"gradient-dropped-{limit:g}", f"gradients below {limit:g} become 0", partial(_dropped, limit))
      for limit in DROPPED),
    *(Backward(f"gradient-of-{stop}-classes", f"the gradient is 0 from class {stop:,} on",
               partial(_classes_before, stop)) for stop in STOPS),
    *(Backward(f"gradient-of-{stop}-rows", f"the gradient is 0 from row {stop:,} on",
               partial(_rows_before, stop)) for stop in STOPS),
)}  # fmt: skip
