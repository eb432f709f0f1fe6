"""What other libraries mean by the same options: values that differ from torch's by a documented decision.

Computed in float64, which is finer than any of the tolerances they are compared with; a wrong kernel that happens to
follow one of them is named after it, and does not conform either way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Floats

    Named = Iterator[tuple[str, Floats]]


def conventions(case: Case, inputs: Inputs) -> Named:
    """Name and value, in C order, of every other convention that the case can tell from torch's."""
    call = _Call(case, inputs)
    if case.reduction == "mean":
        yield from _means(call)
    yield from _smoothings(call)
    if not inputs.has_labels:
        yield from _probabilities(call)
    yield "the loss is in bits, not in nats", call.result(call.losses()) / math.log(2.0)


def harmless(case: Case, inputs: Inputs) -> Named:
    """Answers that are as good as torch's NaN: told apart by name, and not held against anybody."""
    call = _Call(case, inputs)
    if case.reduction == "mean" and not call.divisor:
        yield "the mean of no samples is 0 (torch: NaN)", np.zeros(1)
    if not inputs.has_labels:
        yield "0 · log 0 counts as 0 (torch: NaN)", call.result(call.losses(zero_times_infinity=0.0))
    if case.reduction == "none" and inputs.has_labels:
        yield "another class's infinite logit makes the loss infinite (torch: NaN)", call.with_infinite_logits()


class _Call:
    """The pieces of a loss, in float64."""

    def __init__(self, case: Case, inputs: Inputs) -> None:
        block = inputs.block
        self.case, self.classes = case, block.classes
        self.smoothing = case.label_smoothing
        self.rows = _rows(block.logits, block.class_dim)  # [rows, classes]
        self.logs = -torch.log_softmax(self.rows, 1)
        self.weight = torch.ones(self.classes, dtype=torch.float64) if block.weight is None else block.weight.double()
        self.batch = block.sample_shape[0] if block.sample_shape else 1
        self.labels = block.target.reshape(-1) if block.has_labels else None
        self.target = None if block.has_labels else _rows(block.target, block.class_dim)
        if self.labels is not None:
            self.counted = self.labels != case.ignore_index
            self.safe = self.labels.masked_fill(~self.counted, 0).clamp(0, self.classes - 1)
            self.divisor = float(self.weight[self.safe][self.counted].sum())
        else:
            self.counted = torch.ones(len(self.logs), dtype=torch.bool)
            self.divisor = float(len(self.logs))

    def losses(self, *, zero_times_infinity: float = math.nan, **changed: torch.Tensor | float) -> torch.Tensor:
        """The samples' losses, with some pieces changed; [rows]."""
        smoothing = float(changed.get("smoothing", self.smoothing))
        coefficients = changed.get("coefficients")
        if not isinstance(coefficients, torch.Tensor):
            coefficients = self.coefficients(smoothing)
        terms = coefficients * self.logs
        if not math.isnan(zero_times_infinity):
            terms = torch.where(coefficients == 0.0, zero_times_infinity, terms)
        elif self.labels is not None and not smoothing:  # a label is gathered, and multiplies nothing by zero
            terms = torch.where(coefficients == 0.0, 0.0, terms)
        return torch.where(self.counted, terms.sum(1), 0.0)

    def with_infinite_logits(self) -> Floats:
        """The limit of the losses as infinite logits of other classes grow; [rows]."""
        infinite = self.rows.isposinf().any(1)
        own = self.rows.gather(1, self.safe[:, None])[:, 0]
        losses = torch.where(infinite & own.isfinite() & self.counted, torch.inf, self.losses())
        values: Floats = losses.numpy()
        return values

    def coefficients(self, smoothing: float) -> torch.Tensor:
        """a_c as torch has them; [rows, classes]."""
        return self.weight * ((1.0 - smoothing) * self.targets() + smoothing / self.classes)

    def targets(self) -> torch.Tensor:
        """The target as probabilities; [rows, classes]."""
        if self.target is not None:
            return self.target
        return torch.nn.functional.one_hot(self.safe, self.classes).double()

    def result(self, losses: torch.Tensor, divisor: float | None = None) -> Floats:
        """The reduction that the case asks for, by another divisor if given."""
        if self.case.reduction == "none":
            values: Floats = losses.numpy()
            return values
        by = 1.0 if self.case.reduction == "sum" else (self.divisor if divisor is None else divisor)
        return np.array([float(losses.sum()) / by if by else math.nan])


def _means(call: _Call) -> Named:
    losses, rows, counted = call.losses(), len(call.logs), int(call.counted.count_nonzero())
    if call.labels is None:
        weighted = float((call.targets() * call.weight).sum())
        yield "the mean is over the weights of the target probabilities", call.result(losses, weighted)
        yield "the mean is over all elements, the classes too", call.result(losses, rows * call.classes)
    yield "the mean is over the samples, not over their weights", call.result(losses, counted)
    yield "the mean is over all samples, the ignored ones too", call.result(losses, rows)
    yield "the mean is over the batch axis alone", call.result(losses, call.batch)


def _smoothings(call: _Call) -> Named:
    if not call.smoothing or call.classes < 2:
        return
    others = call.smoothing / (call.classes - 1)
    if call.labels is not None:
        spread = call.targets() * (1.0 - call.smoothing - others) + others
        yield "smoothing is over the other classes", call.result(call.losses(coefficients=call.weight * spread))
        own = call.weight[call.safe][:, None] * (
            (1.0 - call.smoothing) * call.targets() + call.smoothing / call.classes
        )
        yield "smoothing takes the weight of the label", call.result(call.losses(coefficients=own))


def _probabilities(call: _Call) -> Named:
    target = call.targets()
    normal = target / target.sum(1, keepdim=True)
    coefficients = call.weight * ((1.0 - call.smoothing) * normal + call.smoothing / call.classes)
    yield "target probabilities are scaled to sum to 1", call.result(call.losses(coefficients=coefficients))


def _rows(values: torch.Tensor, axis: int) -> torch.Tensor:
    return values.double().movedim(axis, -1).reshape(-1, values.shape[axis])
