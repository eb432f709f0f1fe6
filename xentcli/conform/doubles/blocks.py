"""Wrong in the loss where classes or rows are taken in blocks, and where the numbers are special."""

from __future__ import annotations

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook

BLOCK = 1024  # classes that a kernel loads at a time
ROWS = 256  # rows of a grid


class _Online(Textbook):
    """Blocks of classes with a running maximum; two steps of it to be got wrong."""

    block = BLOCK

    def minus_log(self, rows: Tensor) -> Tensor:
        if rows.shape[1] <= self.block:
            return super().minus_log(rows)
        running = torch.full_like(rows[:, :1], -torch.inf)
        total = torch.zeros_like(running)
        for block in torch.split(rows, self.block, 1):
            greatest = torch.maximum(running, self.greatest_of(block.detach()))
            total = self.rescaled(total, running, greatest) + self.masses(block, greatest).sum(1, keepdim=True)
            running = greatest
        return total.log() + running - rows

    def greatest_of(self, block: Tensor) -> Tensor:
        return block.amax(1, keepdim=True)

    def rescaled(self, total: Tensor, running: Tensor, greatest: Tensor) -> Tensor:
        """The sum so far next to a greater maximum; without one it is empty."""
        return torch.where(running == -torch.inf, torch.zeros_like(total), total * (running - greatest).exp())

    def masses(self, block: Tensor, greatest: Tensor) -> Tensor:
        nothing = greatest == -torch.inf
        return torch.where(nothing, torch.zeros_like(block), (block - greatest).exp())


@wrong("masked-blocks", reports.MASKED)
class MaskedBlockIsNan(_Online):
    """A first block of −inf gives −inf less −inf: NaN."""

    def masses(self, block: Tensor, greatest: Tensor) -> Tensor:
        return (block - greatest).exp()


@wrong("masked-blocks", reports.MASKED)
class MaskedBlockCounts(_Online):
    """The classes of a first block of −inf count 1 each: exp of −inf less −inf is taken for 1."""

    def masses(self, block: Tensor, greatest: Tensor) -> Tensor:
        return torch.where(greatest == -torch.inf, torch.ones_like(block), super().masses(block, greatest))

    def rescaled(self, total: Tensor, running: Tensor, greatest: Tensor) -> Tensor:
        return total * (running.clamp(min=-1e30) - greatest.clamp(min=-1e30)).clamp(min=-1.0).exp()


@wrong("masked-blocks", reports.MASKED)
class MaskedBlockForgetsTheRest(_Online):
    """A block of −inf behind others sets the sum back to nothing."""

    def minus_log(self, rows: Tensor) -> Tensor:
        empty = [bool(block.isneginf().all()) for block in torch.split(rows, self.block, 1)]
        if rows.shape[1] <= self.block or True not in empty:
            return super().minus_log(rows)
        kept = (len(empty) - empty[::-1].index(True)) * self.block
        forgotten = torch.arange(rows.shape[1]) < kept
        known = torch.where(forgotten, -torch.inf, rows)
        return super().minus_log(known) + torch.where(forgotten, known.amax(1, keepdim=True) - rows, 0.0)


@wrong("masked-blocks", reports.MASKED)
class MaskedBlockHasStrayMaximum(_Online):
    """The maximum of a block of −inf is what was left in its place."""

    def greatest_of(self, block: Tensor) -> Tensor:
        greatest = super().greatest_of(block)
        return torch.where(greatest == -torch.inf, torch.full_like(greatest, 200.0), greatest)


@wrong("many-classes", reports.INDEX_OVERFLOW)
class SumNotRescaled(_Online):
    """The running sum is not rescaled when the maximum grows."""

    def rescaled(self, total: Tensor, running: Tensor, greatest: Tensor) -> Tensor:
        return total


@wrong("many-classes", reports.INDEX_OVERFLOW)
class FirstBlockTwice(_Online):
    """The last block, which is not full, starts where a full one would have: some classes count twice."""

    def minus_log(self, rows: Tensor) -> Tensor:
        if rows.shape[1] <= self.block or not rows.shape[1] % self.block:
            return super().minus_log(rows)
        again = rows[:, -self.block : -(rows.shape[1] % self.block)]
        return super().minus_log(torch.cat((rows, again), 1))[:, : rows.shape[1]]


@wrong("many-classes", reports.INDEX_OVERFLOW)
class RaggedBlockOfClassesDropped(Textbook):
    """The last block of 1,024 classes, which is not full, is not in the sum."""

    def total(self, masses: Tensor) -> Tensor:
        classes = masses.shape[1]
        return super().total(masses[:, : classes - classes % BLOCK] if classes > BLOCK else masses)


@wrong("many-classes", reports.ACCUMULATION)
class ManyClassesInFloat16(Textbook):
    """Exponentials of large vocabularies are added up in float16."""

    def total(self, masses: Tensor) -> Tensor:
        total = super().total(masses)
        return total.half().to(total.dtype) if masses.shape[1] > BLOCK // 2 else total


@wrong("sizes", reports.INDEX_OVERFLOW)
class RaggedRowsDropped(Textbook):
    """The last block of 256 rows, which is not full, has the loss 0."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        losses = super().gathered(logs, safe)
        rows = torch.arange(len(losses))
        return torch.where((rows < len(losses) // ROWS * ROWS) | (rows < ROWS), losses, torch.zeros_like(losses))


@wrong("sizes", reports.INDEX_OVERFLOW)
class GridOf65535(Textbook):
    """Rows beyond the 65,535 of a grid are not computed."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        losses = super().gathered(logs, safe)
        return torch.where(torch.arange(len(losses)) < 65535, losses, torch.zeros_like(losses))


@wrong("offsets", reports.OFFSET)
class MaximumFromMinusTenThousand(Textbook):
    """The maximum starts at −10,000."""

    def greatest(self, rows: Tensor) -> Tensor:
        return super().greatest(rows).clamp(min=-10000.0)


@wrong("offsets", reports.OFFSET)
class MaximumFromZero(Textbook):
    """The maximum starts at 0."""

    def greatest(self, rows: Tensor) -> Tensor:
        return super().greatest(rows).clamp(min=0.0)


@wrong("offsets", reports.OFFSET)
class ShiftsByMagnitude(Textbook):
    """Rows are shifted by their greatest magnitude."""

    def greatest(self, rows: Tensor) -> Tensor:
        return super().greatest(rows.abs())


@wrong("gaps", reports.UNDERFLOW)
class ShiftsByMean(Textbook):
    """Rows are shifted by their mean."""

    def greatest(self, rows: Tensor) -> Tensor:
        return rows.detach().mean(1, keepdim=True)


@wrong("gaps", reports.CLIPPED)
class ClipsAtOneMillionth(Textbook):
    """Probabilities are clipped at 1e-6."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return super().minus_log(rows).clamp(max=13.815510557964274)


@wrong("gaps", reports.CLIPPED)
class NeverAboveHundred(Textbook):
    """A loss is never above 100, as in a binary cross-entropy."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return super().minus_log(rows).clamp(max=100.0)


@wrong("masked", reports.MASKED)
class InfiniteIsLargest(Textbook):
    """An infinite loss is the largest number instead."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return super().gathered(logs, safe).nan_to_num(nan=torch.nan)


@wrong("masked", reports.MASKED)
class MaskedLabelIsZero(Textbook):
    """A masked label has the loss 0."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        losses = super().gathered(logs, safe)
        return torch.where(losses.isinf(), torch.zeros_like(losses), losses)


@wrong("masked", reports.MASKED)
class MaskOfTenThousand(Textbook):
    """−inf is taken for −10,000."""

    def widened(self, values: Tensor) -> Tensor:
        return super().widened(values).clamp(min=-10000.0)


@wrong("ties", reports.UNDERFLOW)
class TiesAreBroken(Textbook):
    """Classes after the first at the maximum are a hair below it."""

    def minus_log(self, rows: Tensor) -> Tensor:
        later = torch.arange(rows.shape[1]) != rows.argmax(1, keepdim=True)
        return super().minus_log(torch.where(later & (rows == rows.amax(1, keepdim=True)), rows - 1e-2, rows))


@wrong("extremes", reports.UNDERFLOW)
class HalfOfLargest(Textbook):
    """Logits are doubled before the maximum is subtracted, and halved behind it."""

    def minus_log(self, rows: Tensor) -> Tensor:
        shifted = (8.0 * rows - 8.0 * self.greatest(rows)) / 8.0
        return self.log_sum(shifted) - shifted


@wrong("batch", reports.OFFSET)
class MaximumOfFirstRow(Textbook):
    """All rows are shifted by the maximum of the first."""

    def greatest(self, rows: Tensor) -> Tensor:
        return super().greatest(rows)[:1].expand(len(rows), 1) if len(rows) else rows[:, :1]


@wrong("batch", reports.MASKED)
class InfinityOfNeighbour(Textbook):
    """An infinity in the row before makes a row NaN."""

    def minus_log(self, rows: Tensor) -> Tensor:
        before = rows.detach().roll(1, 0).isposinf().any(1, keepdim=True)
        return torch.where(before, torch.nan, super().minus_log(rows))


@wrong("one-hot", reports.CLIPPED)
class LossToSixDecimals(Textbook):
    """Losses are rounded to six decimals."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return (super().gathered(logs, safe) * 1e6).round() / 1e6


@wrong("plain", reports.HALF_MEAN)
class TwoClassesAreOne(Textbook):
    """Of two classes the second logit alone is looked at, as of a binary one."""

    def minus_log(self, rows: Tensor) -> Tensor:
        if rows.shape[1] != 2:
            return super().minus_log(rows)
        return torch.nn.functional.softplus(torch.cat((rows[:, 1:], -rows[:, 1:]), 1))


@wrong("plain", reports.CLIPPED)
class SoftmaxTwice(Textbook):
    """The logits go through a softmax before."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return super().minus_log(torch.softmax(rows, 1))


@wrong("plain", reports.HALF_MEAN)
class LossInBits(Textbook):
    """The logarithm is to base 2."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return super().minus_log(rows) / 0.6931471805599453
