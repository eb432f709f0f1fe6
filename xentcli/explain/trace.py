"""What torch computes of one sample on the way to its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from xentcli.losses import library, manual

if TYPE_CHECKING:
    from xentcli.explain.sample import Sample


@dataclass(frozen=True, eq=False)
class Trace:
    """The numbers of both paths.

    Probabilities, log-probabilities and losses are the paths' own.  The steps that torch's kernels keep to themselves
    are taken again one by one, in the arithmetic that the kernels use: the last bit of a sum may differ from theirs.
    """

    logits: torch.Tensor  # [C], in the format of the paths
    shifts: torch.Tensor  # [C], in the arithmetic, as the next
    exponentials: torch.Tensor
    total: torch.Tensor  # []
    library_total: torch.Tensor  # [], in the format, where log_softmax stores it in 16 bits
    log_total: torch.Tensor
    probabilities: torch.Tensor  # [C], in the format, as the next
    log_of_probabilities: torch.Tensor
    log_probabilities: torch.Tensor
    manual: float
    library: float


def trace(sample: Sample) -> Trace:
    """Both paths of the sample, computed together with its block."""
    block, options, model = sample.whole.block, sample.whole.options, sample.whole.model
    softmax = manual.probabilities(block)
    log_softmax = torch.log_softmax(block.logits, block.class_dim)
    logits = sample.classes_of(block.logits)
    wide = logits.to(getattr(torch, model.arithmetic.name))
    shifts = wide - wide.max()
    exponentials = shifts.exp()
    total = exponentials.sum()
    library_total = total.to(logits.dtype) if model.stores_sum else total
    probabilities = sample.classes_of(softmax)
    return Trace(
        logits=logits,
        shifts=shifts,
        exponentials=exponentials,
        total=total,
        library_total=library_total,
        log_total=library_total.log(),
        probabilities=probabilities,
        log_of_probabilities=probabilities.log(),
        log_probabilities=sample.classes_of(log_softmax),
        manual=sample.of(manual.cross_entropy(block, options, softmax)).item(),
        library=sample.of(library.cross_entropy(block, options)).item(),
    )
