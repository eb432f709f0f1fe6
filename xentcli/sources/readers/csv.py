"""Numbers as text, in rows; strict on everything that is not a number in its place."""

from __future__ import annotations

import math
import re
import tempfile
from array import array
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, islice
from shlex import quote
from typing import IO, TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, Tabled
from xentcli.sources.choosing import Header, choose
from xentcli.sources.codes import Codes, NewNames
from xentcli.sources.files import count, excerpt
from xentcli.sources.oddity import sample_rows, unlike
from xentcli.sources.readers.layout import NUMBER, SCALAR, Layout, is_list, read_layout, rows, split, told_by_rows
from xentcli.sources.readers.lines import Lines
from xentcli.sources.readers.text import contents, read_pieces
from xentcli.sources.rowkeys import keys_of, keys_of_numbers
from xentcli.sources.saving import beside
from xentcli.sources.stored import Spool, room, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xentcli.numbers.arrays import Values
    from xentcli.sources.choosing import Chosen, Kind, Part
    from xentcli.sources.readers.text import Piece
    from xentcli.sources.request import Request
    from xentcli.sources.rowkeys import Keys
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

MISSING = re.compile(r"|-|na|n/a|null|none", re.IGNORECASE)
HINTS = {  # what a cell looks like that is no number -> what to do about it
    MISSING: "a missing value is written nan",
    re.compile(r"true|false", re.IGNORECASE): "write 1 and 0",
    re.compile(r"[+-]?[\d._]*_.*"): "digits stand without underscores",
    re.compile(r"[+-]?0[xob].*", re.IGNORECASE): "numbers are decimal",
    re.compile(r"[+-]?\d{1,3}(?:([., '\u00a0\u2009\u202f])\d{3})+(?:(?!\1)[.,]\d*)?"): (
        "thousands separators? write the numbers without them"
    ),
    re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE): "--decimal ,",
    re.compile(r"\[.*"): "lists are read where each row has one, with commas: array.tolist()",
    re.compile(r"[\"'].*"): "numbers stand without quotes",
    re.compile(r"\u2212.*"): "the minus sign is the keyboard's hyphen",
}
MISSPELT = re.compile(r"[-+\u2212$\u20ac]?(?=[^\d]*+\d)[\d.,'% \u00a0_]++|[+-]?0[xob].*|-", re.IGNORECASE)


def read(source: Source, request: Request) -> list[Array]:
    """All rows once through, each number as `float` rounds it; the first line that is not such a row is the error."""
    seen: deque[Piece] = deque(maxlen=1)  # once the layout is known: the piece with the first row
    pieces = read_pieces(source.path, source.stream)
    first = partial(_seen_rows, seen)
    table = request.table
    classes = table.classes if request.roles == ("labels",) else ()
    layout = read_layout(
        source.path, contents(_remembered(pieces, seen)), first, decimal=table.decimal, classes=classes
    )
    layout = told_by_rows(layout, first())
    header = header_of(source.path, layout, first())
    if not layout.names and len(request.roles) + (request.key is not None) > 1 and request.column is None:
        request.only("a table")
    chosen = choose(header, request)
    columns = [Column.of(header, part, chosen, request) for part in chosen.parts]
    by_cells = not layout.is_plain or set(header.kinds) != {"numbers"}
    reader = Reader(source.path, layout, chosen, columns, by_cells=by_cells)
    with _scratch(source.path) as scratch:
        for piece in chain(seen, pieces):
            reader.append(piece, scratch)
    tabled = Tabled(notes=(*layout.notes, *chosen.notes), ids=reader.keys())
    return [
        replace(column.array(reader.lines), headed=layout.may_be_header, table=replace(tabled, names=column.part.names))
        for column in columns
    ]


def _remembered(pieces: Iterator[Piece], seen: deque[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        seen.append(piece)
        yield piece


def _seen_rows(seen: deque[Piece]) -> Iterator[tuple[int, str]]:
    return rows(contents(seen))


def header_of(path: str, layout: Layout, content: Iterator[tuple[int, str]]) -> Header:
    """The columns with what the first rows show of them."""
    below = (line for number, line in content if number > layout.header_line)
    first = list(islice(below, sample_rows(layout.columns)))
    cells = cache(lambda: [layout.cells(line) for line in first])

    def column(place: int) -> list[str]:
        return [row[place] for row in cells() if len(row) == layout.columns]

    values = _numbers(layout, first)
    kinds: list[Kind] = ["numbers"] * layout.columns
    if values is None:
        _refuse_more_names(path, layout, cells())
        kinds = [_kind(layout, column(place)) for place in range(layout.columns)]
        numbers = [row if len(row) == layout.columns else [""] * layout.columns for row in cells()]
        values = np.array([[_number(layout, cell) for cell in row] for row in numbers]).reshape(-1, layout.columns)
    has_names = bool(layout.names)
    return Header(
        path=path,
        at=f"{path}, line {layout.header_line}" if has_names else path,
        names=layout.names or tuple(map(str, range(layout.columns))),
        kinds=tuple(kinds),
        has_names=has_names,
        index=frozenset({0} if layout.row_names else ()),
        unlike=lambda columns: unlike(values, columns, column),
    )


def _refuse_more_names(path: str, layout: Layout, rows: Sequence[Sequence[str]]) -> None:
    """InputError for two lines of names, as pandas writes columns of several levels: words over two numbers or more."""
    whole = [row for row in rows if len(row) == layout.columns]
    if not layout.names or len(whole) < 2:
        return
    numeric = [place for place in range(layout.columns) if all(layout.fits(row[place]) for row in whole[1:])]
    over = [whole[0][place].strip() for place in numeric]
    if any(layout.fits(word) or MISSPELT.fullmatch(word) or (word and MISSING.fullmatch(word)) for word in over):
        return
    if sum(map(bool, over)) < 2:
        return
    names = [layout.names[place] for place in numeric]
    dropped = layout.header_line + (len(set(names)) == len(names))
    raise InputError(
        "a second line of names",
        at=f"{path}, line {layout.header_line + 1}",
        found=excerpt(", ".join(filter(None, whole[0]))),
        expected="one line of names, or none, and numbers below",
        hint=f"sed {dropped}d {quote(path)} > named.csv leaves one of them",
    )


def _numbers(layout: Layout, lines: Sequence[str]) -> Values | None:
    """The numbers of these rows, if there is nothing else in them."""
    if not layout.is_plain:
        return None
    try:
        values = np.loadtxt(lines, delimiter=layout.delimiter, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape[1] == layout.columns else None


def _number(layout: Layout, cell: str) -> float:
    return float(layout.pointed(cell)) if layout.fits(cell) else math.nan


def _kind(layout: Layout, cells: Sequence[str]) -> Kind:
    """What a column holds; what may be a misspelt number is called a number, so that its fault is told."""
    if cells and all(map(is_list, cells)):
        return "lists"
    faulty = any(layout.fits(cell) or MISSING.fullmatch(cell) or MISSPELT.fullmatch(cell) for cell in cells)
    return "numbers" if faulty or (len(cells) < 2 and not layout.names) else "text"


@dataclass
class Column:
    """One array of a table, taken row by row: numbers side by side, a list in each row, or names of classes."""

    path: str
    part: Part
    kind: Kind
    codes: Codes | NewNames | None  # of labels that are names
    spool: Spool
    length: int | None = None  # of the lists

    @classmethod
    def of(cls, header: Header, part: Part, chosen: Chosen, request: Request) -> Column:
        """Nothing is taken yet; UsageError for names that nobody gave the classes."""
        kind = header.kinds[part.columns[0]] if len(part.columns) == 1 else "numbers"
        if kind == "text" and part.role != "labels":
            kind = "numbers"  # so that the first that is none is told
        names = request.table.classes or next((each.names for each in chosen.parts if each.names), ())
        codes = Codes.of(header.path, names) if kind == "text" else None
        return cls(header.path, part, kind, codes, Spool(header.path))

    def take_values(self, values: Values) -> None:
        """The rows of a table of numbers alone."""
        columns = self.part.columns
        self.spool.append(values if columns == tuple(range(values.shape[1])) else values.take(columns, axis=1))

    def take_cells(self, layout: Layout, table: Sequence[tuple[int, list[str]]]) -> None:
        """Some rows, as they are written."""
        taken = [self._row(layout, line, cells) for line, cells in table]
        width = self.length if self.kind == "lists" else len(self.part.columns)
        self.spool.append(np.array(taken, np.float64).reshape(len(taken), width or 0))

    def array(self, lines: Lines) -> Array:
        """All rows."""

        def place(index: tuple[int, ...]) -> str:
            row, *column = index or (0,)
            line = f"line {lines[row]}"
            if not column:
                return line
            if self.kind == "lists":
                return f"{line}, column {self.part.columns[0] + 1}, number {column[0] + 1}"
            return f"{line}, column {self.part.columns[column[0]] + 1}"

        return Array(*self.spool.finish(), self.path, "csv", "text", place, typed=False)

    def _row(self, layout: Layout, line: int, cells: list[str]) -> list[float]:
        at = f"{self.path}, line {line}, column"
        if self.kind == "lists":
            return self._list(cells[self.part.columns[0]], f"{at} {self.part.columns[0] + 1}")
        if self.codes is not None:
            return [self.codes.of_name(cells[self.part.columns[0]], f"{at} {self.part.columns[0] + 1}")]
        for column in self.part.columns:
            if not layout.fits(cells[column]):
                raise _not_a_number(f"{at} {column + 1}", cells[column], layout)
        return [float(layout.pointed(cells[column])) for column in self.part.columns]

    def _list(self, cell: str, at: str) -> list[float]:
        """The numbers of a list in a cell, as many as in the rows before."""
        items = [item.strip() for item in SCALAR.sub(r"\1", cell[1:-1]).split(",")] if is_list(cell) else [cell]
        wrong = next((item for item in items if not NUMBER.fullmatch(item)), None)
        if wrong is not None:
            raise _not_a_number(at, wrong if is_list(cell) and len(items) > 1 else cell)
        self.length = self.length or len(items)
        if len(items) != self.length:
            expected = f"{self.length:,}, as in the rows before"
            raise InputError("the rows differ in length", at=at, found=count(len(items), "number"), expected=expected)
        return list(map(float, items))


class Reader:
    """The rows of a file, parsed piece by piece into the columns that are wanted."""

    def __init__(
        self, path: str, layout: Layout, chosen: Chosen, columns: Sequence[Column], *, by_cells: bool
    ) -> None:  # fmt: skip
        """`by_cells` where there is something else in the file than numbers that numpy reads."""
        self.path, self.layout, self.columns, self.lines = path, layout, columns, Lines()
        self._by_cells = by_cells
        self._all_numbers = sum(len(part.columns) for part in chosen.parts) == layout.columns
        self._ids = chosen.ids
        self._keys: dict[str, list[Keys]] = {name: [] for name in chosen.ids}

    def append(self, piece: Piece, scratch: IO[bytes]) -> None:
        """Take the rows of a piece."""
        if self._by_cells:
            self._take_cells(piece)
            return
        try:
            values, numbers = _parsed(self.path, self.layout, piece, scratch)
        except ValueError:  # a fault, or what numpy does not read
            if self._all_numbers and b'"' not in piece.data:
                values, numbers = _parsed_lines(self.path, self.layout, piece)
            else:
                self._take_cells(piece)
                return
        self.lines.append(numbers)
        for column in self.columns:
            column.take_values(values)
        for name, place in self._ids.items():
            self._keys[name].append(keys_of_numbers(values[:, place]))

    def keys(self) -> dict[str, Keys]:
        """What tells the rows apart, of each column that does."""
        return {name: np.concatenate(keys) for name, keys in self._keys.items()}

    def _take_cells(self, piece: Piece) -> None:
        table = list(self._cells(piece))
        if table and table[-1][0] - table[0][0] + 1 == len(table):
            self.lines.append(range(table[0][0], table[-1][0] + 1))
        else:
            self.lines.append(array("q", (line for line, _ in table)))
        for column in self.columns:
            column.take_cells(self.layout, table)
        for name, place in self._ids.items():
            self._keys[name].append(keys_of(self.layout.pointed(cells[place]) for _, cells in table))

    def _cells(self, piece: Piece) -> Iterator[tuple[int, list[str]]]:
        for line, content in _rows(self.layout, piece):
            cells = self.layout.cells(content)
            if len(cells) != self.layout.columns:
                raise _ragged(self.path, line, content, self.layout)
            yield line, cells


def _parsed(path: str, layout: Layout, piece: Piece, scratch: IO[bytes]) -> tuple[Values, Sequence[int]]:
    """The rows of a piece, float64 [rows, columns], and the line of each; ValueError for what numpy does not read."""
    if next(_rows(layout, piece), None) is None:
        return np.empty((0, layout.columns)), ()
    skipped = max(0, layout.header_line + 1 - piece.first_line)
    values = _loaded(path, layout, piece.data, skipped, scratch)
    if len(values) + skipped == piece.line_count:
        return values, range(piece.first_line + skipped, piece.first_line + piece.line_count)
    return values, array("q", (line for line, _ in _rows(layout, piece)))


def _parsed_lines(path: str, layout: Layout, piece: Piece) -> tuple[Values, Sequence[int]]:
    """The same of lines that are looked at one by one: the first fault is the error, and blank lines are none."""
    values = np.loadtxt(_checked(path, layout, piece), delimiter=layout.delimiter, comments=None, ndmin=2)
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
            if not layout.fits(cell):
                raise _not_a_number(f"{path}, line {line}, column {column}", cell)
        yield content


def _ragged(path: str, line: int, content: str, layout: Layout) -> InputError:
    columns = len(split(content, layout.delimiter, len(content)))
    return InputError(
        "the rows differ in length",
        at=f"{path}, line {line}",
        found=count(columns, "column"),
        expected=f"{layout.columns:,}, as in the rows before",
    )


def _not_a_number(at: str, cell: str, layout: Layout | None = None) -> InputError:
    hint = next((hint for pattern, hint in HINTS.items() if pattern.fullmatch(cell)), "")
    if layout is not None and layout.decimal == "," and NUMBER.fullmatch(cell):
        hint = "--decimal ."
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
