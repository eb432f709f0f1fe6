"""The loss as the sum over all classes that its one-hot definition is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from xentcli.losses.truth import exact_rows
from xentcli.numbers.exactsum import nearest_float
from xentcli.records.explanation import ClassSum, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.explain.trace import Trace
    from xentcli.measuring.case import Case
    from xentcli.question.block import Block


@dataclass(frozen=True)
class Target:
    """What each class counts for; [C]."""

    shares: Sequence[float]  # 1 for the label and 0 for the others, or the target probabilities
    dtype: torch.dtype  # of the losses, to which torch promotes probabilities
    coefficients: Sequence[Fraction]  # a_c: weighted and smoothed; all 0 where the sample is ignored


def target_of(alone: Case) -> Target:
    """Of the one sample of a block."""
    block = alone.block
    coefficients = [Fraction(0)] * block.classes
    for _, (_, given) in exact_rows(block, alone.options):  # none where it is ignored
        for index, coefficient in given.items() if isinstance(given, Mapping) else enumerate(given):
            coefficients[index] = coefficient
    if not block.has_labels:
        return Target(block.target.reshape(-1).tolist(), _losses_dtype(block), coefficients)
    label = block.target.item()
    return Target([float(index == label) for index in range(block.classes)], block.logits.dtype, coefficients)


def _losses_dtype(block: Block) -> torch.dtype:
    dtype = torch.promote_types(block.logits.dtype, block.target.dtype)
    return dtype if block.weight is None else torch.promote_types(dtype, block.weight.dtype)


def class_sum(target: Target, trace: Trace, shown: Sequence[int]) -> ClassSum:
    """Σ_c a_c·(−log p_c) as a tensor expression in the paths' format, zeros and all: 0 times −inf is NaN."""
    coefficients = [nearest_float(each) for each in target.coefficients]
    weights = torch.tensor(coefficients, dtype=target.dtype, device=trace.logits.device)
    manual, library = -weights * trace.log_of_probabilities, -weights * trace.log_probabilities  # [C]
    terms = (
        Term(
            index=index,
            target=target.shares[index],
            coefficient=coefficients[index],
            manual_log=trace.log_of_probabilities[index].item(),
            manual=manual[index].item(),
            library_log=trace.log_probabilities[index].item(),
            library=library[index].item(),
        )
        for index in shown
    )
    return ClassSum(tuple(terms), manual.sum().item(), library.sum().item())
