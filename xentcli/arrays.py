"""Numbers and where they stand, and their way to a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.errors import InputError
from xentcli.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Values = np.ndarray[Any, np.dtype[Any]]

EXACT_INTEGERS = 2**53  # float64 holds every integer up to here


@dataclass(frozen=True, eq=False)
class Array:
    """Numbers, and where they stand."""

    values: Values
    path: str  # as the user wrote it
    format: str
    dtype: str  # as the file has it
    place: Callable[[tuple[int, ...]], str]  # index -> where a reader finds it: "line 18, column 2"
    typed: bool = True  # False for text, which does not tell the integer 1 from the float 1.0

    def at(self, index: tuple[int, ...]) -> str:
        """Where the number at `index` stands, for a message."""
        return f"{self.path}, {self.place(index)}"

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def described(self) -> str:
        """Its shape, for a message."""
        return " × ".join(map(str, self.shape)) or "()"


def check_type(array: Array, dtype: str | None) -> None:
    kind, size = array.values.dtype.kind, array.values.dtype.itemsize
    if kind == "V" and size == 2:
        if "bfloat16" not in {dtype, array.dtype}:  # a tensor says what it is, a file does not
            raise InputError(
                "the file holds two-byte values that say nothing of their type",
                at=array.path,
                hint="bfloat16 is stored so: say it with --dtype bfloat16",
            )
    elif kind not in "iuf" or size > 8:
        raise InputError(
            f"cannot compute with {array.dtype}", at=array.path, expected="floats or integers of up to 64 bits"
        )


def stored_dtype(array: Array) -> str:
    """The format that holds the stored numbers as they are: the file's own, or float64 for text and integers."""
    if array.values.dtype.kind == "V":
        return "bfloat16"
    return array.dtype if array.dtype in PRECISIONS else "float64"


def as_tensor(values: Values) -> torch.Tensor:
    """The same numbers as a tensor, shared where torch can share them; two-byte void is bfloat16."""
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "V":
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    if any(stride < 0 for stride in values.strides):
        values = np.ascontiguousarray(values)
    return torch.from_numpy(np.require(values, requirements="W"))


def as_floats(values: Values, path: str) -> torch.Tensor:
    """The numbers in a format torch computes in; integers as float64, where that is exact."""
    if values.dtype.kind in "iu":
        if values.size and (values.max() > EXACT_INTEGERS or values.min() < -EXACT_INTEGERS):
            raise InputError("integers beyond 2^53 have no exact float64", at=path, hint="save them as floats")
        values = values.astype(np.float64)
    return as_tensor(values)
