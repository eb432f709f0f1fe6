"""The library path: `torch.nn.functional.cross_entropy`, called as the user would call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    import torch

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
