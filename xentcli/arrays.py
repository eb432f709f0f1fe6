"""Numbers and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Values = np.ndarray[Any, np.dtype[Any]]


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
    """InputError for numbers that torch cannot compute with; `dtype` is what the user says they are."""
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
