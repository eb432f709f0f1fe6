"""Wrong in the numbers: overflow, underflow, cancellation, and too few digits."""

from __future__ import annotations

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook


@wrong("masked", reports.MASKED)
class OneHotProduct(Textbook):
    """The label's logarithm is a product with a one-hot row: 0·inf for a masked class."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return (torch.nn.functional.one_hot(safe, logs.shape[1]) * logs).sum(1)


@wrong("offsets", reports.OFFSET)
class LogSumExpLessLogit(Textbook):
    """logsumexp(x) − x[y] loses the digits that a common offset has."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return torch.logsumexp(rows, 1, keepdim=True) - rows


@wrong("gaps", reports.UNDERFLOW)
class LogOfSoftmax(Textbook):
    """The logarithm of a rounded softmax."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return -torch.softmax(rows, 1).log()


@wrong("gaps", reports.UNDERFLOW)
class UnshiftedExp(Textbook):
    """exp without subtracting the maximum."""

    def greatest(self, rows: Tensor) -> Tensor:
        return torch.zeros_like(rows[:, :1])


@wrong("gaps", reports.CLIPPED)
class ClippedProbability(Textbook):
    """Probabilities are clipped to [1e-7, 1 − 1e-7]."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return -torch.softmax(rows, 1).clamp(1e-7, 1.0 - 1e-7).log()


@wrong("gaps", reports.CLIPPED)
class EpsilonInLog(Textbook):
    """log(p + 1e-8)."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return -(torch.softmax(rows, 1) + 1e-8).log()


@wrong("gaps", reports.CLIPPED)
class SmallEpsilonInLog(Textbook):
    """log(p + 1e-12)."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return -(torch.softmax(rows, 1) + 1e-12).log()


@wrong("gaps", reports.UNDERFLOW)
class ClampedGap(Textbook):
    """Shifted logits are clamped at −64."""

    def minus_log(self, rows: Tensor) -> Tensor:
        shifted = (rows - self.greatest(rows)).clamp(min=-64.0)
        return self.log_sum(shifted) - shifted


@wrong("one-hot", reports.CLIPPED)
class ClampedLoss(Textbook):
    """A loss is never below 1e-6."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return super().gathered(logs, safe).clamp(min=1e-6)


@wrong("ties", reports.UNDERFLOW)
class MaximaCountOnce(Textbook):
    """Of several classes at the maximum one is added up."""

    def total(self, masses: Tensor) -> Tensor:
        ties = (masses == 1.0).sum(1, keepdim=True) - 1
        return super().total(masses) - ties.clamp(min=0)


@wrong("extremes", reports.OFFSET)
class FlushesSmall(Textbook):
    """Logits above 1e30 are taken for infinite and replaced by 1e30."""

    def widened(self, values: Tensor) -> Tensor:
        return super().widened(values).clamp(max=1e30)


@wrong("plain", reports.HALF_MEAN)
class RoundsToBfloat16(Textbook):
    """The logarithm of the sum is rounded to bfloat16."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        return super().log_sum(shifted).bfloat16().to(shifted.dtype)


@wrong("plain", reports.HALF_MEAN)
class LogitsToFloat16(Textbook):
    """The logits pass through float16."""

    def widened(self, values: Tensor) -> Tensor:
        wide = super().widened(values)
        return wide.half().to(wide.dtype)


@wrong("plain", reports.ACCUMULATION)
class Float32ForFloat64(Textbook):
    """float64 logits are computed in float32."""

    def widened(self, values: Tensor) -> Tensor:
        return values.float()


@wrong("plain", reports.ACCUMULATION)
class RippledExp(Textbook):
    """An approximate exp whose relative error is 1e-4."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        masses = shifted.exp() * (1.0 + 1e-4 * (1000.0 * shifted.nan_to_num(neginf=0.0)).sin())
        return self.total(masses).log()


@wrong("plain", reports.INDEX_OVERFLOW)
class LastClassDropped(Textbook):
    """The last class is not in the sum."""

    def total(self, masses: Tensor) -> Tensor:
        return super().total(masses[:, : max(1, masses.shape[1] - 1)])


@wrong("plain", reports.STRIDES)
class PaddingClass(Textbook):
    """A class of logit 0, that pads the vocabulary, is in the sum."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return super().minus_log(torch.nn.functional.pad(rows, (0, 1)))[:, :-1]


@wrong("many-classes", reports.INDEX_OVERFLOW)
class OneBlockOfClasses(Textbook):
    """Classes beyond the first 65,536 are not in the sum."""

    def total(self, masses: Tensor) -> Tensor:
        return super().total(masses[:, :65536])


@wrong("batch", reports.OFFSET)
class MaximumOfBatch(Textbook):
    """All rows are shifted by the maximum of the batch."""

    def greatest(self, rows: Tensor) -> Tensor:
        return super().greatest(rows).amax(0, keepdim=True) if len(rows) else rows[:, :1]


@wrong("batch", reports.MASKED)
class NanSpreads(Textbook):
    """A NaN in one row reaches the others."""

    def without_ignored(self, rows: Tensor, counted: Tensor) -> Tensor:
        kept = super().without_ignored(rows, counted)
        return kept + torch.where(kept.isnan().any(), torch.nan, 0.0).to(kept.dtype)
