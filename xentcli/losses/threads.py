"""The sum of labels' losses in the order in which torch's `nll_loss` takes it on a CUDA device, for logits [N, C].

One block of T threads, of which each adds the rows t, t + T, t + 2T, ... in the arithmetic; then the upper half of the
sums is added to the lower one until one is left, and the sum, or its quotient with that of the weights, is stored.
Read from torch 2.6 to 2.14; where another torch adds otherwise the result differs from its own, and is not used.
"""

from __future__ import annotations

import numpy as np
import torch

ROWS_OF_A_THREAD = 16  # that torch aims at
THREADS = ((46, 32), (91, 64), (182, 128), (363, 256), (725, 512))  # below so many times that, so many; else MOST
MOST = 1024


def thread_count(samples: int) -> int:
    """T, for so many rows."""
    return next((threads for limit, threads in THREADS if samples // ROWS_OF_A_THREAD < limit), MOST)


def block_sum(values: torch.Tensor) -> torch.Tensor:
    """The sum of [rows], before it is stored.

    >>> block_sum(torch.full((10**6,), 0.1)).item()  # 100000.0015 exactly
    99999.0546875
    """
    wide = values if values.element_size() > 2 else values.float()
    threads = thread_count(len(wide))
    padded = np.zeros((-(-len(wide) // threads), threads), wide.numpy().dtype)
    padded.reshape(-1)[: len(wide)] = wide.numpy()
    sums = np.zeros(threads, padded.dtype)
    for row in padded:
        sums += row
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return torch.from_numpy(sums)[0]


def label_total(losses: torch.Tensor, weights: torch.Tensor | None, counted: int, *, mean: bool) -> torch.Tensor:
    """The sum or mean of labels' losses, [rows], 0 where a row does not count, as are its weights; [].

    counted  how many rows count; the divisor where there are no weights
    """
    total = block_sum(losses)
    if not mean:
        return total.to(losses.dtype)
    divisor = torch.tensor(counted, dtype=total.dtype) if weights is None else block_sum(weights)
    return (total / divisor).to(losses.dtype)
