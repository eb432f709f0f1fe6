"""How the rows of a text file are written: its header, its delimiter, its columns."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import count, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_COLUMNS = 1 << 20
DELIMITERS = ";,\t"  # else blanks; the semicolon first, as where it delimits, commas are decimal
NOT_NAMES = {"na", "n/a", "null", "none", "true", "false"}  # values of other programs; a row of them is no header
# What `float` takes, without underscores; possessive, so that no text is gone through twice.
NUMBER = re.compile(r"[+-]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
BEFORE_COMMENT = re.compile(r'(?:[^"#]++|"[^"]*+"|")*+')


@dataclass(frozen=True)
class Layout:
    """How the rows are written."""

    delimiter: str | None  # None is blanks
    columns: int
    header_line: int = 0  # 0 without a header
    names: tuple[str, ...] = ()  # of the columns, freed from quotes
    may_be_header: bool = False  # the first row counts the columns from 0, as numbers or as names: the rows do not tell

    def column(self, path: str, name: str) -> int:
        """The column of this name, or without a header at this position, from the end when negative."""
        if not self.header_line:
            return self._position(path, name)
        if self.names.count(name) == 1:
            return self.names.index(name)
        raise UsageError(
            "more than one column has this name" if name in self.names else "no column has this name",
            at=f"{path}, line {self.header_line}",
            found=excerpt(name),
            expected=f"one of {excerpt(', '.join(self.names), 70)}",
        )

    def _position(self, path: str, name: str) -> int:
        if not re.fullmatch(r"[+-]?\d{1,9}", name) or not -self.columns <= int(name) < self.columns:
            raise UsageError(
                "the file has no such column",
                at=path,
                found=excerpt(name),
                expected=f"a position from {-self.columns} to {self.columns - 1}, as there is no header",
            )
        return int(name) % self.columns

    def cells(self, content: str) -> list[str]:
        """The cells of a line; what goes beyond the last column is one more."""
        return [cell.strip() for cell in content.split(self.delimiter, self.columns)]


def rows(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines that are neither blank nor comment, without trailing comments."""
    for number, line in lines:
        content = _before_comment(line)
        if content.strip():
            yield number, content


def read_layout(path: str, lines: Iterator[tuple[int, str]]) -> Layout:
    """The layout as the first row of numbers shows it; no line beyond that row is taken from the numbered lines."""
    content = rows(lines)
    number, first = _next(content, path, found="blank lines or comments alone")
    delimiter = _delimiter(first)
    cells = _cells(f"{path}, line {number}", first, delimiter)
    if not _is_header(cells):
        return Layout(delimiter, len(cells))
    row_number, row = _next(content, path, found=f"a header alone, {excerpt(first.strip())}")
    delimiter = _delimiter(row)
    columns = len(_cells(f"{path}, line {row_number}", row, delimiter))
    names = _names(f"{path}, line {number}", first, delimiter)
    if len(names) != columns:
        raise InputError(
            "the header does not fit the rows",
            at=f"{path}, line {number}",
            found=count(len(names), "name"),
            expected=f"{columns:,}, one for each number in line {row_number}",
        )
    return Layout(delimiter, columns, number, names)


def told_by_rows(layout: Layout, content: Iterator[tuple[int, str]]) -> Layout:
    """The layout, with a first row 0, 1, … C−1 as its header where the second has fractions alone.

    pandas writes such a header over columns without names, and every one of its floats with a point; `content` is the
    rows of the first piece.
    """
    number, first = next(content, (0, ""))
    names = layout.cells(first)
    if layout.header_line or names != [str(column) for column in range(layout.columns)]:
        return layout
    _, second = next(content, (0, ""))
    below = layout.cells(second)
    if layout.columns > 1 and len(below) == layout.columns and not any(map(WHOLE.fullmatch, below)):
        return replace(layout, header_line=number, names=tuple(names))
    return replace(layout, may_be_header=True)


def _next(lines: Iterator[tuple[int, str]], path: str, found: str) -> tuple[int, str]:
    line = next(lines, None)
    if line is None:
        raise InputError("the file holds no rows of numbers", at=path, found=found)
    return line


def _before_comment(line: str) -> str:
    """All before a `#` that stands outside of quotes."""
    if "#" not in line:
        return line
    if '"' not in line:
        return line.partition("#")[0]
    match = BEFORE_COMMENT.match(line)
    return match.group() if match else line


def _delimiter(content: str) -> str | None:
    """A line of one cell has the comma, so that a name above it may have blanks."""
    stripped = content.strip()
    for delimiter in DELIMITERS:
        if delimiter in stripped:
            return delimiter
    return None if len(stripped.split(None, 1)) > 1 else ","


def _is_header(cells: list[str]) -> bool:
    """Whether some cell is a name and none is a number; plain digits are names too, as pandas writes them."""
    if len(cells) > 1 and [cell.strip() for cell in cells] == ["", *map(str, range(len(cells) - 1))]:
        return True  # the index of pandas has no name
    has_name = False
    for cell in map(str.strip, cells):
        if not NUMBER.fullmatch(cell):
            has_name |= _is_name(cell)
        elif not cell.isdigit():
            return False
    return has_name


def _is_name(cell: str) -> bool:
    """Whether it begins as names do; what begins as numbers do is taken for a misspelt number."""
    return (cell[:1].isalpha() or cell.startswith(("_", '"', "'", "<", "["))) and cell.lower() not in NOT_NAMES


def _cells(at: str, content: str, delimiter: str | None) -> list[str]:
    cells = content.split(delimiter, MOST_COLUMNS)
    if len(cells) > MOST_COLUMNS:
        raise InputError(
            f"a row of more than {MOST_COLUMNS:,} columns", at=at, hint="save numbers of so many classes as .npy"
        )
    return cells


def _names(at: str, header: str, delimiter: str | None) -> tuple[str, ...]:
    try:
        (names,) = csv.reader([header.strip()], delimiter=delimiter or " ", skipinitialspace=True)
    except csv.Error as error:
        raise InputError("the header cannot be read", at=at, found=str(error)) from error
    return tuple(name.strip() for name in names)
