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
    Of given log-probabilities and probabilities the shifts are log p, the exponentials p, and the totals 1.
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
    options, model, block = sample.whole.options, sample.whole.model, sample.whole.there.block
    softmax, logarithms = manual.probabilities(block), library.logarithms(block)
    logits = sample.classes_of(sample.whole.block.logits)
    arithmetic = getattr(torch, model.arithmetic.name)
    if block.given == "logits":
        wide = logits.to(arithmetic)
        shifts = wide - wide.max()
        exponentials = shifts.exp()
        total = exponentials.sum()
    else:  # nothing is shifted, and nothing divided by a sum
        shifts, exponentials = (sample.classes_of(each).cpu().to(arithmetic) for each in (logarithms, softmax))
        total = torch.ones((), dtype=arithmetic)
    library_total = total.to(logits.dtype) if model.stores_sum else total
    probabilities = sample.classes_of(softmax).cpu()
    return Trace(
        logits=logits,
        shifts=shifts,
        exponentials=exponentials,
        total=total,
        library_total=library_total,
        log_total=library_total.log(),
        probabilities=probabilities,
        log_of_probabilities=probabilities.log(),
        log_probabilities=sample.classes_of(logarithms).cpu(),
        manual=sample.of(manual.cross_entropy(block, options, softmax)).item(),
        library=sample.of(library.cross_entropy(block, options)).item(),
    )
