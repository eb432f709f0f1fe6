"""Rows of JSON, wherever they stand: lists of numbers, or objects whose members are the columns of a table."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, Tabled
from xentcli.sources.choosing import Header, Part, choose
from xentcli.sources.codes import Codes, NewNames
from xentcli.sources.files import count, excerpt
from xentcli.sources.oddity import SAMPLE_ROWS, unlike
from xentcli.sources.readers.lines import Lines
from xentcli.sources.rowkeys import keys_of
from xentcli.sources.stored import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xentcli.sources.choosing import Chosen, Kind
    from xentcli.sources.request import Request

# how servers of language models and lm-eval call the log-probabilities of a few tokens
TOP = {"logprobs", "top_logprobs", "prompt_logprobs", "filtered_resps", "resps", "token_logprobs"}
BATCH_NUMBERS = 1 << 20  # that are Python's at once
NUMBERS = (int, float)
LONGEST_INTEGER = 300  # digits; 308 are as many as float64 has room for
AS_NPY = "save rows of so many numbers as .npy"
MOST_VALUES = 1 << 20  # of a row: Python takes up to a hundred bytes for each, of two or three that stand in the file


@dataclass(frozen=True)
class Origin:
    """Where rows come from, for messages: "data.jsonl, line 7"."""

    path: str
    format: str
    unit: str

    def at(self, number: int) -> str:
        """Where a row stands."""
        return f"{self.path}, {self.unit} {number}"


def arrays_of(rows: Iterator[tuple[int, Any]], origin: Origin, request: Request) -> list[Array]:
    """What is asked for of numbered rows, float64 [rows, classes], or [rows] where each has a number alone."""
    sample = list(islice(rows, 1))
    if not sample:
        raise InputError("the file holds no rows of numbers", at=origin.path, found="blank lines alone")
    rows = chain(sample, rows)
    if not isinstance(sample[0][1], dict):
        request.only("lists of numbers")
        fields = [Field(origin, Part(request.roles[0], (), side_by_side=False), ())]
        return _filled(rows, fields, {})
    check_top(sample[0][1], origin.path)
    sample = list(islice(rows, SAMPLE_ROWS))
    header = header_of(origin, sample)
    chosen = choose(header, request)
    classes = request.table.classes or next((part.names for part in chosen.parts if part.names), ())
    fields = [Field.of(origin, header, part, classes) for part in chosen.parts]
    ids = {name: header.names[column] for name, column in chosen.ids.items()}
    return _tabled(_filled(chain(sample, rows), fields, ids), chosen)


def check_top(value: dict[str, Any], path: str) -> None:
    """InputError for a few log-probabilities of each token, as servers of language models and lm-eval give them."""
    named = value.keys() & TOP
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict) and choices[0].get("logprobs"):
        named = {"choices"}
    if named and not value.keys() & {"logits"}:
        raise InputError(
            "log-probabilities of the most probable tokens alone enclose no loss",
            at=path,
            found=excerpt(sorted(named)[0]),
            expected="a logit, or a log-probability, for every class of each sample",
            hint="what is left out may have any share of the rest; dump all logits: torch.save of model(...).logits, "
            "or llama-perplexity --kl-divergence-base",
        )


def header_of(origin: Origin, sample: Sequence[tuple[int, Any]]) -> Header:
    """The members of the first row, with what the first rows show of them."""
    names = tuple(sample[0][1])
    held = [[row.get(name) for _, row in sample if isinstance(row, dict)] for name in names]
    kinds = [_kind(column) for column in held]
    numbers = [column if kind == "numbers" else [None] * len(column) for column, kind in zip(held, kinds, strict=True)]
    values = (
        np.array([[_plain(value) for value in column] for column in numbers])
        .reshape(len(names), len(held[0]) if held else 0)
        .T
    )
    return Header(
        path=origin.path,
        at=origin.at(sample[0][0]),
        names=names,
        kinds=tuple(kinds),
        unlike=lambda columns: unlike(values, columns, lambda column: [json.dumps(each) for each in held[column]]),
        holds={place: excerpt(json.dumps(column[0])) for place, column in enumerate(held)},
    )


def whole(text: str) -> int | float:
    """An integer, or infinity for one that float64 does not reach, as `float` has it."""
    return int(text) if len(text) < LONGEST_INTEGER else float(text)


def check_values(text: str, at: str, most: int = MOST_VALUES, hint: str = AS_NPY) -> None:
    """InputError for JSON of more values than there may be at once, before they are made."""
    if text.count(",") >= most:
        raise InputError(
            "more values than are read at once",
            at=at,
            found=f"at least {text.count(',') + 1:,}",
            expected=f"up to {most:,}",
            hint=hint,
        )


def distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members; InputError for two of one name, of which Python would take the last."""
    made = dict(members)
    if len(made) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("two columns have one name", found=excerpt(twice), expected="a name for each")
    return made


def _plain(value: Any) -> float:
    return float(value) if type(value) in NUMBERS else np.nan


def _kind(values: Sequence[Any]) -> Kind:
    """What a member holds; truth and nothing are called numbers, so that their fault is told where it stands."""
    kinds: dict[type, Kind] = {str: "text", list: "lists", dict: "other"}
    found = {kinds.get(type(value), "numbers") for value in values if value is not None}
    return found.pop() if len(found) == 1 else "numbers"


class Field:
    """The numbers of one array, row by row."""

    def __init__(self, origin: Origin, part: Part, keys: Sequence[str], codes: Codes | NewNames | None = None) -> None:
        """Without keys, the value itself is the row."""
        self.origin, self.part, self.keys, self._codes = origin, part, keys, codes
        self._spool = Spool(origin.path)
        self._rows: list[Any] = []
        self._shape: tuple[int, ...] | None = None

    @classmethod
    def of(cls, origin: Origin, header: Header, part: Part, classes: Sequence[str]) -> Field:
        """The field of a table's part; `classes` are the names that labels may be."""
        keys = [header.names[column] for column in part.columns]
        is_text = [header.kinds[column] for column in part.columns] == ["text"] and part.role == "labels"
        return cls(origin, part, keys, Codes.of(f"{origin.path}:{keys[0]}", classes) if is_text else None)

    def append(self, number: int, value: Any) -> None:
        """Take a row."""
        row = self._picked(number, value)
        check_numbers(row if isinstance(row, list) else [row], self.origin.at(number))
        shape = (len(row),) if isinstance(row, list) else ()
        if self._shape not in {None, shape}:
            raise self._uneven(number, shape)
        self._shape = shape
        self._rows.append(row)
        if len(self._rows) * max(1, sum(shape)) >= BATCH_NUMBERS:
            self._flush()

    def array(self, lines: Lines) -> Array:
        """All rows."""
        self._flush()
        name = f":{self.keys[0]}" if len(self.keys) == 1 and not self.part.side_by_side else ""

        def place(index: tuple[int, ...]) -> str:
            row, *column = index or (0,)
            return f"{self.origin.unit} {lines[row]}" + (f", number {column[0] + 1}" if column else "")

        path = f"{self.origin.path}{name}"
        return Array(*self._spool.finish(), path, self.origin.format, "text", place, typed=False)

    def _flush(self) -> None:
        if self._rows:
            self._spool.append(np.array(self._rows, np.float64))
            self._rows = []

    def _picked(self, number: int, value: Any) -> Any:
        if not self.keys and (isinstance(value, list) or (type(value) in NUMBERS and self.origin.unit != "line")):
            return value
        if self.keys and isinstance(value, dict) and all(key in value for key in self.keys):
            if self._codes:
                return self._codes.of_name(str(value[self.keys[0]]), self.origin.at(number))
            if self.part.side_by_side:
                return [value[key] for key in self.keys]
            return value[self.keys[0]]
        held = next((key for key in self.keys if key not in value), "") if isinstance(value, dict) else ""
        raise InputError(
            f"the {self.origin.unit}s differ in what they hold",
            at=self.origin.at(number),
            found=excerpt(json.dumps(value)),
            expected=f"an object with {excerpt(held or self.keys[0])}, as before" if self.keys else "a list, as before",
        )

    def _uneven(self, number: int, shape: tuple[int, ...]) -> InputError:
        def told(shape: tuple[int, ...]) -> str:
            return count(shape[0], "number") if shape else "a number alone"

        return InputError(
            "the rows differ in length",
            at=self.origin.at(number),
            found=told(shape),
            expected=f"{told(self._shape or ())}, as in the rows before",
        )


def _filled(rows: Iterable[tuple[int, Any]], fields: Sequence[Field], ids: dict[str, str]) -> list[Array]:
    """The arrays of all rows, with what tells the rows apart."""
    lines, numbers = Lines(), array("q")
    held: dict[str, list[Any]] = {name: [] for name in ids}
    for number, value in rows:
        for field in fields:
            field.append(number, value)
        for name, key in ids.items():
            held[name].append(value.get(key) if isinstance(value, dict) else None)
        numbers.append(number)
    consecutive = numbers[-1] - numbers[0] + 1 == len(numbers)
    lines.append(range(numbers[0], numbers[-1] + 1) if consecutive else numbers)
    tabled = Tabled(ids={name: keys_of(cells) for name, cells in held.items()})
    return [replace(field.array(lines), table=replace(tabled, names=field.part.names)) for field in fields]


def _tabled(arrays: Sequence[Array], chosen: Chosen) -> list[Array]:
    return [replace(each, table=replace(each.table, notes=chosen.notes)) for each in arrays]


def check_numbers(row: list[Any], at: str) -> None:
    """InputError for what is no number in a row."""
    if {*map(type, row)} <= {int, float}:
        return
    position = next(position for position, item in enumerate(row) if type(item) not in NUMBERS)
    raise InputError(
        "not a number",
        at=f"{at}, number {position + 1}",
        found=excerpt(json.dumps(row[position])),
        expected="a number, NaN or Infinity",
        hint="one row of numbers a line" if isinstance(row[position], list) else "",
    )
