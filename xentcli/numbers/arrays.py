"""Numbers and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

Values = np.ndarray[Any, np.dtype[Any]]


class Reader(Protocol):
    """What gives the numbers, some entries of one axis at a time; threads may call it at once."""

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        """The entries from `start` to `stop` of an axis; all of each other axis."""


class Blur(Protocol):
    """How far the losses of quantised logits may be from those before; entries are samples."""

    def spread(self, start: int, stop: int) -> Values:
        """How far the −log p of any class may have been moved, up or down; [samples], inf where one was cut off."""

    def ends(self, start: int, stop: int, labels: Values) -> Values:
        """Between what the labels' −log p were; [2, samples], inf where one was cut off, NaN of what is as stored."""

    def moved(self, start: int, stop: int) -> Values:
        """How far each logit may have been moved, and 1 where the lowest of the row were cut off; [2, samples]."""


@dataclass(frozen=True, eq=False)
class Tabled:
    """What a table says beside its numbers."""

    names: tuple[str, ...] = ()  # of the columns, where each is a class; empty where they have none
    notes: tuple[str, ...] = ()  # what was left out, or taken for something else than a number
    ids: dict[str, Values] = field(default_factory=dict)  # a column that names the rows -> an int64 for each


NO_TABLE = Tabled()


@dataclass(frozen=True, eq=False)
class Array:
    """Numbers, and where they stand; what lies in a file is read when it is asked for."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]  # of the values that are read
    read: Reader
    path: str  # as the user wrote it
    format: str
    dtype: str  # as the file has it
    place: Callable[[tuple[int, ...]], str]  # index -> where a reader finds it: "line 18, column 2"
    typed: bool = True  # False for text, which does not tell the integer 1 from the float 1.0
    loose: bool = False  # nested lists: Python's numbers, which no format of their own holds
    headed: bool = False  # the first row of a table may be a header that counts the columns: 0, or 0, 1, 2
    table: Tabled = NO_TABLE
    blur: Blur | None = None  # of quantised logits [samples, classes]

    @cached_property
    def values(self) -> Values:
        """All numbers, in memory."""
        return self.read(0, 0, self.shape[0] if self.shape else 1)

    def noted(self, note: str) -> Array:
        """The same, of which there is this to say."""
        return replace(self, table=replace(self.table, notes=(*self.table.notes, note)))

    def without_first(self) -> Array:
        """All entries of the first axis but the first."""

        def read(axis: int, start: int, stop: int) -> Values:
            return self.read(0, start + 1, stop + 1) if axis == 0 else self.read(axis, start, stop)[1:]

        def place(index: tuple[int, ...]) -> str:
            first, *others = index or (0,)
            return self.place((first + 1, *others))

        ids = {name: keys[1:] for name, keys in self.table.ids.items()}
        return replace(
            self,
            shape=(self.shape[0] - 1, *self.shape[1:]),
            read=read,
            place=place,
            headed=False,
            table=replace(self.table, ids=ids),
        )

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def at(self, index: tuple[int, ...]) -> str:
        """Where the number at `index` stands, for a message."""
        return f"{self.path}, {self.place(index)}"

    def described(self) -> str:
        """Its shape, for a message."""
        return " × ".join(map(str, self.shape)) or "()"


@dataclass(frozen=True, eq=False)
class Reshaped:
    """The reader of the same numbers with other axes of length 1."""

    array: Array
    shape: tuple[int, ...]

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        shape = (*self.shape[:axis], stop - start, *self.shape[axis + 1 :]) if self.shape else ()
        if not self.shape or self.shape[axis] == 1:  # all or nothing
            whole = (slice(None),) * axis + (slice(start, stop),)
            values = self.array.values.reshape(self.shape)
            return values[whole] if self.shape else values
        own = [number for number, size in enumerate(self.array.shape) if size != 1]
        number = sum(size != 1 for size in self.shape[:axis])
        return self.array.read(own[number], start, stop).reshape(shape)


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of the axes that are longer than 1, or empty."""
    return tuple(size for size in shape if size != 1)


def reshaped(array: Array, shape: tuple[int, ...]) -> Array:
    """The same numbers in a shape that differs only in axes of length 1."""

    def place(index: tuple[int, ...]) -> str:
        kept = iter([number for number, size in zip(index, shape, strict=True) if size != 1])
        return array.place(tuple(0 if size == 1 else next(kept) for size in array.shape))

    form = f"{array.format}, stored as {array.described()}"
    return replace(array, shape=shape, read=Reshaped(array, shape), place=place, format=form)


@dataclass(frozen=True, eq=False)
class InMemory:
    """The reader of an array in memory; it shares what it gives."""

    values: Values

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        if not self.values.ndim:
            return self.values
        return self.values[(slice(None),) * axis + (slice(start, stop),)]


def in_memory(values: Values) -> tuple[tuple[int, ...], np.dtype[Any], Reader]:
    """What `Array` begins with, for numbers that are in memory already."""
    return tuple(values.shape), values.dtype, InMemory(values)


def from_values(values: Values, path: str) -> Array:
    """Numbers that were taken out of an array of this name."""
    return Array(*in_memory(values), path, "memory", str(values.dtype), lambda index: f"element {list(index)}")


def check_type(array: Array, dtype: str | None) -> None:
    """InputError for numbers that torch cannot compute with; `dtype` is what the user says they are."""
    kind, size = array.kind.kind, array.kind.itemsize
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
    return own_dtype(array) or "float64"


def own_dtype(array: Array) -> str | None:
    """The floating-point format that the numbers come in; None of text, lists and integers, which have none."""
    if array.kind.kind == "V":
        return "bfloat16"
    return array.dtype if array.dtype in PRECISIONS and array.typed and not array.loose else None
