"""A call of cross-entropy in pieces, in float64, each of which others may take otherwise, or get wrong."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs


class Call:
    """The pieces of a loss, in float64; `leaf` is what its gradient is with respect to."""

    def __init__(self, case: Case, inputs: Inputs) -> None:
        block = inputs.block
        self.case, self.inputs, self.classes = case, inputs, block.classes
        self.smoothing = case.label_smoothing
        self.leaf = rows_of(block.logits, block.class_dim).requires_grad_(bool(case.gradient))  # [rows, classes]
        self.weighted = block.weight is not None
        self.weight = torch.ones(self.classes, dtype=torch.float64) if block.weight is None else block.weight.double()
        self.batch = block.sample_shape[0] if block.sample_shape else 1
        self.labels = block.target.reshape(-1) if block.has_labels else None
        self.target = None if block.has_labels else rows_of(block.target, block.class_dim)
        if self.labels is not None:
            self.counted = self.labels != case.ignore_index
            self.safe = self.labels.masked_fill(~self.counted, 0).clamp(0, self.classes - 1)
            self.divisor = float(self.weight[self.safe][self.counted].sum())
        else:
            self.counted = torch.ones(len(self.leaf), dtype=torch.bool)
            self.divisor = float(len(self.leaf))

    @property
    def raw_labels(self) -> torch.Tensor:
        """The labels as they were given; none where there are probabilities."""
        return torch.empty(0, dtype=torch.int64) if self.labels is None else self.labels

    @cached_property
    def rows(self) -> torch.Tensor:
        """The logits, whose gradient is asked for; zeros in rows that do not count, so that nothing of them spreads."""
        return torch.where(self.counted[:, None], self.leaf, 0.0)

    @cached_property
    def logs(self) -> torch.Tensor:
        """−log p; [rows, classes]."""
        return -torch.log_softmax(self.rows, 1)

    def losses(
        self,
        *,
        logs: torch.Tensor | None = None,
        coefficients: torch.Tensor | None = None,
        counted: torch.Tensor | None = None,
        smoothing: float | None = None,
        zero_times_infinity: float = math.nan,
    ) -> torch.Tensor:
        """The samples' losses, with some pieces changed; [rows]."""
        share = self.smoothing if smoothing is None else smoothing
        factors = self.coefficients(share) if coefficients is None else coefficients
        terms = factors * (self.logs if logs is None else logs)
        if not math.isnan(zero_times_infinity):
            terms = torch.where(factors == 0.0, zero_times_infinity, terms)
        elif self.labels is not None and not share:  # a label is gathered, and multiplies nothing by zero
            terms = torch.where(factors == 0.0, 0.0, terms)
        return torch.where(self.counted if counted is None else counted, terms.sum(1), 0.0)

    def with_infinite_logits(self) -> torch.Tensor:
        """The limit of the losses as infinite logits of other classes grow; [rows]."""
        infinite = self.leaf.isposinf().any(1)
        own = self.leaf.gather(1, self.safe[:, None])[:, 0]
        return torch.where(infinite & own.isfinite() & self.counted, torch.inf, self.losses())

    def coefficients(self, smoothing: float | None = None) -> torch.Tensor:
        """a_c as torch has them; [rows, classes]."""
        share = self.smoothing if smoothing is None else smoothing
        return self.weight * ((1.0 - share) * self.targets() + share / self.classes)

    def targets(self) -> torch.Tensor:
        """The target as probabilities; [rows, classes]."""
        return self.one_hot(self.safe) if self.target is None else self.target

    def one_hot(self, labels: torch.Tensor) -> torch.Tensor:
        """The labels, each of which is a class, as probabilities."""
        return torch.nn.functional.one_hot(labels, self.classes).double()

    def result(self, losses: torch.Tensor, divisor: float | None = None) -> torch.Tensor:
        """The reduction that the case asks for, by another divisor if given; flat."""
        if self.case.reduction == "none":
            return losses
        by = 1.0 if self.case.reduction == "sum" else (self.divisor if divisor is None else divisor)
        return (losses.sum() / by if by else losses.sum() * math.nan).reshape(1)

    def slope(self, result: torch.Tensor, upstream: torch.Tensor | None = None) -> torch.Tensor:
        """The gradient of a result with respect to the logits, [rows, classes], by the upstream gradient asked."""
        given = self.upstream(len(result)) if upstream is None else upstream
        (slope,) = torch.autograd.grad(result, self.leaf, given, retain_graph=True, allow_unused=True)
        return torch.zeros_like(self.leaf) if slope is None else slope

    def upstream(self, results: int) -> torch.Tensor:
        """What the gradient of each result is multiplied by."""
        given = self.inputs.upstream
        ones = torch.ones(results, dtype=torch.float64)
        return ones if given is None else given.double().reshape(-1).expand(results)


def rows_of(values: torch.Tensor, axis: int) -> torch.Tensor:
    """[N, C, d1, ...] in float64 as [rows, classes]."""
    return values.detach().double().movedim(axis, -1).reshape(-1, values.shape[axis]).clone()
