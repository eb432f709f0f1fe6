"""Tables of pyarrow: a column a class, or columns of lists; read batch by batch."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import Array
from xentcli.sources.extras import import_extra
from xentcli.sources.files import count, excerpt
from xentcli.sources.headings import check_classes
from xentcli.sources.readers.zipped import LARGEST_STREAM
from xentcli.sources.request import ROLES
from xentcli.sources.saving import beside
from xentcli.sources.stored import Seekable, Spool
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xentcli.numbers.arrays import Values
    from xentcli.sources.request import Request
    from xentcli.sources.source import Source

BATCH_NUMBERS = 1 << 20  # that are unpacked at once
FLOATS = {"halffloat": "f2", "float": "f4", "double": "f8"}  # pyarrow's names
INTEGERS = {
    f"{sign}int{bits}": f"{letter}{bits // 8}" for sign, letter in (("", "i"), ("u", "u")) for bits in (8, 16, 32, 64)
}
KINDS = {name: np.dtype(code) for name, code in (FLOATS | INTEGERS).items()}


def numbers_of(column: Any) -> int:
    """How many numbers a checked column holds."""
    column.validate(full=True)
    return len(column.flatten() if _is_list(column) else column)


@dataclass(frozen=True)
class Part:
    """One array that is wanted: one column of numbers or lists, or several columns of numbers side by side."""

    columns: tuple[str, ...]
    side_by_side: bool

    @property
    def name(self) -> str:
        """What the user may call it."""
        return "" if self.side_by_side else f":{self.columns[0]}"


def seekable(source: Source) -> Any:
    """The file as pyarrow takes it."""
    return import_extra("arrow").PythonFile(io.BufferedReader(Seekable(source.local(LARGEST_STREAM))), mode="r")


def parts(path: str, schema: Any, request: Request) -> list[Part]:
    """Which columns are wanted; UsageError where that is not plain, InputError for columns that hold no numbers."""
    wanted = _wanted(path, schema, request)
    for part in wanted:
        for name in part.columns:
            _kind(path, schema.field(name), lists=not part.side_by_side)
    return wanted


def arrays(path: str, form: str, schema: Any, batches: Iterable[Any], wanted: list[Part]) -> list[Array]:
    """The arrays of these columns, [rows], [rows, columns] or [rows, length of the lists].

    pyarrow believes what a file says of its lists and lengths: each batch is checked whole before a number is taken.
    """
    takers = [Taker(path, part, schema) for part in wanted]
    for batch in batches:
        batch.validate(full=True)
        for taker in takers:
            taker.append(batch)
    return [taker.array(form) for taker in takers]


class Taker:
    """The rows of one array, taken batch by batch."""

    def __init__(self, path: str, part: Part, schema: Any) -> None:
        self.path, self.part = path, part
        self._kind = np.result_type(*(_kind(path, schema.field(name), lists=True) for name in part.columns))
        self._spool = Spool(path)
        self._rows = 0
        self._length: int | None = None  # of the lists

    def append(self, batch: Any) -> None:
        """Take the rows of a batch."""
        values = [self._column(batch.column(name), name) for name in self.part.columns]
        self._spool.append(np.stack(values, axis=1).astype(self._kind) if self.part.side_by_side else values[0])
        self._rows += batch.num_rows

    def array(self, form: str) -> Array:
        """All rows."""
        if not self._rows:
            raise InputError("the file holds no rows of numbers", at=self.path)
        path = f"{self.path}{self.part.name}"
        return Array(*self._spool.finish(), path, form, self._kind.name, element)

    def _column(self, column: Any, name: str) -> Values:
        """The numbers of a column, [rows] or [rows, length]."""
        self._refuse_missing(column, name)
        if not hasattr(column, "flatten") or not hasattr(column.type, "value_type"):
            values: Values = column.to_numpy(zero_copy_only=False)
            return values
        lengths = import_extra("arrow", ".compute").list_value_length(column).to_numpy(zero_copy_only=False)
        self._length = int(lengths[0]) if self._length is None and len(lengths) else self._length
        if (lengths != self._length).any():
            row = int(np.argmax(lengths != self._length))
            raise InputError(
                "the rows differ in length",
                at=f"{self.path}:{name}, row {self._rows + row}",
                found=count(int(lengths[row]), "number"),
                expected=f"{self._length:,}, as in the rows before",
            )
        flat = column.flatten()
        self._refuse_missing(flat, name, self._length or 1)
        lists: Values = flat.to_numpy(zero_copy_only=False).reshape(len(lengths), self._length or 0)
        return lists

    def _refuse_missing(self, column: Any, name: str, each: int = 1) -> None:
        if not column.null_count:
            return
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))) // each
        raise InputError(
            "a value is missing", at=f"{self.path}:{name}, row {self._rows + row}", found="null", expected="a number"
        )


@contextmanager
def damage_told(path: str, form: str) -> Iterator[None]:
    """InputError for what pyarrow cannot read."""
    try:
        yield
    except (import_extra("arrow").ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"this {form} file is damaged, or not whole",
            at=path,
            found=excerpt(str(error), 70),
            hint="save or copy it again",
        ) from error


def _wanted(path: str, schema: Any, request: Request) -> list[Part]:
    if request.column is not None:
        if request.column not in schema.names:
            raise UsageError(
                "no column has this name",
                at=path,
                found=excerpt(request.column),
                expected=f"one of {excerpt(', '.join(schema.names), 70)}",
            )
        return [_one(path, schema, "logits", request.key, request.column), Part((request.column,), side_by_side=False)]
    if len(request.roles) > 1 or request.key is not None:
        return [Part((name,), side_by_side=False) for name in request.names(schema.names)]
    return [_one(path, schema, request.roles[0], None, None)]


def _one(path: str, schema: Any, role: str, key: str | None, labels: str | None) -> Part:
    """The column that has the role's name, or is the only one; else all but that of the labels, side by side."""
    names = [name for name in schema.names if name != labels]
    called = [name for name in ((key,) if key else ROLES[role]) if name in names]
    single = len(names) == 1 and (role != "logits" or _is_list(schema.field(names[0])))
    if called or single:
        return Part(((called or names)[0],), side_by_side=False)
    check_classes(path, names)
    return Part(tuple(names), side_by_side=True)


def _is_list(field: Any) -> bool:
    """Of a field or a column."""
    return hasattr(field.type, "value_type")


def _kind(path: str, field: Any, *, lists: bool) -> np.dtype[Any]:
    """The type of the numbers of a column."""
    number = field.type.value_type if lists and _is_list(field) else field.type
    if str(number) not in KINDS:
        raise InputError(
            "this column holds no plain numbers",
            at=f"{path}:{field.name}",
            found=excerpt(str(field.type)),
            expected="floats or integers, or lists of them" if lists else "floats or integers",
            hint="the column of the labels? --label-column NAME" if not lists else "",
        )
    return KINDS[str(number)]


def batches(arrays: Mapping[str, Array]) -> Iterator[Any]:
    """The arrays as columns, the logits as lists of fixed size, some rows at a time; the first batch has no rows."""
    arrow = import_extra("arrow")
    logits, labels = arrays["logits"], arrays["labels"]
    nothing = (logits.read(0, 0, 0), labels.read(0, 0, 0))
    for rows, column in chain([nothing], beside(logits, labels)):
        lists = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), logits.shape[1])
        yield arrow.record_batch({"logits": lists, "labels": arrow.array(column)})
