"""Logits of which the first classes alone are kept: a vocabulary without its padding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array, Values


def first_classes(array: Array, class_axis: int | None, count: int) -> Array:
    """The first so many classes of logits; UsageError where there are not so many."""
    own = _axis(array, class_axis)
    if array.shape[own] < count:
        raise UsageError(
            "the logits have fewer classes",
            at=array.path,
            found=f"--first-classes {count}",
            expected=f"at most {array.shape[own]:,}",
        )
    if array.shape[own] == count:
        return array
    if array.blur is not None:
        raise UsageError("logits in 16 bits keep all their classes", at=array.path, found=f"--first-classes {count}")
    whole = array.shape[own]

    def read(axis: int, start: int, stop: int) -> Values:
        if axis == own:
            return array.read(axis, start, min(stop, count))
        first: Values = array.read(axis, start, stop)[(slice(None),) * own + (slice(count),)]
        return first

    shape = (*array.shape[:own], count, *array.shape[own + 1 :])
    table = replace(array.table, names=array.table.names[:count])
    form = f"{array.format}, the first {count:,} of {whole:,} classes"
    return replace(array, shape=shape, read=read, table=table, format=form)


def _axis(array: Array, given: int | None) -> int:
    """Counted from the front."""
    dimensions = array.ndim
    axis = min(1, dimensions - 1) if given is None else given
    if not -dimensions <= axis < dimensions:
        raise UsageError(
            "there is no such axis", at=array.path, found=f"--class-axis {given}", expected=array.described()
        )
    return axis % dimensions
