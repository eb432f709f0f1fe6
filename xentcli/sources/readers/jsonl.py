"""JSON Lines: in each line a list of numbers, or an object with logits and a label."""

from __future__ import annotations

import json
from array import array
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array
from xentcli.sources.files import count, excerpt
from xentcli.sources.readers.lines import Lines
from xentcli.sources.readers.text import contents, read_pieces
from xentcli.sources.saving import beside
from xentcli.sources.stored import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

TOP = {"logprobs", "top_logprobs", "prompt_logprobs", "filtered_resps", "resps", "token_logprobs"}
BATCH_NUMBERS = 1 << 20  # that are Python's at once


def read(source: Source, request: Request) -> list[Array]:
    """What is asked for, float64 [rows, classes], or [rows] where each line has a number alone."""
    lines = _lines(source)
    first = next(lines, None)
    if first is None:
        raise InputError("the file holds no rows of numbers", at=source.path, found="blank lines alone")
    keys = _keys(first[1], request)
    fields = [Field(source.path, key) for key in keys]
    for number, value in chain([first], lines):
        for field in fields:
            field.append(number, value)
    return [field.array() for field in fields]


class Field:
    """The numbers of one key, row by row."""

    def __init__(self, path: str, key: str | None) -> None:
        """Without a key, the line itself is the row."""
        self.path, self.key = path, key
        self._spool, self._lines = Spool(path), Lines()
        self._rows: list[Any] = []
        self._numbers = array("q")
        self._shape: tuple[int, ...] | None = None

    def append(self, line: int, value: Any) -> None:
        row = self._picked(line, value)
        _check_numbers(row if isinstance(row, list) else [row], f"{self.path}, line {line}")
        shape = (len(row),) if isinstance(row, list) else ()
        if self._shape not in {None, shape}:
            raise self._uneven(line, shape)
        self._shape = shape
        self._rows.append(row)
        self._numbers.append(line)
        if len(self._rows) * max(1, sum(shape)) >= BATCH_NUMBERS:
            self._flush()

    def array(self) -> Array:
        """All rows."""
        self._flush()
        path = self.path if self.key is None else f"{self.path}:{self.key}"
        return Array(*self._spool.finish(), path, "jsonl", "text", self._place, typed=False)

    def _place(self, index: tuple[int, ...]) -> str:
        row, *column = index or (0,)
        return f"line {self._lines[row]}" + (f", number {column[0] + 1}" if column else "")

    def _flush(self) -> None:
        if self._rows:
            self._spool.append(np.array(self._rows, np.float64))
            self._lines.append(self._numbers)
            self._rows, self._numbers = [], array("q")

    def _picked(self, line: int, value: Any) -> Any:
        if self.key is None and isinstance(value, list):
            return value
        if self.key is not None and isinstance(value, dict) and self.key in value:
            return value[self.key]
        raise InputError(
            "the lines differ in what they hold",
            at=f"{self.path}, line {line}",
            found=excerpt(json.dumps(value)),
            expected="a list, as before" if self.key is None else f"an object with {excerpt(self.key)}, as before",
        )

    def _uneven(self, line: int, shape: tuple[int, ...]) -> InputError:
        def told(shape: tuple[int, ...]) -> str:
            return count(shape[0], "number") if shape else "a number alone"

        return InputError(
            "the rows differ in length",
            at=f"{self.path}, line {line}",
            found=told(shape),
            expected=f"{told(self._shape or ())}, as in the rows before",
        )


def _keys(value: Any, request: Request) -> list[str | None]:
    """Which keys of the lines are wanted, as the first line has them; None is the line itself."""
    if isinstance(value, dict):
        check_top(value, request.path)
        return list(request.names([key for key, held in value.items() if isinstance(held, float | list)]))
    request.only("lists of numbers")
    return [None]


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


def _lines(source: Source) -> Iterator[tuple[int, Any]]:
    """The values of all lines that are not blank."""
    for number, line in contents(read_pieces(source.path, source.stream)):
        if line.strip():
            try:
                yield number, json.loads(line, parse_int=float)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    "not a value of JSON",
                    at=f"{source.path}, line {number}",
                    found=excerpt(line.strip()),
                    expected="a list of numbers, or an object, in each line",
                    hint="a document of many lines? write a row a line",
                ) from error


def _check_numbers(row: list[Any], at: str) -> None:
    if set(map(type, row)) <= {float}:
        return
    position = next(position for position, item in enumerate(row) if not isinstance(item, float))
    raise InputError(
        "not a number",
        at=f"{at}, number {position + 1}",
        found=excerpt(json.dumps(row[position])),
        expected="a number, NaN or Infinity",
        hint="one row of numbers a line" if isinstance(row[position], list) else "",
    )


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """An object a line; every number with the digits that tell it from its neighbours in float64."""
    for rows, labels in beside(arrays["logits"], arrays["labels"]):
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
            sink.write(f"{json.dumps({'logits': row, 'label': label})}\n".encode())
