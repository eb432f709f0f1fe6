"""One logit a sample, as the two classes that it stands for: z is the logits (0, z), and y the labels 0 and 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.numbers.arrays import NO_TABLE, Array, Reader, reshaped, without_ones
from xentcli.numbers.tensors import as_tensor
from xentcli.question.fitting import CLASS_AXIS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.numbers.arrays import Values

SCANNED = 1 << 20  # numbers of a target that are looked through at once


def two_classes(logits: Array, target: Array) -> tuple[Array, Array]:
    """The logits [N, 2, d1, ...] and their target: labels, or probabilities (1 − y, y) where a y is neither 0 nor 1.

    Both are of one shape but for axes of length 1, which fall away; InputError for others.
    """
    shape = without_ones(logits.shape) or (1,)
    if without_ones(target.shape) != without_ones(logits.shape):
        raise InputError(
            "the labels do not fit the logits: --binary takes one logit and one label a sample",
            at=target.path,
            found=f"shape {target.described()}, for logits of shape {logits.described()} in {logits.path}",
            hint="several logits a sample, and one label that says which? leave --binary out",
        )
    flat = reshaped(logits, shape) if logits.shape != shape else logits
    labels = reshaped(target, shape) if target.shape != shape else target
    pairs = _paired(flat, _with_zeros, f"{logits.format}, as (0, z)")
    if target.kind.kind in "fV" and not _are_labels(labels):
        return pairs, _paired(labels, _with_rest, f"{target.format}, as (1 - y, y)")
    return pairs, replace(labels, kind=np.dtype(np.int64), read=Labels(labels), table=NO_TABLE)


@dataclass(frozen=True, eq=False)
class Labels:
    """The reader of labels as integers; InputError for what is neither 0 nor 1."""

    array: Array

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        values = self.array.read(axis, start, stop)
        if values.dtype.kind == "V":
            values = as_tensor(values).float().numpy()
        wrong = (values != 0) & (values != 1)
        if wrong.any():
            first = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            index = tuple(int(place) + start * (other == axis) for other, place in enumerate(first))
            value = values[first]
            raise InputError(
                "a binary label is 0 or 1, or between the two",
                at=self.array.at(index),
                found=f"{value:g}",
                expected="0 to 1",
                hint="labels of -1 and 1? give (labels + 1) / 2" if value == -1 else "leave samples without one out",
            )
        return values.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Paired:
    """The reader of two numbers a sample, along a second axis."""

    array: Array
    pair: Callable[[Values], tuple[Values, Values]]

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        whole = axis == CLASS_AXIS
        own = self.array.values if whole else self.array.read(axis - (axis > CLASS_AXIS), start, stop)
        both = np.stack(self.pair(own), axis=CLASS_AXIS)
        return both[:, start:stop] if whole else both


def _paired(array: Array, pair: Callable[[Values], tuple[Values, Values]], form: str) -> Array:
    def place(index: tuple[int, ...]) -> str:
        return array.place((*index[:CLASS_AXIS], *index[CLASS_AXIS + 1 :]))

    shape = (array.shape[0], 2, *array.shape[1:])
    read: Reader = Paired(array, pair)
    return replace(array, shape=shape, read=read, place=place, format=form, table=NO_TABLE, headed=False)


def _with_zeros(logits: Values) -> tuple[Values, Values]:
    return np.zeros_like(logits), logits


def _with_rest(shares: Values) -> tuple[Values, Values]:
    """1 − y, rounded as torch rounds it, and y."""
    if shares.dtype.kind != "V":
        return (1 - shares).astype(shares.dtype), shares
    rest = (1 - as_tensor(shares)).view(torch.int16).numpy()
    return rest.view(shares.dtype), shares


def _are_labels(target: Array) -> bool:
    """Whether all numbers are 0 or 1, up to the first that is not."""
    step = max(1, SCANNED // max(1, math.prod(target.shape[1:])))
    for start in range(0, target.shape[0], step):
        values = target.read(0, start, min(start + step, target.shape[0]))
        if values.dtype.kind == "V":
            values = as_tensor(values).float().numpy()
        if not ((values == 0) | (values == 1)).all():
            return False
    return True
