"""Numbers in nested lists of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Values

MOST_DIMENSIONS = 32  # as many as every numpy has


def from_lists(value: object, name: str) -> Array:
    """The numbers of nested lists, int64 where all are integers, with floats float64; `name` stands for the path."""
    values = _values(value, name)
    return Array(*in_memory(values), name, "memory", dtype_name(values.dtype, name), element, loose=True)


def _values(value: object, name: str) -> Values:
    shape = _shape(value, name)
    numbers: list[Any] = []
    for index, row in _rows(value, shape, (), name):
        _check_numbers(row, index, name)
        numbers += row
    integers = all(isinstance(number, (int, np.integer)) for number in numbers)
    try:
        return np.array(numbers, np.int64 if integers else np.float64).reshape(shape)
    except OverflowError as error:
        raise InputError("a number is beyond 64 bits", at=name, hint="write it as a float") from error


def _shape(value: object, name: str) -> tuple[int, ...]:
    """The shape that the first elements show."""
    shape: list[int] = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        if len(shape) > MOST_DIMENSIONS:
            raise InputError("the lists are nested too deep", at=name, expected=f"up to {MOST_DIMENSIONS} dimensions")
        value = value[0] if value else None
    return tuple(shape)


def _rows(
    value: Any, shape: tuple[int, ...], index: tuple[int, ...], name: str
) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """The innermost lists and where they stand; a number alone is a list of one."""
    if not shape:
        yield index, [value]
        return
    if not isinstance(value, (list, tuple)) or len(value) != shape[0]:
        raise InputError(
            "the lists differ in length",
            at=f"{name}, {element(index)}",
            found=f"a list of {len(value)}" if isinstance(value, (list, tuple)) else f"{type(value).__name__}",
            expected=f"a list of {shape[0]}, as before",
        )
    if len(shape) == 1:
        yield index, list(value)
        return
    for position, item in enumerate(value):
        yield from _rows(item, shape[1:], (*index, position), name)


def _check_numbers(row: list[Any], index: tuple[int, ...], name: str) -> None:
    wrong = {kind for kind in set(map(type, row)) if not _is_number(kind)}
    if not wrong:
        return
    position = next(position for position, item in enumerate(row) if type(item) in wrong)
    raise InputError(
        "not a number",
        at=f"{name}, {element((*index, position) if len(row) > 1 or index else index)}",
        found=type(row[position]).__name__,
        expected="an int or a float, a tensor, a numpy array, or nested lists of numbers",
    )


def _is_number(kind: type) -> bool:
    return issubclass(kind, (int, float, np.integer, np.floating)) and not issubclass(kind, bool)
