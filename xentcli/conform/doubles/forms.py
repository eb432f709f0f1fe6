"""Wrong in shapes, strides, types, labels, and in what is done to the inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook


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


@wrong("sizes", reports.INDEX_OVERFLOW)
class IndexWraps(Textbook):
    """Rows are counted in too few bits: in 16, as others do in 32."""

    def rows(self, values: Tensor, axis: int) -> Tensor:
        rows = super().rows(values, axis)
        return rows if len(rows) <= 1 << 16 else rows[torch.arange(len(rows)) % (1 << 16)]


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
        return super().reduce(
            losses, divisor, "sum" if reduction == "none" and len(samples) > 1 else reduction, samples
        )


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
