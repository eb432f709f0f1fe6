"""How the rows of a text file are written: its header, its delimiter, its columns, the spelling of its numbers."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources.files import count, excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

MOST_COLUMNS = 1 << 20
DELIMITERS = ";,\t"  # else blanks; the semicolon first, as where it delimits, commas are decimal
NOT_NAMES = {"na", "n/a", "null", "none", "true", "false"}  # values of other programs; a row of them is no header
# What `float` takes, without underscores; possessive, so that no text is gone through twice.
NUMBER = re.compile(r"[+-]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
COMMA_NUMBER = re.compile(
    r"[+-]?(?:(?:\d++(?:,\d*+)?|,\d++)(?:e[+-]?\d++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
NUMBERS = {".": NUMBER, ",": COMMA_NUMBER}
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)  # or a fraction of three digits
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
MAY_BE_VALUES = "iInNtTfF"  # how infinities, what is missing, and truth begin
SEPARATOR = re.compile(r"""\s*"?sep=(.)"?[,;\t]*\s*""", re.IGNORECASE)  # what Excel wants in the first line, and takes
BEFORE_COMMENT = re.compile(r'(?:[^"#]++|"[^"]*+"|")*+')
QUOTED = re.compile(r'"[^"]*"')
SCALAR = re.compile(r"np\.float\d+\(([^()]*)\)")  # how numpy 2 prints a number of a list
FIRST_ROWS = 64  # that tell how all are written


@dataclass(frozen=True)
class Layout:
    """How the rows are written."""

    delimiter: str | None  # None is blanks
    columns: int
    header_line: int = 0  # rows begin after this line; 0 where they begin at once
    names: tuple[str, ...] = ()  # of the columns, freed from quotes; none without a header
    may_be_header: bool = False  # the first row counts the columns from 0, as numbers or as names: the rows do not tell
    decimal: str = "."
    ends_blank: bool = False  # a delimiter ends each row, and nothing follows
    row_names: bool = False  # the header has no name for the first column, which names the rows
    is_plain: bool = True  # numpy reads it: a point, no quotes, and numbers alone
    notes: tuple[str, ...] = ()

    def cells(self, content: str) -> list[str]:
        """The cells of a line, freed from quotes; what goes beyond the last column is one more."""
        found = self._split(content)
        if self.ends_blank and len(found) == self.columns + 1 and not found[-1]:
            found.pop()
        return found

    def fits(self, cell: str) -> bool:
        """Whether it is a number as this file writes them."""
        return NUMBERS[self.decimal].fullmatch(cell) is not None

    def pointed(self, cell: str) -> str:
        """The number as Python writes it."""
        return cell.replace(",", ".") if self.decimal == "," else cell

    def _split(self, content: str) -> list[str]:
        return split(content, self.delimiter, self.columns + self.ends_blank)


def split(content: str, delimiter: str | None, most: int = MOST_COLUMNS) -> list[str]:
    """The cells of a line, freed from blanks and quotes; what goes beyond so many cells is one more."""
    if '"' not in content:
        return [cell.strip() for cell in content.split(delimiter, most)]
    return [_unquoted(cell.strip()) for cell in _quoted_cells(content, delimiter, most)]


def rows(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines that are neither blank nor comment, without trailing comments."""
    for number, line in lines:
        content = _before_comment(line)
        if content.strip():
            yield number, content


def read_layout(
    path: str, lines: Iterator[tuple[int, str]], rest: Callable[[], Iterator[tuple[int, str]]], *,
    decimal: str = "", classes: Collection[str] = (),
) -> Layout:  # fmt: skip
    """The layout as the first row of numbers shows it; no line beyond that row is taken from the numbered lines.

    rest     gives the rows of the part of the file that holds the first one
    decimal  the sign that the user names, or nothing
    classes  names of classes: a line that has one is a row of labels, and no header
    """
    content = rows(lines)
    number, first = _next(content, path, found="blank lines or comments alone")
    separator = SEPARATOR.fullmatch(first)
    last_skipped = 0
    if separator:
        last_skipped = number
        number, first = _next(content, path, found="the line `sep=` alone")
    delimiter = separator[1] if separator else _delimiter(first, decimal)
    cells = _cells(f"{path}, line {number}", first, delimiter)
    if not _is_header(cells, classes):
        return _told(path, Layout(delimiter, len(cells), last_skipped, decimal=decimal or "."), rest, decimal)
    row_number, row = _next(content, path, found=f"a header alone, {excerpt(first.strip())}")
    delimiter = separator[1] if separator else _delimiter(row, decimal)
    columns = len(_cells(f"{path}, line {row_number}", row, delimiter))
    names = _names(f"{path}, line {number}", first, delimiter)
    layout = _told(path, Layout(delimiter, columns, number, names, decimal=decimal or "."), rest, decimal)
    if layout.delimiter != delimiter:
        layout = replace(layout, names=_names(f"{path}, line {number}", first, layout.delimiter))
    return _with_names(path, layout, rest, row_number)


def _with_names(
    path: str, layout: Layout, rest: Callable[[], Iterator[tuple[int, str]]], row_number: int
) -> Layout:  # fmt: skip
    """The layout, if the header fits its rows; R writes none for the names of the rows."""
    names = layout.names
    if layout.ends_blank and len(names) == layout.columns + 1 and not names[-1]:
        names = names[:-1]
    if len(names) == layout.columns:
        return replace(layout, names=names)
    if len(names) == layout.columns - 1 and _names_rows(layout, list(_after(layout, rest))):
        return replace(layout, names=("", *names), row_names=True)
    raise InputError(
        "the header does not fit the rows",
        at=f"{path}, line {layout.header_line}",
        found=count(len(names), "name"),
        expected=f"{layout.columns:,}, one for each number in line {row_number}",
        hint="--decimal ," if layout.columns == 2 * len(names) and layout.delimiter == "," else "",
    )


def _names_rows(layout: Layout, first: list[str]) -> bool:
    """Whether the first column is what R writes before its rows: texts, or 1, 2, 3, in quotes or not."""
    own = [layout.cells(content)[0] for content in first]
    counts = len(own) > 1 and own == [str(row) for row in range(1, len(own) + 1)]
    if (
        layout.delimiter == ","
        and layout.columns == 2
        and counts
        and all(map(COMMA_NUMBER.fullmatch, map(str.strip, first)))
    ):
        return False  # a column of decimal commas looks so, too
    quoted = all(content.lstrip().startswith('"') for content in first)
    return counts or quoted or not any(map(layout.fits, own))


def _told(
    path: str, layout: Layout, rest: Callable[[], Iterator[tuple[int, str]]], decimal: str
) -> Layout:  # fmt: skip
    """The layout, with what the first rows show: a delimiter at every end, quotes, and a comma before the fraction."""
    first = list(_after(layout, rest))
    if not decimal:
        layout = _sniffed(path, layout, first)
    if _all_end_blank(layout, first):
        layout = replace(layout, columns=layout.columns - 1, ends_blank=True)
    plain = layout.decimal == "." and not layout.ends_blank and not any('"' in content for content in first)
    return replace(layout, is_plain=plain)


def _all_end_blank(layout: Layout, first: Sequence[str]) -> bool:
    """Whether a delimiter ends each of the rows, and no name stands above what would follow."""
    delimiter, last = layout.delimiter, layout.columns - 1
    if delimiter is None or not last or not first or not first[0].rstrip(' "\r\n').endswith(delimiter):
        return False
    named = len(layout.names) == layout.columns and layout.names[-1]
    return not named and all(split(content, delimiter)[last:] == [""] for content in first)


def _after(layout: Layout, rest: Callable[[], Iterator[tuple[int, str]]]) -> Iterator[str]:
    """The first rows below the header, few where they are long."""
    most = max(2, min(FIRST_ROWS, 20_000 // max(1, layout.columns)))
    return islice((content for number, content in rest() if number > layout.header_line), most)


def _sniffed(path: str, layout: Layout, first: Sequence[str]) -> Layout:
    """With a decimal comma where nothing else fits, and each field of the first rows does.

    Errors: InputError where the commas may as well stand between thousands.
    """
    if not any("," in content and set(content.strip()) & {*'"; \t'} for content in first[:1]):
        return layout
    if all(map(NUMBER.fullmatch, layout.cells(first[0]))):
        return layout
    for delimiter in dict.fromkeys((layout.delimiter, "\t", None)):
        cells = [split(content, delimiter) for content in first]
        widths = set(map(len, cells))
        every = [cell for row in cells for cell in row]
        commas = [cell for cell in every if "," in cell and COMMA_NUMBER.fullmatch(cell)]
        if delimiter == "," and not any('"' in content for content in first):
            continue
        if delimiter is None and any(re.search(r"[^\S ]", content.rstrip("\r\n")) for content in first):
            continue
        columns = list(zip(*cells, strict=True)) if len(widths) == 1 else []
        fits = [column for column in columns if all(map(COMMA_NUMBER.fullmatch, column))]
        texts = [column for column in columns if not any(NUMBER.fullmatch(c) or "," in c for c in column)]
        if not commas or len(columns) < 2 or len(fits) + len(texts) < len(columns):
            continue
        if all(map(THOUSANDS.fullmatch, commas)):
            raise InputError(
                "commas before the fractions, or between thousands?",
                at=path,
                found=excerpt(commas[0]),
                expected="1234.5",
                hint="--decimal ,",
            )
        note = "its decimal commas are read as points"
        return replace(layout, delimiter=delimiter, columns=len(columns), decimal=",", notes=(note,))
    return layout


def told_by_rows(layout: Layout, content: Iterator[tuple[int, str]]) -> Layout:
    """The layout, with a first row 0, 1, … C−1 as its header where the second has fractions alone.

    pandas writes such a header over columns without names, and every one of its floats with a point; `content` is the
    rows of the first piece.
    """
    content = ((number, line) for number, line in content if number > layout.header_line)
    number, first = next(content, (0, ""))
    names = layout.cells(first)
    if names == ["0"] and not layout.names:
        return _above_names(layout, number, [layout.cells(line) for _, line in islice(content, 2)])
    if layout.names or names != [str(column) for column in range(layout.columns)]:
        return layout
    _, second = next(content, (0, ""))
    below = layout.cells(second)
    if layout.columns > 1 and len(below) == layout.columns and not any(map(WHOLE.fullmatch, below)):
        return replace(layout, header_line=number, names=tuple(names))
    return replace(layout, may_be_header=True)


def _above_names(layout: Layout, number: int, below: list[list[str]]) -> Layout:
    """The layout of one column that begins with 0: a header above what are no numbers, as of a series of names."""
    cells = [cell for row in below for cell in row]
    if cells and not any(map(layout.fits, cells)) and all(map(_is_name, cells)):
        return replace(layout, header_line=number, names=("0",))
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


def _delimiter(content: str, decimal: str) -> str | None:
    """A line of one cell has the comma, so that a name above it may have blanks; what stands in quotes is no sign."""
    bare = QUOTED.sub('""', content) if '"' in content else content
    stripped = bare.strip(" \r\n")
    if decimal == ",":
        stripped = re.sub(r'(?<!"),(?!")', ".", stripped)
    found = next((delimiter for delimiter in DELIMITERS if delimiter in stripped), None)
    if found or len(stripped.split(None, 1)) > 1:
        return found
    return ";" if decimal == "," else ","


def _is_header(cells: list[str], classes: Collection[str]) -> bool:
    """Whether some cell is a name and none is a number; plain digits are names too, as pandas writes them."""
    plain = [_bare(cell) for cell in cells]
    if sum(cell in classes for cell in plain) == 1:  # a label; of target probabilities each column has such a name
        return False
    if len(cells) > 1 and plain == ["", *map(str, range(len(cells) - 1))]:
        return True  # the index of pandas has no name
    has_name = False
    for cell, bare in zip(map(str.strip, cells), plain, strict=True):
        first = bare[:1]
        if first.isalpha() and first not in MAY_BE_VALUES:
            has_name = True
        elif not NUMBER.fullmatch(bare) and not COMMA_NUMBER.fullmatch(bare) and not is_list(bare):
            has_name |= _is_name(cell)
        elif not bare.isdigit():
            return False
    return has_name


def is_list(cell: str) -> bool:
    """Whether it is what Python prints of a list of numbers."""
    if cell[:1] != "[" or cell[-1:] != "]":
        return False
    first = re.split(r"[,\s]", SCALAR.sub(r"\1", cell[1:-1].strip()), maxsplit=1)[0]
    return NUMBER.fullmatch(first) is not None


def _bare(cell: str) -> str:
    """The cell without the blanks and the quotes round it."""
    stripped = cell.strip()
    return stripped[1:-1].strip() if len(stripped) > 1 and stripped[0] == stripped[-1] == '"' else stripped


def _is_name(cell: str) -> bool:
    """Whether it begins as names do; what begins as numbers do is taken for a misspelt number."""
    return (cell[:1].isalpha() or cell.startswith(("_", '"', "'", "<", "["))) and cell.lower() not in NOT_NAMES


def _cells(at: str, content: str, delimiter: str | None) -> list[str]:
    """The cells as they stand, quotes and all; a delimiter within quotes parts none."""
    cells = _quoted_cells(content, delimiter) if '"' in content else content.split(delimiter, MOST_COLUMNS)
    if len(cells) > MOST_COLUMNS:
        raise InputError(
            f"a row of more than {MOST_COLUMNS:,} columns", at=at, hint="save numbers of so many classes as .npy"
        )
    return cells


def _unquoted(cell: str) -> str:
    """What stands between the quotes round a whole cell; others stay as they are."""
    inner = cell[1:-1]
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"' or '"' in inner.replace('""', ""):
        return cell
    return inner.replace('""', '"').strip()


def _quoted_cells(content: str, delimiter: str | None, most: int = MOST_COLUMNS) -> list[str]:
    """The cells, with the quotes that they had."""
    if content.count('"') > 2 * MOST_COLUMNS + 1:
        return content.split(delimiter, most)  # more quotes than cells have
    kept: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f'"{len(kept) - 1}"'

    cells = QUOTED.sub(put_aside, content).split(delimiter, most)
    return [re.sub(r'"(\d+)"', lambda match: kept[int(match[1])], cell) for cell in cells]


def _names(at: str, header: str, delimiter: str | None) -> tuple[str, ...]:
    line = header.strip() if delimiter is None else header.strip(" \r\n")
    try:
        (names,) = csv.reader([line], delimiter=delimiter or " ", skipinitialspace=True)
    except csv.Error as error:
        raise InputError("the header cannot be read", at=at, found=str(error)) from error
    return tuple(name.strip() for name in names)
