"""Arrays, tensors and nested lists that are in memory already; shared, not copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.files import excerpt
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Values

MOST_DIMENSIONS = 32  # as many as every numpy has


def from_memory(value: object, name: str) -> Array:
    """The numbers of a tensor, of what numpy takes for an array, or of nested lists; `name` stands for the path.

    bfloat16 is held as two-byte void with the dtype "bfloat16"; integers in lists are int64, with floats float64.
    """
    is_bfloat16 = loose = False
    if isinstance(value, torch.Tensor):
        values = _from_tensor(value, name)
        is_bfloat16 = value.dtype == torch.bfloat16
    elif hasattr(value, "__array__"):
        values = _from_numpy(value, name)
        is_bfloat16 = values.dtype.name == "bfloat16"
    else:
        values, loose = _from_lists(value, name), True
    if is_bfloat16:
        return Array(*in_memory(values.view("V2")), name, "memory", "bfloat16", element)
    return Array(*in_memory(values), name, "memory", dtype_name(values.dtype, name), element, loose=loose)


def _from_tensor(tensor: torch.Tensor, name: str) -> Values:
    """The tensor's own memory where numpy can see it; bfloat16, which numpy lacks, as integers of the same bits."""
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        return (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()
    except (RuntimeError, TypeError) as error:
        raise InputError(
            "this tensor has no plain numbers",
            at=name,
            found=f"{tensor.dtype}, {tensor.layout}, on {tensor.device}",
            expected="a dense tensor of floats or integers",
        ) from error


def _from_numpy(value: object, name: str) -> Values:
    if np.ma.is_masked(value):
        raise InputError("some of the numbers are masked", at=name, hint="labels? fill them with ignore_index")
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            "this does not become an array", at=name, found=f"{type(value).__name__}: {excerpt(str(error), 70)}"
        ) from error


def _from_lists(value: object, name: str) -> Values:
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
