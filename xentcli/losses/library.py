"""The library path: `torch.nn.functional.cross_entropy`, called as the user would call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from xentcli.question.block import Block
    from xentcli.question.problem import Options, Reduction


def cross_entropy(block: Block, options: Options, reduction: Reduction = "none") -> torch.Tensor:
    """The loss as torch computes it: `log_softmax` over the class axis, then `nll_loss`.

    Differs from `manual` in that the logarithm is taken of the sum of exponentials and never of a probability,
    so that no probability can underflow.

    Shapes: logits [N, C, d1, ...] or [C]; the result is [N, d1, ...] or [] with reduction "none", else [].
    Unit: nats.  Source: torch's documentation of `CrossEntropyLoss`.

    >>> import torch
    >>> from xentcli.question.block import Block
    >>> from xentcli.question.problem import Options
    >>> confident_wrong = Block(torch.tensor([[0.0, 120.0]]), torch.tensor([0]), None, first_row=0)
    >>> cross_entropy(confident_wrong, Options()).item()
    120.0
    """
    return functional.cross_entropy(
        block.logits,
        block.target,
        weight=block.weight,
        ignore_index=options.ignore_index,
        reduction=reduction,
        label_smoothing=options.label_smoothing,
    )


@dataclass(frozen=True)
class SmoothedParts:
    """What torch makes of labels with smoothing before it puts both together; each of the samples' shape."""

    nll: torch.Tensor  # w[y] * -log p[y]
    smooth: torch.Tensor  # sum_c w[c] * -log p[c]; 0 where a sample does not count

    @classmethod
    def of(cls, block: Block, options: Options) -> SmoothedParts:
        logs, weight = torch.log_softmax(block.logits, block.class_dim), block.weight
        nll = functional.nll_loss(logs, block.target, weight, ignore_index=options.ignore_index, reduction="none")
        if weight is not None:
            logs = logs * weight.reshape(-1, *[1] * (logs.ndim - block.class_dim - 1))
        smooth = -logs.sum(block.class_dim)
        return cls(nll, smooth.masked_fill(block.target == options.ignore_index, 0.0))

    def part(self, start: int, stop: int) -> SmoothedParts:
        """Those of some entries of the first axis."""
        return SmoothedParts(self.nll[start:stop], self.smooth[start:stop]) if self.nll.ndim else self

    @classmethod
    def joined(cls, parts: list[SmoothedParts]) -> SmoothedParts:
        """Those of samples that follow one another."""
        return cls(torch.cat([each.nll for each in parts]), torch.cat([each.smooth for each in parts]))


def probabilities_total(block: Block, options: Options, *, mean: bool) -> torch.Tensor:
    """The sum or mean of target probabilities' losses, step by step as torch takes it: one sum over all products."""
    logs, target, weight = torch.log_softmax(block.logits, block.class_dim), block.target, block.weight
    if options.label_smoothing:
        target = target * (1 - options.label_smoothing) + options.label_smoothing / block.classes
    products = logs * target
    if weight is not None:
        products = products * weight.reshape(-1, *[1] * (logs.ndim - block.class_dim - 1))
    total = -products.sum()
    return total / (block.logits.numel() / block.classes) if mean else total


def smoothed(nll: torch.Tensor, smooth: torch.Tensor, smoothing: float, classes: int) -> torch.Tensor:
    """Both parts as torch puts them together, of each sample or reduced."""
    return (1 - smoothing) * nll + smooth * (smoothing / classes)
