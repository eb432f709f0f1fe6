"""How doubles are put together: a right function, and others that differ from it in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.doubles.cast import Double

if TYPE_CHECKING:
    from torch import Tensor

Function = Callable[..., Any]


def wrong(family: str, function: Function) -> Double:
    """A double by the name and the docstring of its function."""
    what = (function.__doc__ or "").rstrip(".")
    return Double(function.__name__.replace("_", "-"), what, function, family)


def right(function: Function) -> Double:
    """A correct one."""
    return wrong("", function)


def wide(values: Tensor) -> Tensor:
    """In float32 at least."""
    return values.float() if values.element_size() == 2 else values


def counted(losses: Tensor, target: Tensor, reduction: str, ignore_index: int) -> Tensor:
    """Losses of samples, 0 where they do not count, reduced."""
    kept = target != ignore_index
    losses = torch.where(kept, losses, torch.zeros_like(losses))
    return reduced(losses, reduction, kept.sum())


def reduced(losses: Tensor, reduction: str, divisor: Tensor | float) -> Tensor:
    """The sum over a divisor for a mean of any name."""
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / divisor


def plain(logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """The losses of samples whose labels may be ignored."""
    return torch.nn.functional.cross_entropy(logits, target, reduction="none", ignore_index=ignore_index)
