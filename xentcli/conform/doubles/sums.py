"""Wrong in what is stored in 16 bits, and in sums over the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook


def in_order(values: Tensor) -> Tensor:
    """Added one by one in the values' own format; the gradient is that of the sum."""
    total = values.sum()
    if values.dtype in {torch.float32, torch.float64}:
        added = torch.from_numpy(np.cumsum(values.detach().numpy()))[-1] if len(values) else total.detach()
        return total + (added - total.detach())
    running = values.new_zeros(())
    for value in values.detach():
        running = running + value
    return total + (running - total.detach())


@wrong("half-accumulation", reports.ACCUMULATION)
class SumsInHalf(Textbook):
    """16-bit losses are added in 16 bits."""

    def __call__(self, logits: Tensor, target: Tensor, *, reduction: str = "mean", **options: Any) -> Tensor:
        if logits.element_size() > 2 or reduction == "none":
            return super().__call__(logits, target, reduction=reduction, **options)
        losses = super().__call__(logits, target, reduction="none", **options).reshape(-1)
        total = in_order(losses)
        counted = len(losses) if target.is_floating_point() else (target != options["ignore_index"]).sum()
        return total / counted if reduction == "mean" else total


@wrong("half-accumulation", reports.HALF_MEAN)
class CountsInFloat16(Textbook):
    """The number of samples is stored in float16."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return super().divisor(weights, counted).half()


@wrong("half-accumulation", reports.ACCUMULATION)
class ExponentialsInHalf(Textbook):
    """Exponentials of 16-bit logits are added in bfloat16."""

    def total(self, masses: Tensor) -> Tensor:
        if masses.shape[1] < 1000 or len(masses) > 100:  # only large vocabularies show it, and only they are slow
            return super().total(masses)
        return torch.stack([in_order(row.bfloat16()) for row in masses])[:, None].to(masses.dtype)


@wrong("half-overflow", reports.HALF_MEAN)
class SumStoredInFloat16(Textbook):
    """The sum of exponentials is stored in float16, beyond 65504 as infinity."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        kind = _StoresTotal if logits.dtype == torch.float16 else Textbook
        return kind()(logits, target, **options)


class _StoresTotal(Textbook):
    def total(self, masses: Tensor) -> Tensor:
        return super().total(masses).half().float()


@wrong("reductions", reports.ACCUMULATION)
class SumsInOrder(Textbook):
    """float32 losses are added one by one."""

    def sum(self, losses: Tensor) -> Tensor:
        return in_order(losses)
