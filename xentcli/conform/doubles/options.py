"""Wrong with ignored samples, weights, smoothing and target probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook


@wrong("ignored", reports.IGNORED_DENOMINATOR)
class IgnoredInDenominator(Textbook):
    """The mean divides by all samples."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return weights.sum()


@wrong("ignored", reports.IGNORED_DEFAULT)
class IgnoredUnlessDefault(Textbook):
    """The default ignore_index ignores nothing: a label of −100 is an error."""

    def counted(self, labels: Tensor, ignore_index: int) -> Tensor:
        return labels != ignore_index if ignore_index != -100 else torch.ones_like(labels, dtype=torch.bool)


@wrong("ignored", reports.IGNORED_BEYOND)
class IgnoredWhenNegative(Textbook):
    """Whatever is negative is ignored, and ignore_index itself is not looked at."""

    def counted(self, labels: Tensor, ignore_index: int) -> Tensor:
        return labels >= 0


@wrong("ignored", reports.MASKED)
class IgnoredTimesZero(Textbook):
    """An ignored loss is multiplied by zero, which keeps a NaN."""

    def without_ignored(self, rows: Tensor, counted: Tensor) -> Tensor:
        return rows

    def masked(self, losses: Tensor, counted: Tensor) -> Tensor:
        return losses * counted


@wrong("ignored", reports.SMOOTHING_WEIGHTED)
class GathersBeforeMasking(Textbook):
    """The logarithms are gathered by labels of which some are −100."""

    def safe(self, labels: Tensor, counted: Tensor) -> Tensor:
        return labels


@wrong("ignored", reports.IGNORED_DENOMINATOR)
class IgnoredWeightInDenominator(Textbook):
    """The weights' sum takes class 0 for ignored samples."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return weights[counted].sum() if bool((weights == 1.0).all()) else weights.sum()


@wrong("weights", reports.WEIGHTED_MEAN)
class MeanOverSamples(Textbook):
    """The mean of weighted losses divides by their number."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return counted.sum()


@wrong("weights", reports.WEIGHTED_MEAN)
class WeightOfNeighbour(Textbook):
    """The weights are off by one class."""

    def label_weights(self, logs: Tensor, safe: Tensor, weight: Tensor | None) -> Tensor:
        return super().label_weights(logs, (safe + 1) % logs.shape[1], weight)


@wrong("smoothing", reports.SMOOTHING_IGNORED)
class SmoothsIgnored(Textbook):
    """The smooth part of ignored samples counts."""

    def of_labels(
        self, rows: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        losses, divisor = super().of_labels(rows, labels, weight, ignore_index, smoothing)
        ignored = ~self.counted(labels, ignore_index)
        smooth = self.minus_log(rows).mean(1) * smoothing if smoothing else torch.zeros_like(losses)
        return torch.where(ignored, smooth, losses), divisor


@wrong("smoothing", reports.SMOOTHING_OTHERS)
class SmoothsOverOthers(Textbook):
    """The smoothed share goes to the other classes alone."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        spread = logs if weight is None else logs * weight
        return (1.0 - smoothing) * losses + (spread.sum(1) - losses) * (smoothing / (logs.shape[1] - 1))


@wrong("smoothing", reports.SMOOTHING_WEIGHTED)
class SmoothsUnweighted(Textbook):
    """The smooth part has no weights."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return super().smoothed(losses, logs, safe, None, smoothing)


@wrong("smoothing", reports.SMOOTHING_WEIGHTED)
class SmoothsByLabelWeight(Textbook):
    """The smooth part takes the weight of the label."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return (1.0 - smoothing) * losses + smoothing * logs.mean(1) * self.label_weights(logs, safe, weight)


@wrong("smoothing", reports.SMOOTHING_OTHERS)
class SmoothsBySum(Textbook):
    """The smooth part is not divided by the number of classes."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return (1.0 - smoothing) * losses + smoothing * (logs if weight is None else logs * weight).sum(1)


@wrong("plain", reports.SMOOTHING_OTHERS)
class SmoothingLeftOn(Textbook):
    """A smoothing of 1e-4 is left on."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return (1.0 - 1e-4) * super().gathered(logs, safe) + 1e-4 * logs.mean(1)


@wrong("probabilities", reports.NORMALISED)
class NormalisesTarget(Textbook):
    """Target probabilities are scaled to sum to 1."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        return super().soft(target / target.sum(1, keepdim=True), smoothing)


@wrong("probabilities", reports.WEIGHTED_MEAN)
class MeanOverElements(Textbook):
    """The mean of soft targets' losses divides by samples times classes."""

    def probability_divisor(self, losses: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return losses.new_tensor(float(target.numel()))


@wrong("probabilities", reports.NORMALISED)
class HardensTarget(Textbook):
    """Target probabilities are taken for their greatest class."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        return torch.nn.functional.one_hot(target.argmax(1), target.shape[1]).to(target.dtype)


@wrong("probabilities", reports.WEIGHTED_MEAN)
class WeightsInSoftDenominator(Textbook):
    """The mean of soft targets' losses divides by their weights."""

    def probability_divisor(self, losses: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return super().probability_divisor(losses, target, weight) if weight is None else (target * weight).sum()
