"""Hidden states in the place of logits: which head fits them, and how they are read as rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import check_type, own_dtype, reshaped, without_ones
from xentcli.numbers.tensors import as_floats
from xentcli.question.fitting import fitted
from xentcli.question.head import Head, group_rows

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array, Values
    from xentcli.question.block import Block

    Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Projected:
    """The reader of logits, [samples, classes], that are made of hidden states; in float64, rounded."""

    hidden: Array  # [samples, width]
    head: Head
    given: Array  # the hidden states in their own shape

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        rows = (start, stop) if axis == 0 else (0, self.hidden.shape[0])
        logits: Values = self.head.stored.product(as_floats(self.hidden.read(0, *rows), self.hidden.path)).numpy()
        return logits if axis == 0 else logits[:, start:stop]

    @property
    def width(self) -> int:
        return self.hidden.shape[1]

    @property
    def classes(self) -> int:
        return self.head.weight.shape[0]

    def cuts(self, first: int, stop: int, rows: int) -> list[int]:
        """Where blocks of about so many rows begin, and where the last one ends: between groups where that can be."""
        group = group_rows(self.classes)
        step = max(group, rows // group * group)
        return [first, *range((first // step + 1) * step, stop, step), stop]

    def applied(self, block: Block, cast: Block, dtype: str, span: Span) -> Block:
        """The block of logits, given that of hidden states before and after a cast to the paths' format."""
        start, stop = span
        group = group_rows(self.classes)
        first, last = start // group * group, min(-(-stop // group) * group, self.hidden.shape[0])
        is_whole = (first, last) == span
        hidden = block.logits if is_whole else as_floats(self.hidden.read(0, first, last), self.hidden.path)
        own, rows = self.head.in_format(dtype), hidden.to(getattr(torch, dtype))
        wanted = (start - first, stop - first)
        stored = None
        if cast.stored is not None or not self.head.fits(dtype):
            before = self.head.stored.of(hidden).part(*wanted)
            stored = replace(block, logits=before.logits, product=before)
        logits = own.linear(rows)[slice(*wanted)]
        return replace(cast, logits=logits, stored=stored, product=own.of(rows).part(*wanted))


@dataclass(frozen=True, eq=False)
class Flat:
    """The reader of all samples below each other; the entries of the first axis that were read last are kept."""

    array: Array
    axes: int  # of samples, at least one
    _last: dict[Span, Values] = field(default_factory=dict)

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        if axis:
            values = self.array.values.reshape(-1, *self.array.shape[self.axes :])
            return values[(slice(None),) * axis + (slice(start, stop),)]
        each = max(1, math.prod(self.array.shape[1 : self.axes]))
        span = start // each, -(-stop // each)
        kept = self._last.get(span)
        if kept is None:
            kept = self.array.read(0, *span).reshape(-1, *self.array.shape[self.axes :])
            self._last.clear()
            self._last[span] = kept
        return kept[start - span[0] * each : stop - span[0] * each]


def refuse_without(head: Array | None, bias: Array | None, others: list[str]) -> None:
    """UsageError for a bias of nothing, and for options that say that the numbers are no hidden states."""
    if bias is not None and head is None:
        raise UsageError(
            "a bias is added to the product with a head", found="--bias without --head", hint="--head FILE"
        )
    if head is not None and others:
        raise UsageError(
            "hidden states are multiplied with their head on the CPU, and make logits, one a class",
            found=f"--head beside {' and '.join(others)}",
            hint=f"leave {' and '.join(others)} out",
        )


def projected(hidden: Array, target: Array, head: Head, class_axis: int | None) -> tuple[Array, Array]:
    """The logits of hidden states [..., width], [samples, classes], and their target, both read sample by sample.

    Errors: InputError for a head that does not fit, UsageError for options of other logits.
    """
    if hidden.blur is not None:
        raise UsageError("quantised logits are logits, and no hidden states", found="--head", hint="leave it out")
    if class_axis is not None and class_axis not in {-1, hidden.ndim - 1}:
        raise UsageError(
            "hidden states have their numbers on the last axis",
            found=f"--class-axis {class_axis}",
            hint="--class-axis -1",
        )
    check_type(hidden, None)
    _check_weight(hidden, target, head)
    _check_bias(hidden, head)
    shape = (*hidden.shape[:-1], head.weight.shape[0])
    table = replace(hidden.table, names=())
    logits = replace(hidden, shape=shape, table=table, headed=False)
    rows = _rows(hidden, hidden.ndim - 1)
    target = _flattened(logits, _fitted(logits, target))
    return replace(
        logits,
        shape=(rows.shape[0], shape[-1]),
        read=Projected(rows, head, hidden),
        place=lambda index: f"the logits of row {index[0] if index else 0}",
    ), target


def check_formats(logits: Array, dtype: str | None) -> None:
    """InputError for a head in another format than the hidden states, which torch does not multiply with each other."""
    own = own_dtype(logits)
    if dtype is not None or not isinstance(logits.read, Projected):
        return
    head = logits.read.head
    for array, found in head.formats():
        if own is not None and found != own:
            raise InputError(
                "torch does not multiply hidden states with a head of another dtype",
                at=array.path,
                found=f"{found}, for {own} hidden states in {logits.path}",
                expected=f"{own}; a cast is reported with what it moves",
                hint=f"--dtype {own}",
            )


def _fitted(logits: Array, target: Array) -> Array:
    """The target in the samples' shape or that of the logits; what else it may be is not told of hidden states."""
    try:
        return fitted(logits, target, logits.ndim - 1)
    except InputError as error:
        raise InputError(error.what, **error.details | {"hint": ""}) from error


def _flattened(logits: Array, target: Array) -> Array:
    """Labels or probabilities of samples below each other."""
    samples = logits.shape[:-1]
    if target.shape == samples:
        return _rows(target, len(samples))
    return _rows(target, len(samples)) if target.shape == logits.shape else target  # a column of text is as it shall be


def _rows(array: Array, axes: int) -> Array:
    """The array with its first axes, those of samples, as one."""
    samples, rest = array.shape[:axes], array.shape[axes:]
    kept = without_ones(samples)
    inner = array if kept == samples and kept else reshaped(array, ((*kept, *rest) if kept else (1, *rest)))
    if len(kept) < 2:
        return replace(inner, format=array.format)

    def place(index: tuple[int, ...]) -> str:
        return inner.place((*(int(each) for each in np.unravel_index(index[0], kept)), *index[1:]))

    shape = (math.prod(kept), *rest)
    return replace(inner, shape=shape, read=Flat(inner, len(kept)), place=place, format=array.format)


def _check_weight(hidden: Array, target: Array, head: Head) -> None:
    weight, width = head.weight, hidden.shape[-1]
    check_type(weight, None)
    if not width:
        raise InputError("the hidden states have no numbers", at=hidden.path, found=f"shape {hidden.described()}")
    if weight.ndim == 2 and weight.shape[1] == width and weight.shape[0]:
        return
    raise InputError(
        "the head does not fit the hidden states",
        at=weight.path,
        found=f"shape {weight.described()}, for hidden states of shape {hidden.described()} in {hidden.path}",
        expected=f"classes × {width:,}, as nn.Linear.weight",
        hint=_turned(weight, hidden, target, head) if weight.ndim == 2 and weight.shape[0] == width else "",
    )


def _turned(weight: Array, hidden: Array, target: Array, head: Head) -> str:
    """The command with the weights turned round."""
    if weight.format != "npy":
        return "the other way round? save its transpose: weight.T"
    code = f"import numpy as np; np.save('head-turned.npy', np.ascontiguousarray(np.load({weight.path!r}).T))"
    bias = "" if head.bias is None else f" --bias {quote(head.bias.path)}"
    command = f"xent compute {quote(hidden.path)} {quote(target.path)} --head head-turned.npy{bias}"
    return f"the other way round? python -c {quote(code)} && {command}"


def _check_bias(hidden: Array, head: Head) -> None:
    bias, classes = head.bias, head.weight.shape[0]
    if bias is None:
        return
    check_type(bias, None)
    if math.prod(bias.shape) != classes or sum(size > 1 for size in bias.shape) > 1:
        raise InputError(
            "the bias does not fit the head",
            at=bias.path,
            found=f"shape {bias.described()}",
            expected=f"{classes:,} numbers, one a class, as {head.weight.path} has weights of {classes:,}",
            hint="leave --bias out, or give the head's own" if math.prod(bias.shape) == hidden.shape[-1] else "",
        )
