"""The library path: `torch.nn.functional.cross_entropy`, called as the user would call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xentcli.losses.machine import VECTORS, takes_steps_of_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.numbers.given import Form
    from xentcli.question.block import Block
    from xentcli.question.problem import Options, Reduction

LOGARITHMS: dict[Form, Callable[[Block], torch.Tensor]] = {
    "logits": lambda block: torch.log_softmax(block.logits, block.class_dim),
    "log-probabilities": lambda block: block.logits,
    "probabilities": lambda block: block.logits.log(),
    "binary": lambda block: functional.logsigmoid(_both_signs(block)),
}


def _both_signs(block: Block) -> torch.Tensor:
    """−z and z, of the logits' shape."""
    logit = block.logits.select(block.class_dim, 1)
    return torch.stack([-logit, logit], block.class_dim)


def logarithms(block: Block) -> torch.Tensor:
    """log p of every class, of the logits' shape: by log_softmax, as it is given, or of the given p."""
    return LOGARITHMS[block.given](block)


def cross_entropy(block: Block, options: Options, reduction: Reduction = "none") -> torch.Tensor:
    """The loss as torch computes it: `log_softmax` over the class axis, then `nll_loss`.

    Differs from `manual` in that the logarithm is taken of the sum of exponentials and never of a probability,
    so that no probability can underflow.  Of log-probabilities and probabilities it is `nll_loss` alone, and what
    `cross_entropy` does after its log_softmax with smoothing and target probabilities.

    Shapes: logits [N, C, d1, ...] or [C]; the result is [N, d1, ...] or [] with reduction "none", else [].
    Unit: nats.  Source: torch's documentation of `CrossEntropyLoss`.

    >>> import torch
    >>> from xentcli.question.block import Block
    >>> from xentcli.question.problem import Options
    >>> confident_wrong = Block(torch.tensor([[0.0, 120.0]]), torch.tensor([0]), None, first_row=0)
    >>> cross_entropy(confident_wrong, Options()).item()
    120.0
    """
    if block.given == "binary":
        return binary_cross_entropy(block, reduction)
    if block.given != "logits":
        return _of_logarithms(block, options, reduction)
    return _called(block.logits, block.target, block, options, reduction)


def each_sample(block: Block, options: Options) -> torch.Tensor:
    """The losses that `cross_entropy` gives with reduction "none", bit for bit, by torch's quickest kernel for them.

    Few classes behind one another are added one by one, as are classes that have samples behind them: where this
    machine's torch rounds both alike, it is called on [1, C, N], whose vectors hold samples in the place of classes.
    Samples that fill no vector are left to the ordinary call, as torch has another exponential for them.

    Shapes: logits [N, C] or as for `cross_entropy`.
    """
    plain = block.given == "logits" and block.has_labels and not options.label_smoothing and block.logits.ndim == 2
    filling = len(block.logits) // VECTORS * VECTORS if plain else 0
    if not filling or not takes_steps_of_rows(block.logits.dtype, block.classes, block.logits.device):
        return cross_entropy(block, options)
    first, rest = block.part(0, filling), block.part(filling, block.samples)
    losses = _called(first.logits.T[None], first.target[None], block, options, "none")[0]
    return torch.cat([losses, cross_entropy(rest, options)]) if rest.samples else losses


def _called(
    logits: torch.Tensor, target: torch.Tensor, block: Block, options: Options, reduction: Reduction
) -> torch.Tensor:
    return functional.cross_entropy(
        logits,
        target,
        weight=block.weight,
        ignore_index=options.ignore_index,
        reduction=reduction,
        label_smoothing=options.label_smoothing,
    )


def binary_cross_entropy(block: Block, reduction: Reduction = "none") -> torch.Tensor:
    """The loss of one logit z a sample: `binary_cross_entropy_with_logits`, whose pos_weight is the weight of class 1.

    >>> import torch
    >>> from xentcli.question.block import Block
    >>> z = torch.tensor([-18.6, 0.51, 2.94, -12.8])
    >>> block = Block(torch.stack([0 * z, z], 1), torch.tensor([0, 1, 0, 0]), None, first_row=0, given="binary")
    >>> round(binary_cross_entropy(block, "mean").item(), 6)
    0.865458
    """
    logit = block.logits.select(block.class_dim, 1)
    target = block.target.to(logit.dtype) if block.has_labels else block.target.select(block.class_dim, 1)
    weight = None if block.weight is None else block.weight[1]
    return functional.binary_cross_entropy_with_logits(logit, target, pos_weight=weight, reduction=reduction)


@dataclass(frozen=True)
class SmoothedParts:
    """What torch makes of labels with smoothing before it puts both together; each of the samples' shape."""

    nll: torch.Tensor  # w[y] * -log p[y]
    smooth: torch.Tensor  # sum_c w[c] * -log p[c]; 0 where a sample does not count

    @classmethod
    def of(cls, block: Block, options: Options) -> SmoothedParts:
        logs, weight = logarithms(block), block.weight
        nll = functional.nll_loss(logs, block.target, weight, ignore_index=options.ignore_index, reduction="none")
        if weight is not None:
            logs = logs * weight.reshape(-1, *[1] * (logs.ndim - block.class_dim - 1))
        smooth = -logs.sum(block.class_dim)
        return cls(nll, smooth.masked_fill(block.target == options.ignore_index, 0.0))

    def part(self, start: int, stop: int) -> SmoothedParts:
        """Those of some entries of the first axis."""
        return SmoothedParts(self.nll[start:stop], self.smooth[start:stop]) if self.nll.ndim else self

    def here(self) -> SmoothedParts:
        """The same in this machine's memory."""
        return SmoothedParts(self.nll.cpu(), self.smooth.cpu())

    @classmethod
    def joined(cls, parts: list[SmoothedParts]) -> SmoothedParts:
        """Those of samples that follow one another."""
        return cls(torch.cat([each.nll for each in parts]), torch.cat([each.smooth for each in parts]))


def probabilities_total(block: Block, options: Options, *, mean: bool) -> torch.Tensor:
    """The sum or mean of target probabilities' losses, step by step as torch takes it: one sum over all products."""
    total = -_products(block, options).sum()
    return total / (block.logits.numel() / block.classes) if mean else total


def smoothed(nll: torch.Tensor, smooth: torch.Tensor, smoothing: float, classes: int) -> torch.Tensor:
    """Both parts as torch puts them together, of each sample or reduced."""
    return (1 - smoothing) * nll + smooth * (smoothing / classes)


def _of_logarithms(block: Block, options: Options, reduction: Reduction) -> torch.Tensor:
    """The loss of given probabilities or of their logarithms."""
    if not block.has_labels:
        if reduction == "none":
            return -_products(block, options).sum(block.class_dim)
        return probabilities_total(block, options, mean=reduction == "mean")
    ignore = options.ignore_index
    nll = functional.nll_loss(logarithms(block), block.target, block.weight, ignore_index=ignore, reduction=reduction)
    if not options.label_smoothing:
        return nll
    smooth = SmoothedParts.of(block, options).smooth
    if reduction != "none":
        smooth = smooth.sum()
    if reduction == "mean":
        counted = block.target[block.target != ignore]
        smooth = smooth / (counted.numel() if block.weight is None else block.weight[counted].sum())
    return smoothed(nll, smooth, options.label_smoothing, block.classes)


def _products(block: Block, options: Options) -> torch.Tensor:
    """log p_c times the smoothed and weighted target probability, of the logits' shape."""
    logs, target, weight = logarithms(block), block.target, block.weight
    if options.label_smoothing:
        target = target * (1 - options.label_smoothing) + options.label_smoothing / block.classes
    products = logs * target
    if weight is not None:
        products = products * weight.reshape(-1, *[1] * (logs.ndim - block.class_dim - 1))
    return products
