"""Tables of pyarrow: a column a class, or columns of lists; read batch by batch."""

from __future__ import annotations

import io
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, Tabled
from xentcli.sources.choosing import Header, choose
from xentcli.sources.codes import Codes, NewNames
from xentcli.sources.extras import import_extra
from xentcli.sources.files import count, excerpt
from xentcli.sources.oddity import unlike
from xentcli.sources.readers.zipped import LARGEST_STREAM
from xentcli.sources.rowkeys import keys_of, keys_of_numbers
from xentcli.sources.saving import beside
from xentcli.sources.stored import Seekable, Spool
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xentcli.numbers.arrays import Values
    from xentcli.sources.choosing import Kind, Part
    from xentcli.sources.request import Request
    from xentcli.sources.rowkeys import Keys
    from xentcli.sources.source import Source

BATCH_NUMBERS = 1 << 20  # that are unpacked at once
FLOATS = {"halffloat": "f2", "float": "f4", "double": "f8"}  # pyarrow's names
INTEGERS = {
    f"{sign}int{bits}": f"{letter}{bits // 8}" for sign, letter in (("", "i"), ("u", "u")) for bits in (8, 16, 32, 64)
}
TEXTS = {"string", "large_string", "string_view"}
KINDS = {name: np.dtype(code) for name, code in (FLOATS | INTEGERS).items()}


def numbers_of(column: Any) -> int:
    """How many numbers a checked column holds."""
    column.validate(full=True)
    return len(column.flatten() if hasattr(column.type, "value_type") and hasattr(column, "flatten") else column)


def seekable(source: Source) -> Any:
    """The file as pyarrow takes it."""
    return import_extra("arrow").PythonFile(io.BufferedReader(Seekable(source.local(LARGEST_STREAM))), mode="r")


def header_of(path: str, schema: Any, first: Any) -> Header:
    """The columns, with what the first batch shows of them."""
    names = tuple(schema.names)
    kinds: list[Kind] = [_kind(field.type) for field in schema]
    sample = {
        place: first.column(place).to_numpy(zero_copy_only=False)
        for place, kind in enumerate(kinds)
        if first is not None and kind == "numbers" and not first.column(place).null_count
    }
    rows = first.num_rows if first is not None else 0
    with np.errstate(all="ignore"):  # a float64 of a NaN that signals
        values = np.array([sample.get(place, np.full(rows, np.nan)) for place in range(len(names))], np.float64)

    def cells(column: int) -> list[str]:
        whole = str(schema.field(column).type) in INTEGERS
        return [str(int(each)) if whole else repr(float(each)) for each in sample.get(column, ())]

    return Header(
        path=path,
        at=path,
        names=names,
        kinds=tuple(kinds),
        index=_index(schema),
        unlike=lambda columns: unlike(values.T, columns, cells, typed=True),
        holds={place: excerpt(str(field.type)) for place, field in enumerate(schema)},
    )


def _index(schema: Any) -> frozenset[int]:
    """The columns that pandas says are its index."""
    try:
        told = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))["index_columns"]
    except (ValueError, KeyError, TypeError):
        return frozenset()
    return frozenset(place for place, name in enumerate(schema.names) if name in told)


def _kind(held: Any) -> Kind:
    """What a column of this type holds; the categories of pandas are text by their names, never by their order."""
    number = held.value_type if hasattr(held, "value_type") else held
    if str(held).startswith("dictionary"):
        return _kind(number) if str(number) in TEXTS else "other"
    if str(number) not in KINDS:
        return "text" if str(held) in TEXTS else "other"
    return "lists" if hasattr(held, "value_type") else "numbers"


def arrays(form: str, header: Header, schema: Any, batches: Iterable[Any], request: Request) -> list[Array]:
    """The arrays that are asked for, [rows], [rows, columns] or [rows, length of the lists].

    batches  of the needed columns or of all
    pyarrow believes what a file says of its lists and lengths: each batch is checked whole before a number is taken.
    """
    chosen = choose(header, request)
    names = request.table.classes or next((part.names for part in chosen.parts if part.names), ())
    refuse_twins(header, chosen.columns)
    takers = [Taker(header, part, schema, names) for part in chosen.parts]
    keys: dict[str, list[Keys]] = {name: [] for name in chosen.ids}
    for batch in batches:
        batch.validate(full=True)
        for taker in takers:
            taker.append(batch)
        for name, column in chosen.ids.items():
            keys[name].append(_keys(batch.column(header.names[column])))
    tabled = Tabled(notes=chosen.notes, ids={name: np.concatenate(found) for name, found in keys.items() if found})
    return [
        replace(taker.array(form), table=replace(tabled, names=part.names or taker.new_names))
        for taker, part in zip(takers, chosen.parts, strict=True)
    ]


def refuse_twins(header: Header, columns: Iterable[int]) -> None:
    """InputError for a column that is wanted and has the name of another: Arrow finds them by their names."""
    times = Counter(header.names)
    for name in (header.names[column] for column in columns):
        if times[name] > 1:
            raise InputError(
                "two columns have one name", at=header.at, found=excerpt(name), expected="a name for each",
                hint="rename one of them",
            )  # fmt: skip


def _keys(column: Any) -> Keys:
    """What tells the rows apart, by a column of numbers or texts."""
    if str(column.type) in KINDS and not column.null_count:
        return keys_of_numbers(column.to_numpy(zero_copy_only=False))
    return keys_of(column.to_pylist())


class Taker:
    """The rows of one array, taken batch by batch."""

    def __init__(self, header: Header, part: Part, schema: Any, classes: Sequence[str]) -> None:
        """`classes` are the names that labels may be."""
        self.path, self.part = header.path, part
        self._names = [header.names[column] for column in part.columns]
        is_text = [header.kinds[column] for column in part.columns] == ["text"]
        if is_text and part.role != "labels":
            raise _no_numbers(header, part.columns[0])
        self._codes = Codes.of(f"{header.path}:{self._names[0]}", classes) if is_text else None
        types = [_number_type(header, schema, column) for column in part.columns] if not is_text else [KINDS["int64"]]
        self._kind = np.result_type(*types)
        self._spool = Spool(self.path)
        self._rows = 0
        self._length: int | None = None  # of the lists

    def append(self, batch: Any) -> None:
        """Take the rows of a batch."""
        values = [self._column(batch.column(name), name) for name in self._names]
        self._spool.append(np.stack(values, axis=1).astype(self._kind) if self.part.side_by_side else values[0])
        self._rows += batch.num_rows

    @property
    def new_names(self) -> tuple[str, ...]:
        """The names that came, where any may."""
        return tuple(self._codes.places) if isinstance(self._codes, NewNames) else ()

    def array(self, form: str) -> Array:
        """All rows."""
        if not self._rows:
            raise InputError("the file holds no rows of numbers", at=self.path)
        path = self.path if self.part.side_by_side else f"{self.path}:{self._names[0]}"
        return Array(*self._spool.finish(), path, form, self._kind.name, element)

    def _column(self, column: Any, name: str) -> Values:
        """The numbers of a column, [rows] or [rows, length]."""
        self._refuse_missing(column, name)
        if self._codes is not None:
            at = f"{self.path}:{name}, row "
            found = enumerate(column.to_pylist(), self._rows)
            return np.array([self._codes.of_name(str(label), f"{at}{row}") for row, label in found], np.int64)
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
    except MemoryError:
        raise
    except (import_extra("arrow").ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"this {form} file is damaged, or not whole",
            at=path,
            found=excerpt(str(error), 70),
            hint="save or copy it again",
        ) from error


def _number_type(header: Header, schema: Any, column: int) -> np.dtype[Any]:
    """The type of the numbers of a column; InputError for what are none."""
    held = schema.field(column).type
    number = held.value_type if header.kinds[column] == "lists" else held
    if str(number) not in KINDS:
        raise _no_numbers(header, column)
    return KINDS[str(number)]


def _no_numbers(header: Header, column: int) -> InputError:
    return InputError(
        "this column holds no plain numbers",
        at=f"{header.path}:{header.names[column]}",
        found=header.holds[column],
        expected="floats or integers, or lists of them",
    )


def batches(arrays: Mapping[str, Array]) -> Iterator[Any]:
    """The arrays as columns, the logits as lists of fixed size, some rows at a time; the first batch has no rows."""
    arrow = import_extra("arrow")
    logits, labels = arrays["logits"], arrays["labels"]
    nothing = (logits.read(0, 0, 0), labels.read(0, 0, 0))
    for rows, column in chain([nothing], beside(logits, labels)):
        lists = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), logits.shape[1])
        yield arrow.record_batch({"logits": lists, "labels": arrow.array(column)})
