"""Wrong in what is done to labels, target probabilities and options, and in what is left behind by a call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.slopes import OwnBackward
from xentcli.conform.doubles.textbook import Textbook


class _AnyShape(Textbook):
    """Does not look at the target's shape."""

    def refuse_shape(self, target: Tensor, shape: torch.Size) -> None:
        pass

    def fitted(self, target: Tensor, samples: torch.Size) -> Tensor:
        return target

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        axis = min(1, logits.ndim - 1)
        samples = logits.shape[:axis] + logits.shape[axis + 1 :]
        fits = target.is_floating_point() or target.shape == samples
        return super().__call__(logits, target if fits else self.fitted(target, samples), **options)


@wrong("refusals", reports.REDUCTION)
class ColumnOfLabels(_AnyShape):
    """Labels of shape (N, 1) meet losses of shape (N) as N × N."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if target.is_floating_point() or target.ndim != 2 or logits.ndim != 2:
            return super().__call__(logits, target, **options)
        logs = self.minus_log(self.rows(logits, 1))
        losses = logs[:, target.reshape(-1)]
        return losses.diagonal() if options["reduction"] == "none" else losses.mean()


@wrong("refusals", reports.REDUCTION)
class ExtraLabelsUnread(_AnyShape):
    """Labels beyond the rows are not read."""

    def fitted(self, target: Tensor, samples: torch.Size) -> Tensor:
        return target.reshape(-1)[: samples.numel()].reshape(samples)


@wrong("refusals", reports.REDUCTION)
class MissingLabelsAreZero(_AnyShape):
    """Rows beyond the labels have the label 0."""

    def fitted(self, target: Tensor, samples: torch.Size) -> Tensor:
        padded = torch.cat((target.reshape(-1), target.new_zeros(samples.numel())))
        return padded[: samples.numel()].reshape(samples)


@wrong("refusals", reports.REDUCTION)
class OneLabelForAll(_AnyShape):
    """A scalar is the label of all rows."""

    def fitted(self, target: Tensor, samples: torch.Size) -> Tensor:
        return target.expand(samples) if not target.ndim else target


@wrong("refusals", reports.REDUCTION)
class OneTargetForAll(_AnyShape):
    """One row of target probabilities is that of all rows."""

    def of_probabilities(
        self, rows: Tensor, target: Tensor, weight: Tensor | None, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        return super().of_probabilities(rows, target.expand_as(rows), weight, smoothing)


@wrong("refusals", reports.OUT_OF_RANGE)
class NegativeFromTheEnd(Textbook):
    """A negative label counts from the last class."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return super().checked(torch.where(labels == ignore_index, labels, labels % classes), classes, ignore_index)


@wrong("labels", reports.LABEL_WRAP)
class BytesAreSigned(Textbook):
    """A byte is read with a sign: 156 is −100."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        return super().__call__(logits, target.to(torch.int8) if target.dtype == torch.uint8 else target, **options)


@wrong("labels", reports.LABEL_WRAP)
class BytesAreMask(Textbook):
    """Bytes of 0 and 1 are taken for a mask: the samples where it is set count, and have the class 1."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if target.dtype == torch.uint8 and bool((target <= 1).all()):
            target = torch.where(target == 1, 1, options["ignore_index"])
        return super().__call__(logits, target, **options)


@wrong("labels", reports.LABEL_WRAP)
class LabelsInUint16(Textbook):
    """Labels are kept in 16 bits without a sign."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        known = super().checked(labels, classes, ignore_index)
        return torch.where(known == ignore_index, known, known % (1 << 16))


class _StoredFirst(Textbook):
    """Labels are cast before anything is done with them."""

    kind: torch.dtype

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return super().checked(labels.to(self.kind).long(), classes, ignore_index)


@wrong("labels", reports.LABEL_WRAP)
class LabelsInInt8(_StoredFirst):
    """Labels are kept in 8 bits: 156 is -100, and ignored."""

    kind = torch.int8


@wrong("ignored", reports.LABEL_WRAP)
class LabelsInUint8(_StoredFirst):
    """Labels are kept in 8 bits without a sign: -100 is 156, and is not ignored."""

    kind = torch.uint8


@wrong("labels", reports.LABEL_WRAP)
class LabelsInFloat16(Textbook):
    """Labels pass through float16, which has integers to 2,048."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return super().checked(labels, classes, ignore_index).half().clamp(max=65504.0).long() % classes


@wrong("ignored", reports.IGNORED_DEFAULT)
class ZeroIsPadding(Textbook):
    """The label 0 is ignored, too."""

    def counted(self, labels: Tensor, ignore_index: int) -> Tensor:
        return (labels != ignore_index) & (labels != 0)


@wrong("ignored", reports.IGNORED_BEYOND)
class IgnoreComparedInByte(Textbook):
    """ignore_index is compared after the cast to a byte."""

    def counted(self, labels: Tensor, ignore_index: int) -> Tensor:
        return labels.to(torch.int8) != ignore_index


@wrong("ignored", reports.ALL_IGNORED)
class AllIgnoredIsRefused(Textbook):
    """A batch in which nothing counts is an error."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        if len(counted) and not counted.any():
            raise ValueError("all labels are ignored")
        return super().divisor(weights, counted)


@wrong("ignored", reports.IGNORED_DENOMINATOR)
class IgnoredAreDropped(Textbook):
    """Ignored samples are left out of the result of reduction="none"."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        if reduction == "none" and bool((losses == 0.0).any()) and len(samples) == 1:
            return losses[losses != 0.0]
        return super().reduce(losses, divisor, reduction, samples)


@wrong("weights", reports.WEIGHTED_MEAN)
class WeightsSquared(Textbook):
    """The loss takes the weight of its label twice."""

    def label_weights(self, logs: Tensor, safe: Tensor, weight: Tensor | None) -> Tensor:
        return super().label_weights(logs, safe, weight) ** 2


@wrong("weights", reports.WEIGHTED_MEAN)
class WeightsNormalised(Textbook):
    """The weights are scaled to a mean of 1."""

    def label_weights(self, logs: Tensor, safe: Tensor, weight: Tensor | None) -> Tensor:
        return super().label_weights(logs, safe, None if weight is None else weight / weight.mean())


@wrong("weights", reports.WEIGHTED_MEAN)
class AllWeightsInDenominator(Textbook):
    """The mean divides by the sum of the classes' weights."""

    def of_labels(
        self, rows: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        losses, divisor = super().of_labels(rows, labels, weight, ignore_index, smoothing)
        return losses, divisor if weight is None else weight.sum()


@wrong("smoothing", reports.SMOOTHING_OTHERS)
class SmoothsByLastAxis(Textbook):
    """The smoothed share is spread over the length of the last axis."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        own = _SmoothsBy(logits.shape[-1] if logits.ndim > 2 else 0)
        return own(logits, target, **options)


class _SmoothsBy(Textbook):
    def __init__(self, length: int) -> None:
        self.length = length

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        spread = logs if weight is None else logs * weight
        smooth = spread.sum(1) * (smoothing / (self.length or logs.shape[1]))
        return smooth if smoothing == 1.0 else (1.0 - smoothing) * losses + smooth


@wrong("smoothing", reports.UNDERFLOW)
class SmoothPartUnderflows(Textbook):
    """The smooth part is of logarithms of a rounded softmax."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return super().smoothed(losses, -(-logs).exp().log(), safe, weight, smoothing)


@wrong("smoothing", reports.MASKED)
class SmoothPartOfUnmasked(Textbook):
    """Masked classes take no part in the smoothing."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return super().smoothed(losses, torch.where(logs.isinf(), 0.0, logs), safe, weight, smoothing)


@wrong("smoothing", reports.SMOOTHING_OTHERS)
class SmoothingSquared(Textbook):
    """The label keeps 1 − ε of its smoothed share."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return super().smoothed((1.0 - smoothing) * losses, logs, safe, weight, smoothing)


@wrong("probabilities", reports.SMOOTHING_OTHERS)
class SoftIsNotSmoothed(Textbook):
    """Target probabilities are not smoothed."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        return target


@wrong("probabilities", reports.NORMALISED)
class Divergence(Textbook):
    """The entropy of the target is taken off: a divergence."""

    def of_probabilities(
        self, rows: Tensor, target: Tensor, weight: Tensor | None, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        losses, divisor = super().of_probabilities(rows, target, weight, smoothing)
        return losses + torch.special.xlogy(target, target).sum(1), divisor


@wrong("probabilities", reports.CLIPPED)
class TargetClipped(Textbook):
    """Target probabilities are clipped at 1e-3."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        return super().soft(target.clamp(min=1e-3), smoothing)


@wrong("reductions", reports.REDUCTION)
class SumForMean(Textbook):
    """reduction="mean" gives the sum."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        return super().reduce(losses, divisor, "sum" if reduction == "mean" else reduction, samples)


@wrong("reductions", reports.REDUCTION)
class KeepsAnAxis(Textbook):
    """A reduced loss has the shape (1,)."""

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        value = super().reduce(losses, divisor, reduction, samples)
        return value if reduction == "none" else value[None]


@wrong("strides", reports.STRIDES)
class AnyStrangerIsChannelsLast(Textbook):
    """What is not contiguous is taken for channels last."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if logits.ndim > 2 and not logits.is_contiguous() and logits.stride(1) != 1 and min(logits.stride()) == 1:
            moved = logits.movedim(1, -1).shape
            flat = logits.as_strided((logits.numel(),), (1,))
            logits = flat.reshape(moved).movedim(-1, 1)
        return super().__call__(logits, target, **options)


@wrong("strides", reports.STRIDES)
class ProbabilitiesContiguously(Textbook):
    """The strides of target probabilities are not looked at."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if target.is_floating_point() and not target.is_contiguous():
            target = target.t().reshape(target.shape)
        return super().__call__(logits, target, **options)


@wrong("purity", reports.TWICE)
class CoarseWithGradient(Textbook):
    """Where a gradient is wanted, the loss is computed in bfloat16."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        loss = super().__call__(logits, target, **options)
        return loss + (loss.bfloat16().to(loss.dtype) - loss).detach() if logits.requires_grad else loss


@wrong("purity", reports.TWICE)
class CoarseWithoutGradient(Textbook):
    """Where no gradient is wanted, the loss is computed in bfloat16."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        loss = super().__call__(logits, target, **options)
        return loss if logits.requires_grad else loss.bfloat16().to(loss.dtype)


@wrong("purity", reports.TWICE)
class KeepsTheFirstAnswer(Textbook):
    """Answers are kept by the shape of the question."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Tensor] = {}

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        key = logits.shape, options["reduction"], options["label_smoothing"]
        loss = super().__call__(logits, target, **options)
        known = self.known.setdefault(key, loss.detach())
        return loss + (known.to(loss.dtype) - loss).detach()


@wrong("purity", reports.TWICE)
class SecondCallAddsUp(OwnBackward):
    """The buffer of the gradient is not cleared between two calls."""

    def __init__(self) -> None:
        self.buffer: Tensor | None = None

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        left = self.buffer if self.buffer is not None and self.buffer.shape == slopes.shape else 0.0
        self.buffer = slopes + left
        return self.buffer.clone()


@wrong("half-overflow", reports.HALF_MEAN)
class HalfLossesAddedInFloat16(Textbook):
    """float16 losses are added up in float16, and divided by their number afterwards."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        if logits.dtype != torch.float16 or options["reduction"] != "mean":
            return super().__call__(logits, target, **options)
        total = super().__call__(logits, target, **(options | {"reduction": "sum"}))
        return total / target.numel()
