"""Mistakes of a backward whose forward is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from xentcli.conform.cases import reports
from xentcli.conform.cases.layouts import laid_out

if TYPE_CHECKING:
    from xentcli.conform.judging.call import Call

Sloped = Callable[["Call"], "torch.Tensor | None"]  # [rows, classes]; None where a case has nothing to do with it

DROPPED = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
STOPS = tuple(1 << exponent for exponent in range(17))


@dataclass(frozen=True)
class Backward:
    """A mistake of the gradient alone."""

    code: str
    statement: str
    slope: Sloped
    why: str = ""
    known: tuple[str, ...] = ()


def _true(call: Call) -> torch.Tensor:
    return call.slope(call.result(call.losses()))


def _negated(call: Call) -> torch.Tensor:
    return -_true(call)


def _zero(call: Call) -> torch.Tensor:
    return torch.zeros_like(call.leaf)


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


BACKWARDS = {each.code: each for each in (
    Backward("gradient-sign", "the sign of the gradient is flipped", _negated),
    Backward("gradient-zero", "the gradient is 0", _zero),
    Backward("gradient-zero-for-none", 'the gradient of reduction="none" is 0', _of_zero_for_none,
             known=reports.ZERO_GRADIENT),
    Backward("gradient-without-upstream", "the gradient is not scaled by the upstream gradient", _without_upstream,
             known=reports.UPSTREAM),
    Backward("gradient-first-upstream", "all rows take the upstream gradient of the first", _first_upstream),
    Backward("gradient-upstream-read", "the strides of the upstream gradient are not looked at", _upstream_read,
             "of an expanded one, memory behind it is read", reports.EXPANDED),
    Backward("gradient-upstream-twice", "the gradient is scaled by the upstream gradient twice", _upstream_twice,
             "a second backward scales what the first one scaled in place", reports.TWICE),
    Backward("gradient-of-sum", "the gradient of the mean is that of the sum", _of_sum),
    Backward("gradient-of-mean", "the gradient of the sum is that of the mean", _of_mean),
    Backward("gradient-over-all-rows", "the gradient of the mean is divided by all rows, the ignored ones too",
             _over_rows),
    Backward("gradient-over-samples", "the gradient of a weighted mean is divided by the number of samples",
             _over_samples),
    Backward("gradient-without-weights", "the gradient has no weights", _without_weights),
    Backward("gradient-without-smoothing", "the gradient knows nothing of label smoothing", _without_smoothing),
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
