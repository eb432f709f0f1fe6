"""Correct implementations that go unusual ways; none may be flagged."""

from __future__ import annotations

import time
from importlib import import_module, util
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xentcli.conform.doubles.cast import Double
from xentcli.conform.doubles.slopes import OwnBackward
from xentcli.conform.doubles.textbook import Textbook

CHUNK = 7  # classes that an online computation sees at a time
ROWS = 256  # that a computation by blocks sees


class Float64Upcast(Textbook):
    """Everything in float64, rounded once at the end."""

    def widened(self, values: Tensor) -> Tensor:
        return values.double()


class OnlineSoftmax(Textbook):
    """Classes in chunks, with a running maximum and a sum that is rescaled when it grows."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        running = torch.full_like(shifted[:, :1], -torch.inf)
        total = torch.zeros_like(running)
        step = max(CHUNK, shifted.shape[1] // 64)
        for chunk in shifted.tensor_split(tuple(range(step, shifted.shape[1], step)), 1):
            greatest = torch.maximum(running, chunk.detach().amax(1, keepdim=True))
            base = torch.where(greatest == -torch.inf, torch.zeros_like(greatest), greatest)
            total = total * (running - base).exp() + (chunk - base).exp().sum(1, keepdim=True)
            running = greatest
        log_sum = torch.where(running == -torch.inf, torch.nan, running) + total.log()
        return log_sum.to(shifted.dtype)


class Compensated(Textbook):
    """Neumaier's compensated sum of the exponentials."""

    def total(self, masses: Tensor) -> Tensor:
        if masses.shape[1] > 500:
            return super().total(masses)
        total, lost = torch.zeros_like(masses[:, 0]), torch.zeros_like(masses[:, 0])
        for mass in masses.unbind(1):
            added = total + mass
            lost = lost + torch.where(total >= mass, (total - added) + mass, (mass - added) + total)
            total = added
        return torch.where(total.isfinite(), total + lost, total)[:, None]


def added(left: Tensor, right: Tensor) -> Tensor:
    """log(e^a + e^b), which is −inf of two −inf, with the gradient 0."""
    neither = left.isneginf() & right.isneginf()
    zero = torch.zeros_like(left)
    return torch.where(
        neither, left, torch.logaddexp(torch.where(neither, zero, left), torch.where(neither, zero, right))
    )


class LogaddexpReduce(Textbook):
    """The logarithm of the sum by pairs, never leaving the log domain."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        nothing = shifted.isneginf().all(1, keepdim=True)
        while shifted.shape[1] > 1:
            half = shifted.shape[1] // 2
            paired = added(shifted[:, :half], shifted[:, half : 2 * half])
            shifted = torch.cat((paired, shifted[:, 2 * half :]), 1)
        return torch.where(nothing, torch.nan, shifted)


class LogDomainScan(Textbook):
    """The last of a cumulative log-sum-exp."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        nothing = shifted.isneginf().all(1, keepdim=True)
        finite = shifted.clamp(min=torch.finfo(shifted.dtype).min / 2)  # the gradient at −inf is NaN
        return torch.where(nothing, torch.nan, torch.logcumsumexp(finite, 1)[:, -1:])


class OneHotEinsum(Textbook):
    """A product with one-hot rows, where classes that do not count are zeros before it."""

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        one_hot = torch.nn.functional.one_hot(safe, logs.shape[1])
        return torch.einsum("rc,rc->r", torch.where(one_hot == 1, logs, torch.zeros_like(logs)), one_hot.to(logs.dtype))


class SortedSum(Textbook):
    """The exponentials from the smallest to the greatest."""

    def total(self, masses: Tensor) -> Tensor:
        return masses.sort(1).values.sum(1, keepdim=True)


class ReversedInOrder(Textbook):
    """The exponentials one after the other, from the last class to the first."""

    def total(self, masses: Tensor) -> Tensor:
        return masses.flip(1).cumsum(1)[:, -1:]


class VocabularyShards(Textbook):
    """Three shards of the classes, each with its own maximum, put together as devices do."""

    def minus_log(self, rows: Tensor) -> Tensor:
        shards = [shard for shard in rows.tensor_split(3, 1) if shard.shape[1]]
        greatest = torch.stack([self.greatest(shard) for shard in shards]).amax(0)
        top = torch.where(rows.isneginf().all(1, keepdim=True), torch.nan, greatest)
        top = torch.where(rows.detach().amax(1, keepdim=True) < greatest, self.greatest(rows), top)
        total = torch.stack([(shard - top).exp().sum(1, keepdim=True) for shard in shards]).sum(0)
        return total.log() - (rows - top)


class LogOnePlus(Textbook):
    """log1p of the mass next to the maximum: more digits than torch has near one-hot."""

    def minus_log(self, rows: Tensor) -> Tensor:
        top = rows.detach().argmax(1, keepdim=True)
        greatest = rows.gather(1, top)
        shifted = rows - greatest
        at_top = torch.arange(rows.shape[1]) == top
        others = torch.where(at_top, torch.zeros_like(shifted), shifted.exp()).sum(1, keepdim=True)
        log_sum = torch.where(greatest.isfinite(), others.log1p(), torch.nan)
        return log_sum - torch.where(at_top & rows.isfinite(), torch.zeros_like(shifted), shifted)


class LogSoftmaxInFloat32(Textbook):
    """torch's own log_softmax, with 16 bits widened before it."""

    def minus_log(self, rows: Tensor) -> Tensor:
        return -torch.log_softmax(rows, 1)


class RowBlocks(Textbook):
    """Blocks of 256 rows, the last one with what is left."""

    def minus_log(self, rows: Tensor) -> Tensor:
        blocks = torch.split(rows, ROWS) if len(rows) else (rows,)
        return torch.cat([super(RowBlocks, self).minus_log(block) for block in blocks])


class Slow(Textbook):
    """A thousandth of a second is slept at each call."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        time.sleep(1e-3)
        return super().__call__(logits, target, **options)


class WiderLoss(Textbook):
    """The loss of 16-bit logits is float32."""

    def result_type(self, logits: Tensor) -> torch.dtype:
        return torch.float32 if logits.element_size() == 2 else logits.dtype


class ContiguousCopies(Textbook):
    """All arrays are copied before anything is read."""

    def __call__(self, logits: Tensor, target: Tensor, *, weight: Tensor | None = None, **options: Any) -> Tensor:
        own = None if weight is None else weight.contiguous()
        return super().__call__(logits.contiguous(), target.contiguous(), weight=own, **options)


class NanForStrangers(Textbook):
    """A label that is no class makes the loss NaN: on a device nothing can be raised."""

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        return labels

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        known = (safe >= 0) & (safe < logs.shape[1])
        return torch.where(known, super().gathered(logs, torch.where(known, safe, 0)), torch.nan)

    def label_weights(self, logs: Tensor, safe: Tensor, weight: Tensor | None) -> Tensor:
        return super().label_weights(logs, safe.clamp(0, logs.shape[1] - 1), weight)


class PaddedClasses(Textbook):
    """Classes of −inf are added until their number is a multiple of 8."""

    def minus_log(self, rows: Tensor) -> Tensor:
        missing = -rows.shape[1] % 8
        return super().minus_log(torch.nn.functional.pad(rows, (0, missing), value=-torch.inf))[:, : rows.shape[1]]


class GradientInOtherOrder(OwnBackward):
    """The gradient's own memory is in the opposite order of axes."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        axes = tuple(reversed(range(slopes.ndim)))
        return slopes.permute(axes).contiguous().permute(axes)


class LogitsShiftedOutside(Textbook):
    """torch.logsumexp of logits that were shifted before."""

    def log_sum(self, shifted: Tensor) -> Tensor:
        nothing = shifted.isneginf().all(1, keepdim=True)
        return torch.where(nothing, torch.nan, torch.logsumexp(shifted, 1, keepdim=True))


def with_numpy(logits: Any, target: Any, *, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
               label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """NumPy, labels by `take_along_axis`."""
    axis = min(1, logits.ndim - 1)
    samples = logits.shape[:axis] + logits.shape[axis + 1 :]
    wide = logits.astype(np.float64)
    rows = np.moveaxis(wide, axis, -1).reshape(-1, logits.shape[axis])
    with np.errstate(all="ignore"):
        shifted = rows - rows.max(1, keepdims=True, initial=-np.inf)
        logs = np.log(np.exp(shifted).sum(1, keepdims=True)) - shifted
        weights = np.ones(rows.shape[1]) if weight is None else weight.astype(np.float64)
        if target.dtype.kind == "f":
            if target.shape != logits.shape:
                raise ValueError("the target has another shape than the logits")
            soft = np.moveaxis(target.astype(np.float64), axis, -1).reshape(rows.shape)
            losses = ((soft * (1.0 - label_smoothing) + label_smoothing / rows.shape[1]) * logs * weights).sum(1)
            divisor = float(len(rows))
        else:
            if target.shape != samples:
                raise ValueError("the target has another shape than the samples")
            labels = target.reshape(-1).astype(np.int64)
            counted = labels != ignore_index
            if (counted & ((labels < 0) | (labels >= rows.shape[1]))).any():
                raise IndexError("a label is out of range")
            safe = np.where(counted, labels, 0)
            losses = (1.0 - label_smoothing) * np.take_along_axis(logs, safe[:, None], 1)[:, 0] * weights[safe]
            if label_smoothing:
                smooth = (logs * weights).sum(1) * (label_smoothing / rows.shape[1])
                losses = smooth if label_smoothing == 1.0 else losses + smooth
            losses, divisor = np.where(counted, losses, 0.0), weights[safe][counted].sum()
        result = losses.reshape(samples)
        if reduction != "none":
            result = losses.sum() / (divisor if reduction == "mean" else 1.0)
        return np.asarray(result).astype(logits.dtype)


KINDS: tuple[type[Textbook], ...] = (
    Textbook, Float64Upcast, OnlineSoftmax, Compensated, LogaddexpReduce, LogDomainScan, OneHotEinsum, SortedSum,
    ReversedInOrder, VocabularyShards, LogOnePlus, LogSoftmaxInFloat32, OwnBackward, RowBlocks, Slow, WiderLoss,
    ContiguousCopies, NanForStrangers, PaddedClasses, GradientInOtherOrder, LogitsShiftedOutside,
)  # fmt: skip


def with_jax(logits: Any, target: Any, *, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
             label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """JAX's own log_softmax, 16 bits widened before it."""
    jax = import_module("jax")
    array = jax.numpy
    axis = min(1, logits.ndim - 1)
    rows = array.moveaxis(logits, axis, -1).reshape(-1, logits.shape[axis])
    rows = rows.astype(array.float32) if rows.dtype.itemsize == 2 else rows
    weights = array.ones(rows.shape[1], rows.dtype) if weight is None else weight.astype(rows.dtype)
    if array.issubdtype(target.dtype, array.floating):
        soft = array.moveaxis(target, axis, -1).reshape(rows.shape).astype(rows.dtype)
        soft = soft * (1.0 - label_smoothing) + label_smoothing / rows.shape[1] if label_smoothing else soft
        losses = (soft * -jax.nn.log_softmax(rows, 1) * weights).sum(1)
        divisor = float(len(rows))
    else:
        labels = target.reshape(-1).astype(array.int64)
        counted = labels != ignore_index
        safe = array.where(counted, labels, 0)
        logs = -jax.nn.log_softmax(array.where(counted[:, None], rows, 0.0), 1)
        known = (safe >= 0) & (safe < rows.shape[1])
        picked = array.take_along_axis(logs, array.clip(safe, 0, rows.shape[1] - 1)[:, None], 1)[:, 0]
        losses = array.where(known, picked * weights[safe], array.nan)
        if label_smoothing:
            smooth = (logs * weights).sum(1) * (label_smoothing / rows.shape[1])
            losses = smooth if label_smoothing == 1.0 else (1.0 - label_smoothing) * losses + smooth
        losses, divisor = array.where(counted, losses, 0.0), array.where(counted, weights[safe], 0.0).sum()
    result = losses.reshape(logits.shape[:axis] + logits.shape[axis + 1 :])
    if reduction != "none":
        result = losses.sum() / (divisor if reduction == "mean" else 1.0)
    return result.astype(logits.dtype)


def right() -> list[Double]:
    """The correct ones; JAX's where that is installed."""
    cast = [Double(kind.__name__, (kind.__doc__ or "").splitlines()[0], kind()) for kind in KINDS]
    cast.append(Double("numpy", "NumPy alone, in float64", with_numpy, arrays="numpy"))
    if util.find_spec("jax") is not None:
        cast.append(Double("jax", "JAX's own log_softmax", with_jax, arrays="jax"))
    return cast
