"""Numbers as text, in rows; strict on everything that is not a number in its place."""

from __future__ import annotations

import re
import tempfile
from array import array
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from typing import IO, TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array
from xentcli.sources.files import count, excerpt
from xentcli.sources.headings import check_classes
from xentcli.sources.readers.layout import NUMBER, Layout, read_layout, rows, told_by_rows
from xentcli.sources.readers.lines import Lines
from xentcli.sources.readers.text import contents, read_pieces
from xentcli.sources.saving import beside
from xentcli.sources.stored import Spool, room, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xentcli.numbers.arrays import Values
    from xentcli.sources.readers.text import Piece
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

HINTS = {  # what a cell looks like that is no number -> what to do about it
    re.compile(r"|-|na|n/a|null|none", re.IGNORECASE): "a missing value is written nan",
    re.compile(r"true|false", re.IGNORECASE): "write 1 and 0",
    re.compile(r"[+-]?[\d._]*_.*"): "digits stand without underscores",
    re.compile(r"[+-]?0[xob].*", re.IGNORECASE): "numbers are decimal",
    re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE): "a decimal comma? it is not read: write a point",
    re.compile(r"[\"'].*"): "numbers stand without quotes",
    re.compile(r"\u2212.*"): "the minus sign is the keyboard's hyphen",
}


def read(source: Source, request: Request) -> list[Array]:
    """All rows once through, each number as `float` rounds it; the first line that is not such a row is the error."""
    seen: deque[Piece] = deque(maxlen=1)  # once the layout is known: the piece with the first row
    pieces = read_pieces(source.path, source.stream)
    layout = told_by_rows(read_layout(source.path, contents(_remembered(pieces, seen))), rows(contents(seen)))
    parts = _parts(layout, request)
    spools = [Spool(source.path) for _ in parts]
    lines = Lines()
    with _scratch(source.path) as scratch:
        for piece in chain(seen, pieces):
            values, numbers = _parsed(source.path, layout, piece, scratch)
            lines.append(numbers)
            for spool, columns in zip(spools, parts, strict=True):
                spool.append(values if len(columns) == layout.columns else values.take(columns, axis=1))
    arrays = [_array(source.path, spool, columns, lines) for spool, columns in zip(spools, parts, strict=True)]
    return [replace(array, headed=layout.may_be_header) for array in arrays]


def _remembered(pieces: Iterator[Piece], seen: deque[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        seen.append(piece)
        yield piece


def _parts(layout: Layout, request: Request) -> list[Sequence[int]]:
    """The columns of each array that is wanted."""
    if request.column is None:
        request.only("a table")
        return [_classes(request.path, layout, range(layout.columns))]
    column = layout.column(request.path, request.column)
    return [_classes(request.path, layout, [other for other in range(layout.columns) if other != column]), [column]]


def _classes(path: str, layout: Layout, columns: Sequence[int]) -> Sequence[int]:
    """The columns, if none has a name that no class has."""
    if layout.header_line:
        check_classes(f"{path}, line {layout.header_line}", (layout.names[column] for column in columns))
    return columns


def _array(path: str, spool: Spool, columns: Sequence[int], lines: Lines) -> Array:
    def place(index: tuple[int, ...]) -> str:
        row, *column = index or (0,)
        line = f"line {lines[row]}"
        return f"{line}, column {columns[column[0]] + 1}" if column else line

    return Array(*spool.finish(), path, "csv", "text", place, typed=False)


def _parsed(path: str, layout: Layout, piece: Piece, scratch: IO[bytes]) -> tuple[Values, Sequence[int]]:
    """The rows of a piece, float64 [rows, columns], and the line of each."""
    if next(_rows(layout, piece), None) is None:
        return np.empty((0, layout.columns)), ()
    skipped = max(0, layout.header_line + 1 - piece.first_line)
    try:
        values = _loaded(path, layout, piece.data, skipped, scratch)
    except ValueError:  # a fault, or a line of blanks, which numpy takes for one
        values = np.loadtxt(_checked(path, layout, piece), delimiter=layout.delimiter, comments=None, ndmin=2)
    if len(values) + skipped == piece.line_count:
        return values, range(piece.first_line + skipped, piece.first_line + piece.line_count)
    return values, array("q", (line for line, _ in _rows(layout, piece)))


def _loaded(path: str, layout: Layout, text: bytes, skipped: int, scratch: IO[bytes]) -> Values:
    """numpy reads a file by its name up to three times faster than from Python's lines."""
    with room(path):
        scratch.seek(0)
        write_all(scratch.fileno(), text)
        scratch.truncate()  # only now: to free all of its pages and take new ones costs a tenth of the time
    values = np.loadtxt(scratch.name, delimiter=layout.delimiter, skiprows=skipped, ndmin=2, encoding="utf-8")
    if values.shape[1] != layout.columns:
        raise ValueError
    return values


@contextmanager
def _scratch(path: str) -> Iterator[IO[bytes]]:
    """A file of a name under which numpy finds what is written to it."""
    with ExitStack() as stack:
        with room(path):
            file = stack.enter_context(tempfile.NamedTemporaryFile(buffering=0))
        yield file


def _rows(layout: Layout, piece: Piece) -> Iterator[tuple[int, str]]:
    return ((line, content) for line, content in rows(contents([piece])) if line > layout.header_line)


def _checked(path: str, layout: Layout, piece: Piece) -> Iterator[str]:
    """The rows, until one has a fault."""
    for line, content in _rows(layout, piece):
        cells = layout.cells(content)
        if len(cells) != layout.columns:
            raise _ragged(path, line, content, layout)
        for column, cell in enumerate(cells, 1):
            if not NUMBER.fullmatch(cell):
                raise _not_a_number(f"{path}, line {line}, column {column}", cell)
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


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """A table with a header, whose column `label` holds the labels; every number so that float64 reads it back."""
    logits, labels = arrays["logits"], arrays["labels"]
    sink.write(",".join([*map(str, range(logits.shape[1])), "label\n"]).encode())
    for values, column in beside(logits, labels):
        for row, label in zip(values.tolist(), column.tolist(), strict=True):
            sink.write(f"{','.join(map(repr, row))},{label}\n".encode())
