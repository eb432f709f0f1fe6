"""The sum and mean of labels' losses as torch's `nll_loss` computes them on a CPU, reproduced bit for bit.

`nll_loss` adds in the losses' own format, bfloat16 included, through eight levels of partial sums.  With N rows,
p = max(4, ceil(log2 N) // 8) and step = 2^p: each loss that counts is added to the partial sum of level 0; where the
row number is a multiple of step, that sum is then carried to level 1 and starts again at zero; where it is a multiple
of step², level 1 is carried on as well, and so forth.  What is left in the eight levels is added up in order.  Ignored
rows are skipped before that test, so that a carry falls away with them.  Weights are added in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 8


def cascade_sum(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """The sum of `values`, [rows], in their own format; rows not `counted`, [rows] of bool, are skipped.  A scalar.

    >>> cascade_sum(torch.full((1000,), 2.3026, dtype=torch.bfloat16)).item()  # 2296.9 if added exactly
    2272.0
    """
    rows = torch.arange(len(values), device=values.device)
    if counted is not None:
        rows, values = rows[counted], values[counted]
    power = max(4, max(len(counted if counted is not None else values) - 1, 0).bit_length() // LEVELS)
    total = values.new_zeros(())
    for level in range(LEVELS - 1):
        is_carried = (rows >> (level * power)) % 2**power == 0
        values, left = _carry(values, is_carried)
        rows = rows[is_carried]
        total = total + left
    return total + _sums_in_order(values, torch.tensor([0]), torch.tensor([len(values)]))[0]


def cascade_mean(losses: Tensor, counted: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean of the losses that are `counted`, in their own format; a scalar.

    The divisor is the number of counted rows, rounded to the format, or the cascade of their `weights`, [rows].
    """
    divisor = torch.tensor(int(counted.sum())).to(losses) if weights is None else cascade_sum(weights, counted)
    return cascade_sum(losses, counted) / divisor


def _carry(values: Tensor, is_carried: Tensor) -> tuple[Tensor, Tensor]:
    """The partial sums that one level hands on, one for each carried value, and what is left in it, a scalar."""
    ends = torch.nonzero(is_carried)[:, 0] + 1
    bounds = torch.cat((ends.new_zeros(1), ends, ends.new_tensor([len(values)])))
    sums = _sums_in_order(values, bounds[:-1], bounds[1:])
    return sums[:-1], sums[-1]


def _sums_in_order(values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Σ values[start:end], each added from zero in order; all of them advance together, the longest ones first."""
    lengths, order = (ends - starts).sort(descending=True)
    starts = starts[order]
    sums = values.new_zeros(len(starts))
    offsets = torch.arange(int(lengths[0]))
    still_active = len(lengths) - torch.searchsorted(lengths.flip(0), offsets, right=True)
    for offset, active in enumerate(still_active.tolist()):
        sums[:active] += values[starts[:active] + offset]
    return torch.empty_like(sums).scatter_(0, order, sums)
