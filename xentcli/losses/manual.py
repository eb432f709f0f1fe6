"""The manual path: softmax, gather the label's probability, -log, then the reduction; the way textbooks write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.numbers.given import Form
    from xentcli.question.block import Block
    from xentcli.question.problem import Options

PROBABILITIES: dict[Form, Callable[[Block], torch.Tensor]] = {
    "logits": lambda block: torch.softmax(block.logits, block.class_dim),
    "log-probabilities": lambda block: block.logits.exp(),
    "probabilities": lambda block: block.logits,
    "binary": lambda block: torch.stack(
        [(sign * block.logits.select(block.class_dim, 1)).sigmoid() for sign in (-1, 1)], block.class_dim
    ),
}


def probabilities(block: Block) -> torch.Tensor:
    """Softmax over the class axis, p_c = exp(x_c) / sum_k exp(x_k), of the logits' shape.

    Of log-probabilities it is exp(x_c), of probabilities they themselves, and of one logit z a sample σ(−z) and σ(z).
    """
    return PROBABILITIES[block.given](block)


def cross_entropy(block: Block, options: Options, softmax: torch.Tensor) -> torch.Tensor:
    """The loss of each sample by hand, from its softmax probabilities p.

    With labels y, class weights w and label smoothing e over C classes:

        (1 - e) * w[y] * -log p[y]  +  (e / C) * sum_c w[c] * -log p[c]

    and with target probabilities q, smoothed to q (1 - e) + e / C:

        -sum_c q[c] * w[c] * log p[c]

    Differs from `library` in that it takes the logarithm of a rounded probability: where p underflows to zero the
    loss is infinite, and zero times that infinity is NaN.

    Shapes: logits and softmax [N, C, d1, ...] or [C]; the result is [N, d1, ...] or [], in the logits' dtype.
    Unit: nats.  Source: C. Bishop, Pattern Recognition and Machine Learning, equation 4.108.

    >>> from xentcli.question.block import Block
    >>> from xentcli.question.problem import Options
    >>> confident_wrong = Block(torch.tensor([[0.0, 120.0]]), torch.tensor([0]), None, first_row=0)
    >>> cross_entropy(confident_wrong, Options(), probabilities(confident_wrong)).item()
    inf
    """
    if block.has_labels:
        return _of_labels(block, options, softmax)
    return _of_probabilities(block, options, softmax)


def reduce(
    losses: torch.Tensor, counted: torch.Tensor | None, weights: torch.Tensor | None, *, mean: bool
) -> torch.Tensor:  # fmt: skip
    """The sum or the mean of samples' losses as one tensor expression; [].

    counted  which of the losses count, of their shape; None with target probabilities, where all do
    weights  those of the labels that count, [counted]; None without
    """
    if not mean:
        return losses.sum()
    if counted is None:
        return losses.mean()
    return losses[counted].mean() if weights is None else losses.sum() / weights.sum()


def label_probability(block: Block, options: Options, softmax: torch.Tensor) -> torch.Tensor:
    """The probability of each sample's label, of the labels' shape; of class 0 where the label is ignored."""
    return _chances(block, softmax, _ignored(block, options))


def _ignored(block: Block, options: Options) -> torch.Tensor | None:
    """Which labels do not count; None where all do, so that nothing has to be filled in."""
    ignored = block.target == options.ignore_index
    return ignored if bool(ignored.any()) else None


def _filled(values: torch.Tensor, ignored: torch.Tensor | None) -> torch.Tensor:
    """0 where samples do not count."""
    return values if ignored is None else values.masked_fill(ignored, 0)


def _chances(block: Block, softmax: torch.Tensor, ignored: torch.Tensor | None) -> torch.Tensor:
    labels = _filled(block.target, ignored)
    return softmax.gather(block.class_dim, labels.unsqueeze(block.class_dim)).squeeze(block.class_dim)


def _of_labels(block: Block, options: Options, softmax: torch.Tensor) -> torch.Tensor:
    ignored = _ignored(block, options)
    losses = -_chances(block, softmax, ignored).log()
    if block.weight is not None:
        losses = block.weight[_filled(block.target, ignored)] * losses
    if options.label_smoothing:
        spread = options.label_smoothing / block.classes
        losses = (1 - options.label_smoothing) * losses + spread * _sum_over_classes(-softmax.log(), block)
    return _filled(losses, ignored)


def _of_probabilities(block: Block, options: Options, softmax: torch.Tensor) -> torch.Tensor:
    target = block.target
    if options.label_smoothing:
        target = target * (1 - options.label_smoothing) + options.label_smoothing / block.classes
    return -_sum_over_classes(target * softmax.log(), block)


def _sum_over_classes(terms: torch.Tensor, block: Block) -> torch.Tensor:
    if block.weight is not None:
        ones = [1] * (terms.ndim - block.class_dim - 1)
        terms = terms * block.weight.reshape(-1, *ones)
    return terms.sum(block.class_dim)
