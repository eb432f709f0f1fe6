"""Doubles whose gradient is wrong where a kernel's blocks end, its strides are unusual or its numbers are special."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.slopes import OwnBackward
from xentcli.conform.doubles.textbook import Textbook

BLOCK = 1024  # classes that a kernel loads at a time
ROWS = 256  # rows of a grid


def classes_first(values: Tensor) -> Tensor:
    """A view with the class axis in front."""
    return values.movedim(min(1, values.ndim - 1), 0)


def first(slopes: Tensor, classes: int) -> Tensor:
    """The gradient of so many classes, 0 for the others."""
    kept = slopes.clone()
    classes_first(kept)[classes:] = 0.0
    return kept


@wrong("gradient-classes", reports.INDEX_OVERFLOW)
class GradientOfEightClasses(OwnBackward):
    """The gradient is 0 from the ninth class on."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return first(slopes, 8)


@wrong("gradient-classes", reports.INDEX_OVERFLOW)
class GradientOfFirstBlock(OwnBackward):
    """The gradient is 0 beyond the first 1,024 classes."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return first(slopes, BLOCK)


@wrong("gradient-classes", reports.INDEX_OVERFLOW)
class LastBlockWithoutGradient(OwnBackward):
    """The last block of classes, which is not full, has no gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        classes = len(classes_first(slopes))
        return first(slopes, classes - classes % BLOCK) if classes > BLOCK else slopes


@wrong("gradient-classes", reports.INDEX_OVERFLOW)
class BordersWithoutGradient(OwnBackward):
    """The first class of each block but the first has no gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        slopes = slopes.clone()
        classes_first(slopes)[BLOCK::BLOCK] = 0.0
        return slopes


@wrong("gradient-classes", reports.INDEX_OVERFLOW)
class OddClassTwice(OwnBackward):
    """Classes are taken in pairs, and the last of an odd number counts twice."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        slopes = slopes.clone()
        if len(classes_first(slopes)) > 64 and len(classes_first(slopes)) % 2:
            classes_first(slopes)[-1] *= 2.0
        return slopes


class _MovesLabel(OwnBackward):
    """Takes 1 from another class than the label."""

    def moved(self, labels: Tensor) -> Tensor:
        return labels

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if target.ndim != 1 or target.is_floating_point() or options.get("weight") is not None:
            return slopes
        counted = target.long() != options["ignore_index"]
        share = counted.to(slopes.dtype)[:, None]
        if options.get("reduction", "mean") == "mean":
            share = share / counted.sum()
        labels = torch.where(counted, target.long(), 0)[:, None]
        moved = self.moved(labels)
        kept = torch.where(moved < 0, 0.0, share)
        return slopes.scatter_add(1, labels, share).scatter_add(1, moved.clamp(min=0), -kept)


@wrong("gradient-classes", reports.LABEL_WRAP)
class LabelModuloBlock(_MovesLabel):
    """The label's 1 is taken from the class at its place in the first block."""

    def moved(self, labels: Tensor) -> Tensor:
        return labels % BLOCK


@wrong("gradient-classes", reports.LABEL_WRAP)
class LabelInFirstBlockAlone(_MovesLabel):
    """A label beyond the first block takes its 1 from no class."""

    def moved(self, labels: Tensor) -> Tensor:
        return torch.where(labels < BLOCK, labels, -1)


@wrong("gradient-classes", reports.LABEL_WRAP)
class LabelWrapsBackward(_MovesLabel):
    """In backward alone, labels are kept in 15 bits."""

    def moved(self, labels: Tensor) -> Tensor:
        return labels % (1 << 15)


@wrong("gradient-rows", reports.INDEX_OVERFLOW)
class GradientOfEightRows(OwnBackward):
    """The gradient is 0 from the ninth row on."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        slopes = slopes.clone()
        slopes[8:] = 0.0
        return slopes


@wrong("gradient-rows", reports.INDEX_OVERFLOW)
class RaggedRowsWithoutGradient(OwnBackward):
    """The last block of 256 rows, which is not full, has no gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        slopes = slopes.clone()
        if len(slopes) > ROWS:
            slopes[len(slopes) // ROWS * ROWS :] = 0.0
        return slopes


@wrong("gradient-rows", reports.INDEX_OVERFLOW)
class RowsWrapBackward(OwnBackward):
    """In backward alone, rows are counted in 16 bits."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes if len(slopes) <= 1 << 16 else slopes[torch.arange(len(slopes)) % (1 << 16)]


@wrong("gradient-rows", reports.INDEX_OVERFLOW)
class OffsetsInInt16(OwnBackward):
    """Elements of the gradient are counted in 16 bits, and those beyond are never written."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        written = torch.arange(slopes.numel()).reshape(slopes.shape) < 1 << 16
        return torch.where(written | torch.tensor(slopes.shape[min(1, slopes.ndim - 1)] > 64), slopes, 0.0)


@wrong("gradient-rows", reports.WEIGHTED_MEAN)
class RowsCountedInByte(OwnBackward):
    """The mean's gradient divides by the number of rows in a byte."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        rows = len(slopes)
        return slopes * rows / (rows % 256) if options.get("reduction", "mean") == "mean" and rows > 256 else slopes


class _OwnSoftmax(OwnBackward):
    """Plain labels' gradient from a softmax of its own."""

    def softmax(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, 1)

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if logits.ndim != 2 or target.is_floating_point() or options.get("weight") is not None:
            return slopes
        if options.get("label_smoothing") or options.get("reduction", "mean") != "none":
            return slopes
        wide = logits.float() if logits.element_size() == 2 else logits
        counted = (target.long() != options["ignore_index"])[:, None]
        labels = torch.where(counted[:, 0], target.long(), 0)
        slope = self.softmax(wide) - torch.nn.functional.one_hot(labels, logits.shape[1])
        return torch.where(counted, slope, torch.zeros_like(slope)).to(slopes.dtype)


@wrong("gradient-numbers", reports.UNDERFLOW)
class UnshiftedBackward(_OwnSoftmax):
    """exp without subtracting the maximum, in backward alone."""

    def softmax(self, logits: Tensor) -> Tensor:
        masses = logits.exp()
        return masses / masses.sum(1, keepdim=True)


@wrong("gradient-numbers", reports.OFFSET)
class BackwardFromLogSumExp(_OwnSoftmax):
    """exp(x − logsumexp(x)), whose difference loses the digits that a common offset has."""

    def softmax(self, logits: Tensor) -> Tensor:
        return (logits - torch.logsumexp(logits, 1, keepdim=True)).exp()


@wrong("gradient-numbers", reports.OFFSET)
class BackwardMaximumFromMinusTenThousand(_OwnSoftmax):
    """The maximum starts at −10,000, in backward alone."""

    def softmax(self, logits: Tensor) -> Tensor:
        masses = (logits - logits.amax(1, keepdim=True).clamp(min=-10000.0)).exp()
        return masses / masses.sum(1, keepdim=True)


@wrong("gradient-numbers", reports.HALF_MEAN)
class ProbabilityOfFiveBits(_OwnSoftmax):
    """The softmax of 16-bit logits is kept in steps of 1/32."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return super().slopes(slopes, logits, target, options) if logits.element_size() == 2 else slopes

    def softmax(self, logits: Tensor) -> Tensor:
        return (super().softmax(logits) * 32.0).round() / 32.0


@wrong("gradient-numbers", reports.CLIPPED)
class ConfidentIsCertain(_OwnSoftmax):
    """A probability above 0.99 counts as 1."""

    def softmax(self, logits: Tensor) -> Tensor:
        chances = super().softmax(logits)
        return torch.where(chances > 0.99, torch.ones_like(chances), chances)


@wrong("gradient-numbers", reports.MASKED)
class MaskedGradientIsNan(OwnBackward):
    """A masked class has the gradient NaN: 0·inf."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return torch.where(logits.isneginf(), torch.nan, slopes).to(slopes.dtype)


@wrong("gradient-numbers", reports.MASKED)
class MaskedGradientLeaks(OwnBackward):
    """A masked class has a gradient of 1e-6."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return torch.where(logits.isneginf(), 1e-6, slopes).to(slopes.dtype)


@wrong("gradient-numbers", reports.MASKED)
class LogaddexpOfMasked(Textbook):
    """The log-sum-exp of two masked classes has the gradient NaN."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        while 1 < shifted.shape[1] < 64:
            half = shifted.shape[1] // 2
            paired = torch.logaddexp(shifted[:, :half], shifted[:, half : 2 * half])
            shifted = torch.cat((paired, shifted[:, 2 * half :]), 1)
        return torch.logsumexp(shifted, 1, keepdim=True)


@wrong("gradient-numbers", reports.UNDERFLOW)
class GradientThroughUnderflow(OwnBackward):
    """The gradient of log(softmax): where the label's probability is 0, so is the gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if logits.ndim != 2 or target.is_floating_point():
            return slopes
        labels = torch.where(target.long() == options["ignore_index"], 0, target.long())[:, None]
        lost = torch.softmax(logits, 1).gather(1, labels) == 0.0
        return torch.where(lost, torch.zeros_like(slopes), slopes)


@wrong("gradient-numbers", reports.UNDERFLOW)
class TiesToTheFirst(_OwnSoftmax):
    """Of several classes at the maximum the first has all their probability."""

    def softmax(self, logits: Tensor) -> Tensor:
        chances = super().softmax(logits)
        tied = (logits == logits.amax(1, keepdim=True)) & logits.isfinite()
        total = (chances * tied).sum(1, keepdim=True)
        first_of_all = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1])
        return torch.where(tied, total * first_of_all, chances)


@wrong("gradient-numbers", reports.UNDERFLOW)
class SmoothPartOfPossibleClasses(OwnBackward):
    """A class whose probability underflows has no smooth part."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        lost = (torch.softmax(logits, min(1, logits.ndim - 1)) == 0.0) & bool(options.get("label_smoothing"))
        return torch.where(lost, torch.zeros_like(slopes), slopes)


class _IgnoredRows(OwnBackward):
    """Does something to the rows that are ignored."""

    def of_ignored(self, slopes: Tensor, logits: Tensor) -> Tensor:
        return slopes

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if target.is_floating_point() or target.ndim != 1:
            return slopes
        ignored = (target.long() == options["ignore_index"])[:, None]
        return torch.where(ignored, self.of_ignored(slopes, logits), slopes)


@wrong("gradient-ignored", reports.IGNORED_DENOMINATOR)
class IgnoredGradientTimesZero(_IgnoredRows):
    """An ignored row's gradient is multiplied by zero, which keeps a NaN."""

    def of_ignored(self, slopes: Tensor, logits: Tensor) -> Tensor:
        return torch.softmax(logits, 1) * 0.0


@wrong("gradient-ignored", reports.IGNORED_DENOMINATOR)
class IgnoredGradientUnwritten(_IgnoredRows):
    """An ignored row is left as it is in the buffer of the logits, unless it is finite."""

    def of_ignored(self, slopes: Tensor, logits: Tensor) -> Tensor:
        return torch.where(logits.isfinite().all(1, keepdim=True), slopes, logits)


@wrong("gradient-ignored", reports.MASKED)
class IgnoredNanReachesAll(OwnBackward):
    """A NaN or an infinity in an ignored row makes every gradient NaN."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        reached = logits.isnan().any() | logits.isposinf().any()
        return slopes + torch.where(reached, torch.nan, 0.0).to(slopes.dtype)


@wrong("gradient-strides", reports.STRIDES)
class TransposedReturnsLogits(OwnBackward):
    """Logits that are not contiguous come back as their own gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes if logits.is_contiguous() else logits.clone()


@wrong("gradient-strides", reports.STRIDES)
class WrittenInOrderOfMemory(OwnBackward):
    """The gradient is written as if it were contiguous, into memory that lies as the logits do."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if logits.is_contiguous() or 0 in logits.stride() or sorted(logits.stride())[0] != 1:
            return slopes
        axes = sorted(range(logits.ndim), key=logits.stride().__getitem__, reverse=True)
        sizes = [logits.shape[axis] for axis in axes]
        return slopes.contiguous().reshape(sizes).permute([axes.index(axis) for axis in range(logits.ndim)])


@wrong("gradient-strides", reports.STRIDES)
class GapsAreWritten(OwnBackward):
    """The gaps between padded or sliced logits take part of the gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        span = sum((size - 1) * stride for size, stride in zip(logits.shape, logits.stride(), strict=True)) + 1
        if span <= logits.numel():
            return slopes
        room = torch.zeros(max(span, slopes.numel()), dtype=slopes.dtype)
        room[: slopes.numel()] = slopes.reshape(-1)
        return room.as_strided(logits.shape, logits.stride()).clone()


@wrong("gradient-strides", reports.STRIDES)
class ExpandedRowOnce(OwnBackward):
    """Of an expanded row the first copy has all of the gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if logits.ndim != 2 or logits.stride(0) or len(logits) < 2:
            return slopes
        return torch.cat((slopes.sum(0, keepdim=True), torch.zeros_like(slopes[1:])))


@wrong("gradient-strides", reports.STRIDES)
class ChannelsLastGradientReversed(OwnBackward):
    """Of images with their channels last the positions come back in another order."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        images = logits.ndim == 4 and logits.stride(1) == 1
        return slopes.transpose(2, 3).reshape(slopes.shape) if images else slopes


@wrong("gradient-strides", reports.STRIDES)
class LabelsContiguouslyBackward(_MovesLabel):
    """In backward alone, the labels' strides are not looked at."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if target.is_contiguous() or target.ndim != 1:
            return slopes
        return slopes.roll(1, 1)


@wrong("gradient-upstream", reports.EXPANDED)
class UpstreamInOrderOfMemory(OwnBackward):
    """An upstream gradient of two axes is read as if it were contiguous."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        if upstream.ndim == 2 and not upstream.is_contiguous() and upstream.stride(0) == 1:
            upstream = upstream.t().reshape(upstream.shape)
        return super().backward(upstream, slopes, axis)


@wrong("gradient-upstream", reports.EXPANDED)
class UpstreamOfPaddedRows(OwnBackward):
    """The upstream gradient's rows are taken to lie end to end."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        if upstream.ndim == 2 and upstream.stride(0) > upstream.shape[1] and upstream.stride(1) == 1:
            upstream = upstream.as_strided(upstream.shape, (upstream.shape[1], 1))
        return super().backward(upstream, slopes, axis)


@wrong("gradient-upstream", reports.UPSTREAM)
class UpstreamMean(OwnBackward):
    """All rows take the mean of the upstream gradient."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return slopes * upstream.mean()


@wrong("gradient-upstream", reports.UPSTREAM)
class UpstreamTwice(OwnBackward):
    """The gradient is scaled by the upstream gradient twice."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return super().backward(upstream * upstream, slopes, axis)


@wrong("gradient-upstream", reports.UPSTREAM)
class UpstreamWithoutSign(OwnBackward):
    """The upstream gradient's sign is lost."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return super().backward(upstream.abs(), slopes, axis)


@wrong("gradient-upstream", reports.UPSTREAM)
class UpstreamAddsUp(OwnBackward):
    """A second backward adds to what the first one gave."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        given = super().backward(upstream, slopes, axis)
        slopes.add_(slopes)
        return given
