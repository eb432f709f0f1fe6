"""Numbers as text, in rows; strict on everything that is not a number in its place."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xentcli.arrays import Array, in_memory
from xentcli.errors import InputError, UsageError
from xentcli.sources.files import count, excerpt
from xentcli.sources.layout import NUMBER, Layout, contents, read_layout
from xentcli.sources.text import ENCODING, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.arrays import Values

PACKED = {".gz", ".bz2", ".xz", ".lzma"}  # numpy unpacks files of these names, whatever they hold
HINTS = {  # what a cell looks like that is no number -> what to do about it
    re.compile(r"|-|na|n/a|null|none", re.IGNORECASE): "a missing value is written nan",
    re.compile(r"true|false", re.IGNORECASE): "write 1 and 0",
    re.compile(r"[+-]?[\d._]*_.*"): "digits stand without underscores",
    re.compile(r"[+-]?0[xob].*", re.IGNORECASE): "numbers are decimal",
    re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE): "a decimal comma? it is not read: write a point",
    re.compile(r"[\"'].*"): "numbers stand without quotes",
    re.compile(r"\u2212.*"): "the minus sign is the keyboard's hyphen",
}


@dataclass(frozen=True, eq=False)
class Table:
    """The numbers of a text file, and its lines."""

    text: Text
    layout: Layout
    values: Values  # float64 [rows, columns]

    def whole(self) -> Array:
        """All columns."""
        return self._array(self.values, range(self.layout.columns))

    def split(self, column: int) -> tuple[Array, Array]:
        """All other columns [rows, columns - 1], and this one [rows, 1]; both keep their places in the file."""
        others = [other for other in range(self.layout.columns) if other != column]
        return (
            self._array(np.delete(self.values, column, axis=1), others),
            self._array(self.values[:, [column]].copy(), [column]),
        )

    def column(self, name: str) -> int:
        """The column of this name, or without a header at this position, from the end when negative."""
        if not self.layout.header_line:
            return self._position(name)
        names = self.layout.names
        if names.count(name) == 1:
            return names.index(name)
        raise UsageError(
            "more than one column has this name" if name in names else "no column has this name",
            at=f"{self.text.path}, line {self.layout.header_line}",
            found=excerpt(name),
            expected=f"one of {excerpt(', '.join(names), 70)}",
        )

    def _position(self, name: str) -> int:
        columns = self.layout.columns
        if not re.fullmatch(r"[+-]?\d{1,9}", name) or not -columns <= int(name) < columns:
            raise UsageError(
                "the file has no such column",
                at=self.text.path,
                found=excerpt(name),
                expected=f"a position from {-columns} to {columns - 1}, as there is no header",
            )
        return int(name) % columns

    @cached_property
    def lines(self) -> array[int]:
        """The line of each row, from 1."""
        return array("q", (line for line, _ in _rows(self.text, self.layout)))

    def _array(self, values: Values, columns: Sequence[int]) -> Array:
        def place(index: tuple[int, ...]) -> str:
            row, *column = index or (0,)
            line = f"line {self.lines[row]}"
            return f"{line}, column {columns[column[0]] + 1}" if column else line

        return Array(*in_memory(values), self.text.path, "csv", "text", place, typed=False)


def read_csv(text: Text) -> Table:
    """All rows, each number as `float` rounds it; the first line that is not such a row is the error."""
    layout = read_layout(text)
    return Table(text, layout, _values(text, layout))


def _values(text: Text, layout: Layout) -> Values:
    try:
        return _loaded(text, layout)
    except ValueError:  # a fault, or a line of blanks, which numpy takes for one
        return np.loadtxt(_checked(text, layout), delimiter=layout.delimiter, comments=None, ndmin=2)


def _loaded(text: Text, layout: Layout) -> Values:
    """numpy reads a file by its name up to three times faster than from Python's lines."""
    if text.kept is None and Path(text.path).suffix not in PACKED:
        name = str(Path(text.path).absolute())  # else numpy would download what looks like an address
        return np.loadtxt(name, delimiter=layout.delimiter, skiprows=layout.header_line, ndmin=2, encoding=ENCODING)
    with text.open() as lines:
        return np.loadtxt(lines, delimiter=layout.delimiter, skiprows=layout.header_line, ndmin=2)


def _rows(text: Text, layout: Layout) -> Iterator[tuple[int, str]]:
    return ((line, content) for line, content in contents(text) if line > layout.header_line)


def _checked(text: Text, layout: Layout) -> Iterator[str]:
    """The rows, until one has a fault."""
    for line, content in _rows(text, layout):
        cells = layout.cells(content)
        if len(cells) != layout.columns:
            raise _ragged(text.path, line, content, layout)
        for column, cell in enumerate(cells, 1):
            if not NUMBER.fullmatch(cell):
                raise _not_a_number(f"{text.path}, line {line}, column {column}", cell)
        yield content


def _ragged(path: str, line: int, content: str, layout: Layout) -> InputError:
    if layout.delimiter is None:
        columns = sum(1 for _ in re.finditer(r"\S+", content))
    else:
        columns = content.count(layout.delimiter) + 1
    return InputError(
        "the rows differ in length",
        at=f"{path}, line {line}",
        found=count(columns, "column"),
        expected=f"{layout.columns:,}, as in the rows before",
    )


def _not_a_number(at: str, cell: str) -> InputError:
    hint = next((hint for pattern, hint in HINTS.items() if pattern.fullmatch(cell)), "")
    return InputError(
        "not a number",
        at=at,
        found=excerpt(cell) if cell else "an empty cell",
        expected="a number, nan or inf",
        hint=hint,
    )
