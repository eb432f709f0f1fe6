"""The sum and mean of labels' losses as torch's `nll_loss` computes them on a CPU, reproduced bit for bit.

`nll_loss` adds in the losses' own format, bfloat16 included, through eight levels of partial sums.  With N rows,
p = max(4, ceil(log2 N) // 8) and step = 2^p: each loss that counts is added to the partial sum of level 0; where the
row number is a multiple of step, that sum is then carried to level 1 and starts again at zero; where it is a multiple
of step², level 1 is carried on as well, and so forth.  What is left in the eight levels is added up in order.  Ignored
rows are skipped before that test, so that a carry falls away with them.  Weights are added in the same way.

Where a stretch of rows stands in the whole says which of its sums are whole ones.  Only what comes before the first
carry of each level waits for the rows before, so stretches that follow one another add up to the very sum of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from xentcli.errors import InputError
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import name_of

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 8
PROBED = 1000  # rows of which torch's own sum is compared with this one
FEW = 4  # sums that go on alone where they are longer than the others: a carry may fall away for very long


@dataclass(frozen=True)
class Level:
    """One level's partial sums over a stretch of rows."""

    head: tuple[float, ...] = ()  # known values up to the first carry; after one from below, which is not known
    tail: float | None = None  # the sum since the last carry; None where nothing was carried


BEFORE_ALL = (Level(tail=0.0),) * LEVELS  # the levels before the first row


@dataclass(frozen=True)
class Cascade:
    """The partial sums of a stretch of rows, ready to be followed by those of the next rows."""

    dtype: str
    power: int
    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        """InputError for what a file may say and no run comes to."""
        if len(self.levels) != LEVELS or self.dtype not in PRECISIONS:
            raise InputError(
                "this is not the partial sum that an earlier run wrote",
                found=f"{len(self.levels)} levels of {self.dtype[:40]!r}",
                expected=f"{LEVELS} levels of {', '.join(PRECISIONS)}",
            )

    @classmethod
    def of(cls, values: Tensor, counted: Tensor | None, first_row: int, samples: int) -> Cascade:
        """Of the rows from `first_row` on, of so many `samples` in all; rows not `counted` are skipped; both [rows]."""
        power = max(4, max(samples - 1, 0).bit_length() // LEVELS)
        if counted is None:
            levels = _even_levels(values, first_row, power)
        else:
            rows = torch.arange(first_row, first_row + len(values), device=values.device)
            levels = _levels(values[counted], rows[counted], power)
        stretch = cls(name_of(values.dtype), power, levels)
        return stretch if first_row else cls(stretch.dtype, power, BEFORE_ALL) + stretch

    def __add__(self, other: Cascade) -> Cascade:
        """With the rows that follow."""
        levels: list[Level] = []
        carried: float | None = None  # from the level below; None where there is nothing, or it is not known
        for left, right in zip(self.levels, other.levels, strict=True):
            values = right.head if carried is None else (carried, *right.head)
            if left.tail is None:
                levels.append(Level(left.head + values, right.tail))
                carried = None
            else:
                total = self._added(left.tail, values)
                levels.append(Level(left.head, total if right.tail is None else right.tail))
                carried = None if right.tail is None else total
        return Cascade(self.dtype, self.power, tuple(levels))

    @property
    def waiting(self) -> int:
        """How many values wait for the rows before."""
        return sum(len(level.head) for level in self.levels)

    def total(self) -> Tensor:
        """The sum; a scalar."""
        known = Cascade(self.dtype, self.power, BEFORE_ALL) + self
        return _chain(self._tensor([level.tail or 0.0 for level in known.levels]))

    def _added(self, total: float, values: tuple[float, ...]) -> float:
        return _chain(self._tensor([total, *values])).item() if values else total

    def _tensor(self, values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=getattr(torch, self.dtype))


def cascade_sum(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """The sum of `values`, [rows], in their own format; rows not `counted`, [rows] of bool, are skipped.  A scalar.

    >>> cascade_sum(torch.full((1000,), 2.3026, dtype=torch.bfloat16)).item()  # 2296.9 if added exactly
    2272.0
    """
    return Cascade.of(values, counted, 0, len(values)).total()


@lru_cache
def is_torchs_order(dtype: str) -> bool:
    """Whether the torch that is here adds in this order: its kernel is asked for the sum of some values.

    >>> is_torchs_order("bfloat16")
    True
    """
    values = (torch.arange(PROBED) * 0.61803398875 % 1.0 + 1.0).to(getattr(torch, dtype))
    labels = torch.zeros(PROBED, dtype=torch.long)
    labels[::48] = -1
    theirs = functional.nll_loss(-values[:, None], labels, ignore_index=-1, reduction="sum")
    return bool(cascade_sum(values, labels == 0) == theirs)


def _levels(values: Tensor, rows: Tensor, power: int) -> tuple[Level, ...]:
    """The partial sums of values at these rows, without those before."""
    levels: list[Level] = []
    unknown = 0  # 1 where the first of the values is the level below's first carry, which is not known
    for level in range(LEVELS - 1):
        ends = torch.nonzero(rows & ((2**power - 1) << (level * power)) == 0)[:, 0] + 1
        if not len(ends):
            break
        sums = _sums_in_order(values, ends, torch.cat((ends[1:], ends.new_tensor([len(values)]))))
        levels.append(Level(_listed(values[unknown : ends[0]]), sums[-1].item()))
        values, rows, unknown = torch.cat((sums.new_zeros(1), sums[:-1])), rows[ends - 1], 1
    levels.append(Level(_listed(values[unknown:])))
    return (*levels, *[Level()] * (LEVELS - len(levels)))


def _even_levels(values: Tensor, first_row: int, power: int) -> tuple[Level, ...]:
    """The same of rows that follow one another: carries are as many values apart as a level adds."""
    levels: list[Level] = []
    unknown, each = 0, 1 << power
    for _ in range(LEVELS - 1):
        end = -first_row % each + 1
        if end > len(values):
            break
        sums = _sums_of_each(values[end:], each)
        levels.append(Level(_listed(values[unknown:end]), sums[-1].item()))
        values, first_row, unknown = torch.cat((sums.new_zeros(1), sums[:-1])), -(-first_row // each), 1
    levels.append(Level(_listed(values[unknown:])))
    return (*levels, *[Level()] * (LEVELS - len(levels)))


def _sums_of_each(values: Tensor, each: int) -> Tensor:
    """The sums of so many values each, and of what is left after them, each added from zero in order."""
    runs = len(values) // each
    sums = values.new_zeros(runs + 1)
    if runs:
        for column in values[: runs * each].reshape(-1, each).T.contiguous():
            sums[:-1] += column
    if len(values) > runs * each:
        sums[-1] += _chain(values[runs * each :])
    return sums


def _listed(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())


def _sums_in_order(values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Σ values[start:end] of runs that follow one another, each added from zero in order."""
    lengths = ends - starts
    if bool((lengths[:-1] == lengths[0]).all()) and lengths[-1] <= lengths[0] > 0:
        return _sums_of_each(values[starts[0] :], int(lengths[0]))[: len(lengths)]
    return _uneven_sums(values, starts, lengths)


def _uneven_sums(values: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """The same of runs of different lengths: all of them advance together, the longest ones first."""
    lengths, order = lengths.sort(descending=True)
    starts = starts[order]
    sums = values.new_zeros(len(starts))
    together = int(lengths[FEW]) if len(lengths) > FEW else 0
    still_active = len(lengths) - torch.searchsorted(lengths.flip(0), torch.arange(together), right=True)
    for offset, active in enumerate(still_active.tolist()):
        sums[:active] += values[starts[:active] + offset]
    for number in range(int((lengths[:FEW] > together).sum())):
        rest = values[starts[number] + together : starts[number] + lengths[number]]
        sums[number] = _chain(torch.cat((sums[number : number + 1], rest)))
    return torch.empty_like(sums).scatter_(0, order, sums)


def _chain(values: Tensor) -> Tensor:
    """The sum of values added one after the other, each sum rounded to their format; a scalar."""
    if values.element_size() > 2:
        with np.errstate(all="ignore"):
            return torch.from_numpy(np.add.accumulate(values.cpu().numpy())[-1:])[0]
    total = values.new_zeros(())
    for value in values:
        total = total + value
    return total
