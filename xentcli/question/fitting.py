"""Whether a target fits logits, and how: its axes of length 1 fall away, and one-hot rows of integers are labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, Reader, reshaped, without_ones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Values

    Shape = tuple[int, ...]

CLASS_AXIS = 1  # of the two classes that one logit a sample stands for
ROWS_SHOWN = 1 << 20  # numbers of a target that are looked through at once


def fitted(logits: Array, target: Array, class_axis: int) -> Array:
    """The target as labels of the samples' shape, or as probabilities of the logits' shape; InputError for neither.

    Integers are labels, floats of the logits' shape probabilities, and floats of the samples' shape labels, which must
    be whole. The labels of all samples may stand in one column of text.
    """
    samples = without(logits.shape, class_axis)
    if is_labels(target, samples):
        return target
    if target.shape == logits.shape:
        if not target.typed or target.kind.kind in "fV":
            return target
        if logits.shape[class_axis] > 1:
            return _one_hot(logits, target, class_axis)
    elif without_ones(target.shape) == without_ones(samples) and target.kind.kind in "iuf":
        return reshaped(target, samples)
    raise _refusal(logits, target, class_axis)


def is_labels(target: Array, samples: Shape) -> bool:
    """Whether its shape and type are those of labels."""
    column = not target.typed and target.shape == (math.prod(samples), 1)
    return column or (target.shape == samples and target.kind.kind in "iuf")


def without(shape: Shape, axis: int) -> Shape:
    """The sizes of the other axes."""
    return shape[:axis] + shape[axis + 1 :]


@dataclass(frozen=True, eq=False)
class Places:
    """The reader of labels as one-hot rows have them: where the only 1 is; InputError for a row that has none."""

    logits: Array
    target: Array
    class_axis: int

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        own = axis + (axis >= self.class_axis) if self.target.ndim > 1 else 0
        bounds = (0, self.target.shape[0]) if self.target.ndim == 1 else (start, stop)
        rows = self.target.read(own, *bounds)
        ones, zeros = (np.count_nonzero(rows == value, axis=self.class_axis) for value in (1, 0))
        wrong = (ones != 1) | (ones + zeros != rows.shape[self.class_axis])
        if wrong.any():
            first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            index = tuple(int(place) + start * (other == axis) for other, place in enumerate(first))
            raise InputError(
                "a row of integers is neither one-hot nor a label",
                at=f"{self.target.path}, sample {list(index)}",
                found=f"{int(ones[first])} ones and {int(zeros[first])} zeros in {rows.shape[self.class_axis]} classes",
                expected="a single 1, and 0 for each other class",
                hint=self._hint(rows, own),
            )
        labels: Values = np.asarray(np.argmax(rows == 1, axis=self.class_axis))  # of one sample a number alone
        return labels

    def _hint(self, rows: Values, own: int) -> str:
        """The other axis along which each row has a single 1, or what else such numbers may be."""
        others = [axis for axis in range(rows.ndim) if axis not in {self.class_axis, own} and _is_one_hot(rows, axis)]
        if others:
            return _command(self.logits, self.target, others[-1])
        if np.isin(rows, (0, 1)).all():
            return "several classes a sample, or none? cross-entropy wants one; a sample that does not count: its label"
        return "target probabilities? save them as floats: array.astype('float32')"


def _is_one_hot(rows: Values, axis: int) -> bool:
    """Whether each row along an axis has a single 1, and zeros."""
    return bool(np.isin(rows, (0, 1)).all() and (np.count_nonzero(rows, axis=axis) == 1).all())


def _one_hot(logits: Array, target: Array, class_axis: int) -> Array:
    def place(index: Shape) -> str:
        return target.place((*index[:class_axis], 0, *index[class_axis:]))

    read: Reader = Places(logits, target, class_axis)
    shape = without(target.shape, class_axis)
    return replace(
        target, shape=shape, kind=np.dtype(np.int64), read=read, place=place, dtype=f"{target.dtype}, one-hot"
    )


def _refusal(logits: Array, target: Array, class_axis: int) -> InputError:
    samples = without(logits.shape, class_axis)
    probabilities = f"floats of shape {logits.shape} (probabilities)"
    return InputError(
        "the target does not fit the logits",
        at=target.path,
        found=f"{target.dtype} of shape {target.shape}, for logits of shape {logits.shape} in {logits.path}",
        expected=f"integers of shape {samples} (labels) or {probabilities}",
        hint=next(_hints(logits, target, class_axis)),
    )


def _hints(logits: Array, target: Array, class_axis: int) -> Iterator[str]:
    """What may be meant, the surest first."""
    as_integers = replace(target, kind=np.dtype(np.int64)) if target.kind.kind == "b" else target
    axes = [axis for axis in range(logits.ndim) if axis != class_axis and _fits(logits.shape, as_integers, axis)]
    if len(axes) == 1 and logits.shape[axes[0]] == 1:
        yield one_output(logits, target)
    if target.kind.kind == "b":
        yield "labels of two classes? save them as integers: array.astype('int64')"
    if len(axes) == 1:
        yield f"--class-axis {_named(axes[0], logits.ndim)}"
    if axes:
        named = " or ".join(f"--class-axis {_named(axis, logits.ndim)}" for axis in axes)
        yield f"which axis holds the classes? {named}"
    swapped = [axis for axis in range(target.ndim) if _fits(target.shape, logits, axis)]
    if swapped and math.prod(target.shape) > math.prod(logits.shape):
        axis = min(1, target.ndim - 1) if min(1, target.ndim - 1) in swapped else swapped[0]
        yield f"are the logits and the labels swapped? {_command(target, logits, axis)}"
    if logits.ndim == 1 and target.shape == logits.shape:
        yield one_output(logits, target)
    flat = [axis for axis in range(logits.ndim) if target.shape == (math.prod(without(logits.shape, axis)),)]
    if flat and logits.ndim > 2:
        axis = class_axis if class_axis in flat else flat[-1]
        yield _unflattened(logits, target, axis)
    count, samples = math.prod(target.shape), math.prod(without(logits.shape, class_axis))
    yield f"labels of another file? these are {count:,}, and the logits have {samples:,} samples"


def _fits(shape: Shape, target: Array, axis: int) -> bool:
    samples = without(shape, axis)
    return is_labels(target, samples) or (
        without_ones(target.shape) == without_ones(samples) and target.kind.kind in "iuf"
    )


def _named(axis: int, dimensions: int) -> int:
    return -1 if axis == dimensions - 1 else axis


def _command(logits: Array, target: Array, axis: int) -> str:
    option = "" if axis == min(1, logits.ndim - 1) else f" --class-axis {_named(axis, logits.ndim)}"
    return f"xent compute {quote(logits.path)} {quote(target.path)}{option}"


def _unflattened(logits: Array, target: Array, axis: int) -> str:
    shape = without(logits.shape, axis)
    if target.format != "npy":
        return f"save the labels in the samples' shape: labels.reshape{shape}"
    saved = replace(target, path="labels-in-shape.npy")
    code = f"import numpy as np; np.save({saved.path!r}, np.load({target.path!r}).reshape{shape})"
    return f"python -c {quote(code)} && {_command(logits, saved, axis)}"


def one_output(logits: Array, target: Array) -> str:
    """What to do with a model of one output; labels in another shape are put below each other."""
    if without_ones(logits.shape) == without_ones(target.shape):
        return f"one logit z a sample, for (0, z)? xent compute {quote(logits.path)} {quote(target.path)} --binary"
    two = "np.stack([np.zeros_like(z), z], axis=1)"
    loads = {"npy": f"np.load({logits.path!r})", "csv": f"np.loadtxt({logits.path!r}, delimiter=',')"}
    if logits.format not in loads:
        return f"binary: one logit z a sample is two classes, (0, z): save {two} as the logits"
    code = f"import numpy as np; z = {loads[logits.format]}.reshape(-1); np.save('two-columns.npy', {two})"
    labels = quote(target.path)
    if target.format == "npy" and (target.kind.kind == "b" or target.ndim > 1):
        labels = "flat-labels.npy"
        code += f"; np.save({labels!r}, np.load({target.path!r}).reshape(-1).astype('int64'))"
    command = f"xent compute two-columns.npy {labels}"
    return f"binary: one logit z a sample is two classes, (0, z): python -c {quote(code)} && {command}"


def check_classes(logits: Array, target: Array, class_axis: int | None) -> None:
    """InputError for files of one output a sample: the softmax of one class is 1, and its loss 0 whatever the logits.

    Of one dimension are the logits of one sample, whose probabilities add up to 1, or one logit for each sample.
    """
    axis = min(1, logits.ndim - 1) if class_axis is None else class_axis
    if axis not in range(-logits.ndim, logits.ndim) or math.prod(target.shape) > math.prod(logits.shape):
        return  # which is said where the problem is made
    one_class = logits.shape[axis] == 1 and math.prod(logits.shape) >= 1
    one_axis = logits.ndim == 1 and logits.shape[0] > 1 and _are_labels_of_two(logits, target)
    if one_class or one_axis:
        raise InputError(
            "one logit a sample has no other class to be compared with",
            at=logits.path,
            found=f"logits of shape {logits.shape}, labels of shape {target.shape}",
            expected="a logit for each sample and class",
            hint=one_output(logits, target),
        )


def _are_labels_of_two(logits: Array, target: Array) -> bool:
    """Whether a target of as many numbers as there are logits is 0 and 1 alone, and no probabilities of one sample.

    A single 1 among integers may be one-hot, or the only sample of its class: that is not guessed.
    """
    if math.prod(target.shape) != logits.shape[0] or target.kind.kind not in "iufb":
        return False
    values = target.read(0, 0, min(target.shape[0], ROWS_SHOWN)).reshape(-1)
    is_one_hot = target.kind.kind == "f" and np.count_nonzero(values) == 1
    return bool(((values == 0) | (values == 1)).all()) and not is_one_hot
