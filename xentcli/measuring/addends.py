"""What torch's own totals are made of, block by block.

`nll_loss` adds labels' losses in an order that can be followed from block to block.  `torch.sum` adds in one that
depends on the number of values and of threads: what it adds is kept for it, of as many samples as memory allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.losses.cascade import Cascade
from xentcli.numbers.tensors import as_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xentcli.measuring.case import Case
    from xentcli.numbers.arrays import Values

MOST_WAITING = 1 << 12  # values of a cascade that may wait for rows that are in another partial


@dataclass(frozen=True)
class LabelSums:
    """Partial sums of the labels' losses and of their weights, as `nll_loss` adds them."""

    losses: Cascade
    weights: Cascade | None

    @classmethod
    def of(cls, case: Case, nll: torch.Tensor, samples: int) -> LabelSums:
        """Of a block, whose losses before any smoothing are `nll`, of an input of so many samples."""
        counted = case.counted.reshape(-1) if case.ignored else None
        weights, first = case.label_weights, case.block.first_row
        return cls(
            losses=Cascade.of(nll.reshape(-1), counted, first, samples),
            weights=None if weights is None else Cascade.of(weights, counted, first, samples),
        )

    def __add__(self, other: LabelSums) -> LabelSums:
        weights = self.weights and other.weights and self.weights + other.weights
        return LabelSums(self.losses + other.losses, weights)

    @property
    def is_long(self) -> bool:
        """Whether more values wait than a partial shall hold, as hardly a row counts at which torch carries."""
        return self.losses.waiting > MOST_WAITING


@dataclass(frozen=True)
class Addends:
    """What torch adds of some samples, or all; [rows] each."""

    manual: torch.Tensor
    smooth: torch.Tensor | None  # the part of each class in a smoothed loss; None without smoothing
    counted: torch.Tensor | None  # None with target probabilities
    weights: torch.Tensor | None  # of the labels
    squares: torch.Tensor | None = None  # of the library's logsumexp, for a z-loss; None without

    @property
    def counted_weights(self) -> torch.Tensor | None:
        """The weights of the labels that count; None without weights."""
        return None if self.weights is None else self.weights[self.counted]

    def table(self) -> NDArray[Any]:
        """The columns that there are."""
        columns = {name: _values(each) for name, each in vars(self).items() if each is not None}
        table = np.empty(self.manual.numel(), [(name, each.dtype) for name, each in columns.items()])
        for name, each in columns.items():
            table[name] = each
        return table

    @classmethod
    def joined(cls, tables: Sequence[NDArray[Any]]) -> Addends:
        """Those of all samples, from their tables."""
        names = tables[0].dtype.names or ()
        columns = {name: as_tensor(np.concatenate([table[name] for table in tables])) for name in names}
        return cls(columns["manual"], *(columns.get(name) for name in ("smooth", "counted", "weights", "squares")))


def _values(column: torch.Tensor) -> Values:
    """As numpy has them: bfloat16 as two-byte void."""
    column = column.detach().reshape(-1)
    return column.view(torch.int16).numpy().view("V2") if column.dtype == torch.bfloat16 else column.numpy()
