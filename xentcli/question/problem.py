"""What is asked: numbers with their origin, the options of the loss, and how they are cut into blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import check_type, stored_dtype
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import as_floats, as_tensor
from xentcli.question.block import Block
from xentcli.question.fitting import fitted, is_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Array, Blur, Values
    from xentcli.question.share import RowRange

Reduction = Literal["mean", "sum", "none"]

WHOLE_BYTES = 64 << 20  # of logits and target: up to here they are in memory, and torch's own reduction is called
LABEL_BYTES = 8  # of a label as torch wants it
BLOCK_BYTES = 32 << 20  # logits that are read at once
BLOCK_SAMPLES = 1 << 16  # where there are few classes, what is made of each sample must stay in the cache
HEAD_SAMPLES, HEAD_LOGITS = 1 << 14, 1 << 22  # what is looked at closely


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `torch.nn.functional.cross_entropy`, with its defaults, and how it is called."""

    weight: Array | None = None  # [classes]
    ignore_index: int = -100
    label_smoothing: float = 0.0
    reduction: Reduction = "mean"
    class_axis: int | None = None  # None is torch's: 1, or 0 for one dimension
    dtype: str | None = None  # None is the file's
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise UsageError("label_smoothing is out of range", found=str(self.label_smoothing), expected="0 to 1")
        if self.reduction not in {"mean", "sum", "none"}:
            raise UsageError("unknown reduction", found=str(self.reduction), expected="mean, sum or none")
        if self.dtype is not None and self.dtype not in PRECISIONS:
            raise UsageError("unknown dtype", found=str(self.dtype), expected=", ".join(PRECISIONS))
        _check_device(self.device)


@dataclass(frozen=True, eq=False)
class Problem:
    """Logits, their target and the options: checked against each other when it is made."""

    logits: Array
    target: Array
    options: Options
    block_bytes: int = BLOCK_BYTES
    in_parts: bool = False  # computed as parts that are added up later, so its totals are streamed whatever its size

    def __post_init__(self) -> None:
        if self.block_bytes < 1:
            raise UsageError("block_bytes is out of range", found=str(self.block_bytes), expected="1 or more")
        if not self.logits.ndim:
            raise InputError("the logits are a single number", at=self.logits.path, expected="at least one dimension")
        if not self.classes:
            raise InputError(
                "the logits have no classes", at=self.logits.path, found=f"shape {self.logits.described()}"
            )
        check_type(self.logits, self.options.dtype)
        object.__setattr__(self, "target", fitted(self.logits, self.target, self.class_axis))
        _check_weight(self.options.weight, self.classes)
        if self.logits.blur is not None and self.class_axis != 1:
            raise UsageError(
                "quantised logits have their classes on the last axis",
                found=f"--class-axis {self.options.class_axis}",
                hint="leave --class-axis out",
            )
        if not self.has_labels and self.options.ignore_index >= 0:
            raise UsageError(
                "ignore_index does not go with target probabilities",
                found=f"--ignore-index {self.options.ignore_index}, and probabilities in {self.target.path}",
                hint="give a sample that shall not count a row of zeros",
            )

    @cached_property
    def class_axis(self) -> int:
        """The class axis of the stored logits, counted from the front."""
        dimensions = self.logits.ndim
        axis = self.options.class_axis
        if axis is None:
            return min(1, dimensions - 1)
        if not -dimensions <= axis < dimensions:
            raise UsageError(
                f"the logits have no axis {axis}",
                found=f"shape {self.logits.described()}",
                expected=f"--class-axis from {-dimensions} to {dimensions - 1}",
            )
        return axis % dimensions

    @property
    def classes(self) -> int:
        return self.logits.shape[self.class_axis]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis but the class axis."""
        return self.logits.shape[: self.class_axis] + self.logits.shape[self.class_axis + 1 :]

    @property
    def samples(self) -> int:
        return math.prod(self.sample_shape)

    @property
    def sample_bytes(self) -> int:
        """What the logits of one sample take, as they are stored."""
        return self.classes * self.logits.kind.itemsize

    @property
    def dtype(self) -> str:
        """The floating-point format that the paths compute in."""
        return self.options.dtype or stored_dtype(self.logits)

    @cached_property
    def has_labels(self) -> bool:
        """Whether the target holds class indices; else it holds class probabilities."""
        return is_labels(self.target, self.sample_shape)

    @property
    def streamed(self) -> bool:
        """Whether logits and target are more than are in memory at once, so that torch's own reduction has no say."""
        target = LABEL_BYTES if self.has_labels else self.sample_bytes
        whole = self._batch * self._samples_an_entry * (self.sample_bytes + target)
        return self.in_parts or (self._batch > 1 and whole > WHOLE_BYTES)

    def spans(self, rows: RowRange | None = None) -> Iterator[tuple[int, int]]:
        """The first and the last entry but one of each block, of all rows or of these, in their order; at least one."""
        step = min(self.block_bytes // self._entry_bytes, BLOCK_SAMPLES // self._samples_an_entry)
        step = max(1, step)
        first, end = 0, self._batch
        if rows is not None:
            first, end = rows.start // self._samples_an_entry, rows.stop // self._samples_an_entry
        for start in range(first, max(first + 1, end), step):
            yield start, min(start + step, end)

    def blocks(self) -> Iterator[Block]:
        """All samples in their order; at least one block."""
        return (self.block(*span) for span in self.spans())

    def head(self) -> Block:
        """The first samples, as many as are looked at closely, whatever the size of the blocks."""
        entry = self._samples_an_entry * self.classes
        return self.block(0, max(1, min(HEAD_LOGITS // entry, HEAD_SAMPLES // self._samples_an_entry)))

    def block(self, start: int = 0, stop: int | None = None) -> Block:
        """Some entries of torch's batch axis, or all, as the paths compute with them; InputError for wrong labels."""
        stop = self._batch if stop is None else min(stop, self._batch)
        first_row = start * self._samples_an_entry
        logits = self._laid_out(self.logits, start, stop)  # [entries, C, d1, ...]
        if self.has_labels:
            target = self._labels(self._stored_labels(start, stop), first_row)
        else:
            target = as_floats(self._laid_out(self.target, start, stop), self.target.path)
        block = Block(as_floats(logits, self.logits.path), target, self._weight, first_row)
        if self.logits.blur is not None:
            block = self._quantised(block, self.logits.blur, start, stop)
        return block.cast(self.dtype, self.options.device)

    def _quantised(self, block: Block, blur: Blur, start: int, stop: int) -> Block:
        """With what is known of the losses before the logits were quantised: more of a label's own than of all."""
        if self.has_labels and not self.options.label_smoothing:
            return replace(block, ends=blur.ends(start, stop, block.target.reshape(-1).numpy()))
        return replace(block, blur=blur.spread(start, stop))

    def _laid_out(self, array: Array, start: int, stop: int) -> Values:
        """Some entries of numbers of the logits' shape, the class axis where torch wants it."""
        batch_axis = 1 if self.class_axis == 0 and array.ndim > 1 else 0
        if array.ndim == 1:  # one sample: its only axis is that of the classes
            start, stop = 0, self.classes
        values = np.moveaxis(array.read(batch_axis, start, stop), self.class_axis, min(1, array.ndim - 1))
        return np.ascontiguousarray(values) if self.streamed else values  # sums of torch depend on the strides

    def _stored_labels(self, start: int, stop: int) -> Values:
        """Some entries of the labels, of the samples' shape; text has them as one column."""
        if not self.sample_shape:
            return self.target.values.reshape(())
        each = 1 if self.target.shape == self.sample_shape else self._samples_an_entry
        return self.target.read(0, start * each, stop * each).reshape(stop - start, *self.sample_shape[1:])

    @property
    def _batch(self) -> int:
        """Entries of torch's batch axis, along which blocks are cut; 1 for one sample alone."""
        return self.sample_shape[0] if self.sample_shape else 1

    @property
    def _samples_an_entry(self) -> int:
        """Samples of one entry; counted as 1 where there are none."""
        return max(1, math.prod(self.sample_shape[1:]))

    @property
    def _entry_bytes(self) -> int:
        return self._samples_an_entry * self.sample_bytes

    @cached_property
    def _weight(self) -> torch.Tensor | None:
        weight = self.options.weight
        return None if weight is None else as_floats(weight.values.reshape(-1), weight.path)

    def _labels(self, labels: Values, first_row: int) -> torch.Tensor:
        wrong = (labels != self.options.ignore_index) & ~((labels >= 0) & (labels < self.classes))  # NaN is no class
        if labels.dtype.kind == "f":
            wrong |= labels != np.floor(labels)
        if wrong.any():
            raise self._label_error(labels.reshape(-1), first_row, int(np.argmax(wrong.reshape(-1))))
        return torch.from_numpy(labels.astype(np.int64))

    def _label_error(self, labels: Values, first_row: int, offset: int) -> InputError:
        row, label = first_row + offset, labels[offset].item()
        index = tuple(int(i) for i in np.unravel_index(row, self.target.shape)) if self.target.shape else ()
        at = f"{self.target.at(index)} (row {row})"
        if not float(label).is_integer():
            return InputError(f"label {label} is not a class index", at=at, expected="an integer")
        classes = f"the logits have {self.classes} classes, 0 to {self.classes - 1}"
        hint = (
            "labels that start at 1? subtract 1" if label == self.classes else f"padding? --ignore-index {int(label)}"
        )
        return InputError(f"label {int(label)} is out of range: {classes}", at=at, hint=hint)


def _check_weight(weight: Array | None, classes: int) -> None:
    if weight is None:
        return
    check_type(weight, None)
    if math.prod(weight.shape) != classes or sum(size > 1 for size in weight.shape) > 1:
        raise InputError(
            "the class weights do not fit the logits",
            at=weight.path,
            found=f"shape {weight.described()}",
            expected=f"{classes} numbers, one a class",
        )
    finite = as_tensor(weight.values).isfinite().numpy()
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError("a class weight is not finite", at=weight.at(index), found=str(weight.values[index]))


def _check_device(device: str) -> None:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device not in available:
        raise UsageError("unknown device", found=device, expected=", ".join(available))
    if not available[device]:
        raise UsageError(f"torch finds no {device} device here", hint="leave --device out to compute on the CPU")
