"""A cast of wrong implementations, each wrong in one declared way that somebody's bug report tells of.

Each is `Textbook` with one step changed, and each must be caught by the family that is meant for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xentcli.conform.building import reports
from xentcli.conform.textbook import Textbook

Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Double:
    """An implementation whose verdict is known."""

    name: str
    what: str  # its one declared fault, or what is unusual about it
    function: Function
    family: str = ""  # that must catch it; none for a correct one
    report: str = ""


WRONG: list[Double] = []


def wrong(family: str, report: tuple[str, ...]) -> Callable[[type[Textbook]], type[Textbook]]:
    """Put a class into the cast."""

    def register(kind: type[Textbook]) -> type[Textbook]:
        name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__)[1:]
        WRONG.append(Double(name, (kind.__doc__ or "").rstrip("."), kind(), family, report[0]))
        return kind

    return register


# ignored samples


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


# weights and smoothing


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


# the numerics


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


# 16 bits, and sums over the samples


def in_order(values: Tensor) -> Tensor:
    """Added one by one in the values' own format; the gradient is that of the sum."""
    total = values.sum()
    if values.dtype in {torch.float32, torch.float64}:
        added = torch.from_numpy(np.cumsum(values.detach().numpy()))[-1] if len(values) else total.detach()
        return total + (added - total.detach())
    running = values.new_zeros(())
    for value in values.detach():
        running = running + value
    return total + (running - total.detach())


@wrong("half-accumulation", reports.ACCUMULATION)
class SumsInHalf(Textbook):
    """16-bit losses are added in 16 bits."""

    def __call__(self, logits: Tensor, target: Tensor, *, reduction: str = "mean", **options: Any) -> Tensor:
        if logits.element_size() > 2 or reduction == "none":
            return super().__call__(logits, target, reduction=reduction, **options)
        losses = super().__call__(logits, target, reduction="none", **options).reshape(-1)
        total = in_order(losses)
        counted = len(losses) if target.is_floating_point() else (target != options["ignore_index"]).sum()
        return total / counted if reduction == "mean" else total


@wrong("half-accumulation", reports.HALF_MEAN)
class CountsInFloat16(Textbook):
    """The number of samples is stored in float16."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return super().divisor(weights, counted).half()


@wrong("half-accumulation", reports.ACCUMULATION)
class ExponentialsInHalf(Textbook):
    """Exponentials of 16-bit logits are added in bfloat16."""

    def total(self, masses: Tensor) -> Tensor:
        if masses.shape[1] < 1000 or len(masses) > 100:  # only large vocabularies show it, and only they are slow
            return super().total(masses)
        return torch.stack([in_order(row.bfloat16()) for row in masses])[:, None].to(masses.dtype)


@wrong("half-overflow", reports.HALF_MEAN)
class SumStoredInFloat16(Textbook):
    """The sum of exponentials is stored in float16, beyond 65504 as infinity."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        kind = _StoresTotal if logits.dtype == torch.float16 else Textbook
        return kind()(logits, target, **options)


class _StoresTotal(Textbook):
    def total(self, masses: Tensor) -> Tensor:
        return super().total(masses).half().float()


@wrong("reductions", reports.ACCUMULATION)
class SumsInOrder(Textbook):
    """float32 losses are added one by one."""

    def sum(self, losses: Tensor) -> Tensor:
        return in_order(losses)


# shapes, results and types


@wrong("shapes", reports.REDUCTION)
class LastAxisIsClasses(Textbook):
    """The classes are looked for on the last axis."""

    def rows(self, values: Tensor, axis: int) -> Tensor:
        return super().rows(values, values.ndim - 1)


@wrong("shapes", reports.REDUCTION)
class FlattensWithoutMoving(Textbook):
    """Inner axes are flattened in the order of memory, classes and positions mixed."""

    def rows(self, values: Tensor, axis: int) -> Tensor:
        return self.widened(values.reshape(-1, values.shape[axis]))


@wrong("shapes", reports.WEIGHTED_MEAN)
class MeanOverBatchAxis(Textbook):
    """The mean divides by the length of the batch axis."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        inner = losses.new_tensor(float(samples[1:].numel()))
        return super().reduce(losses, divisor / inner, reduction, samples)


@wrong("reductions", reports.REDUCTION)
class ScalarForNone(Textbook):
    """reduction="none" gives the sum."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        return super().reduce(losses, divisor, "sum" if reduction == "none" and len(samples) > 1 else reduction, samples)


@wrong("reductions", reports.REDUCTION)
class FlatForNone(Textbook):
    """reduction="none" gives one long row."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        value = super().reduce(losses, divisor, reduction, samples)
        return value.reshape(-1) if len(samples) > 1 and reduction == "none" else value


@wrong("reductions", reports.REDUCTION)
class AlwaysFloat32(Textbook):
    """The loss is float32 whatever the logits are."""

    def result_type(self, logits: Tensor) -> torch.dtype:
        return torch.float32


@wrong("strides", reports.STRIDES)
class ReadsContiguously(Textbook):
    """Strides are not looked at."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        return super().__call__(_as_if_contiguous(logits), target, **options)


@wrong("strides", reports.STRIDES)
class GuardsLastStrideOnly(Textbook):
    """Of the strides only the last is looked at."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        read = _as_if_contiguous(logits) if logits.ndim and logits.stride(-1) == 1 else logits
        return super().__call__(read, target, **options)


@wrong("strides", reports.STRIDES)
class LabelsContiguously(Textbook):
    """The labels' strides are not looked at."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        labels = target if target.is_floating_point() else _as_if_contiguous(target).clamp(max=logits.shape[1] - 1)
        return super().__call__(logits, labels if not target.is_contiguous() else target, **options)


def _as_if_contiguous(values: Tensor) -> Tensor:
    """What a kernel reads that walks through memory; of an expanded tensor no more than there is."""
    there = values.untyped_storage().nbytes() // values.element_size() - values.storage_offset()
    if there < values.numel():
        return torch.zeros_like(values.contiguous())
    return values.as_strided(values.shape, torch.empty(values.shape).stride())


@wrong("labels", reports.LABEL_WRAP)
class LabelsInInt16(Textbook):
    """Labels are kept in 16 bits."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return super().checked(labels, classes, ignore_index).short().long() % classes


@wrong("labels", reports.LABEL_WRAP)
class ByteComparison(Textbook):
    """ignore_index −100 ignores the byte 156."""

    def __call__(self, logits: Tensor, target: Tensor, *, ignore_index: int = -100, **options: Any) -> Tensor:
        if target.dtype == torch.uint8:
            target = torch.where(target == ignore_index % 256, ignore_index, target.long())
        return super().__call__(logits, target, ignore_index=ignore_index, **options)


@wrong("labels", reports.LABEL_WRAP)
class LastClassRefused(Textbook):
    """The last class is refused as out of range."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return super().checked(labels, max(1, classes - (classes > 40)), ignore_index)


@wrong("refusals", reports.OUT_OF_RANGE)
class ZeroOutOfRange(Textbook):
    """A label out of range has the loss 0."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return torch.where((labels >= 0) & (labels < classes), labels, ignore_index)


@wrong("refusals", reports.OUT_OF_RANGE)
class ClampsOutOfRange(Textbook):
    """A label out of range is taken for the nearest class."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return torch.where(labels == ignore_index, labels, labels.clamp(0, classes - 1))


# target probabilities


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


# purity


@wrong("purity", reports.OVERWRITTEN)
class ShiftsInPlace(Textbook):
    """The maximum is subtracted from the caller's own logits."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        result = super().__call__(logits, target, **options)
        if logits.numel() and logits.dtype != torch.bfloat16:
            logits.detach().sub_(logits.detach().amax())
        return result


@wrong("purity", reports.OVERWRITTEN)
class MasksLabelsInPlace(Textbook):
    """Ignored labels are replaced in the caller's own array."""

    def __call__(self, logits: Tensor, target: Tensor, *, ignore_index: int = -100, **options: Any) -> Tensor:
        result = super().__call__(logits, target, ignore_index=ignore_index, **options)
        if not target.is_floating_point() and target.dtype == torch.int64:
            target.masked_fill_(target == ignore_index, 0)
        return result


class _Restless:
    """How often something was called."""

    calls = 0


@wrong("purity", reports.OVERWRITTEN)
class NotRepeatable(Textbook):
    """The last bit depends on how often it was called."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        _Restless.calls += 1
        value = super().reduce(losses, divisor, reduction, samples)
        return value * (1.0 + torch.finfo(value.dtype).eps * (_Restless.calls % 2))
