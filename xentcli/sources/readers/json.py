"""JSON documents: a list of rows, an object of columns, what pandas and polars write, or arrays by name."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import PIECE_BYTES, count, excerpt
from xentcli.sources.readers.fields import Origin, arrays_of, check_top, check_values, distinct, whole
from xentcli.sources.readers.text import LONGEST_LINE
from xentcli.sources.request import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request
    from xentcli.sources.source import Source

LARGEST = 64 << 20  # bytes of an object, which is in memory at once; a list is read row by row
MOST_VALUES = 1 << 21  # of it
AS_LINES = "write JSON Lines: to_json(orient='records', lines=True)"
NAME = r'"(?:[^"\\]|\\.)*"\s*:\s*'
INDENTED = re.compile(r"\{\s*(?:\n|" + NAME + r"[{\[]\s*\n)")  # an object over several lines
# one whose only line is not seen to its end: objects, lists of lists, or lists that are columns
LONG = re.compile(r"\{\s*" + NAME + r'(?:\{|\[\s*[\[{"])|\{\s*(?!"(?:logits|labels?)")' + NAME + r"\[|\{\s*\"0\"\s*:")
SPACE = re.compile(r"[ \t\r\n]*")
Rows = list[tuple[int, Any]]


def is_one(head: bytes, role: str) -> bool:
    """Whether text that begins so is one document, and not a value in each line; `role` is what is wanted of it."""
    text = head.decode("utf-8-sig", "ignore").lstrip()
    if re.match(r"\[\s*[\[{]", text):
        return True
    line, end, rest = text.partition("\n")
    try:
        value = json.loads(line, parse_int=whole)
    except (ValueError, RecursionError):
        return text[:1] == "{" and bool((INDENTED if end else LONG).match(text))
    if rest.strip() or not isinstance(value, dict) or not value:
        return False
    lists = [name for name, held in value.items() if isinstance(held, list)]
    of_columns = len(lists) == len(value) > 1 and not {*lists} & {*ROLES["logits"], *ROLES["labels"]}
    is_series = role == "labels" and list(value) == [str(place) for place in range(len(value))]
    return of_columns or is_series or any(map(_is_table, value.values()))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], list | dict))


def read(source: Source, request: Request) -> list[Array]:
    """What is asked for, row by row; an object, whose rows are all over it, at once."""
    origin = Origin(source.path, "json", "record")
    text = _text(source)
    start = next(text, "").lstrip("\ufeff \t\r\n")
    if start[:1] == "[":
        return arrays_of(enumerate(_items(start[1:], text, source.path)), origin, request)
    whole = _whole(start, text, source.path)
    return _of_object(_parsed(whole, source.path), origin, request)


def _of_object(held: Any, origin: Origin, request: Request) -> list[Array]:
    """The rows of an object, as each of its shapes has them."""
    check_top(held, origin.path)
    if {"columns", "data"} <= held.keys() and isinstance(held["data"], list):  # pandas: split
        names = [str(name) for name in held["columns"]]
        return arrays_of(_numbered(dict(zip(names, row, strict=False)) for row in held["data"]), origin, request)
    if {"schema", "data"} <= held.keys():  # pandas: table
        return arrays_of(_numbered(held["data"]), origin, request)
    if {"name", "data"} <= held.keys():  # a series of pandas, split
        return arrays_of(_numbered(held["data"]), origin, request)
    values = list(held.values())
    if values and all(isinstance(value, dict) for value in values):
        return _of_columns(held, origin, request)
    if values and not any(isinstance(value, list | dict) for value in values):  # a series of pandas, by its index
        _check_counts(held, origin.path)
        return arrays_of(_numbered(values), origin, request)
    lists = {name: value for name, value in held.items() if isinstance(value, list)}
    lengths = {len(value) for value in lists.values()}
    if lists and len(lengths) == 1:
        rows = zip(*lists.values(), strict=True)
        return arrays_of(_numbered(dict(zip(lists, row, strict=True)) for row in rows), origin, request)
    raise InputError(
        "this JSON document is no table",
        at=origin.path,
        found=excerpt(", ".join(f"{name}: {_told(value)}" for name, value in held.items()), 70),
        expected="records, columns of one length, or lists of numbers",
    )


def _of_columns(held: dict[str, dict[str, Any]], origin: Origin, request: Request) -> list[Array]:
    """An object of objects: of columns, as pandas writes it, or of rows, whose names then count."""
    outer, inner = list(held), list(next(iter(held.values())))
    if any(list(value) != inner for value in held.values()):
        raise InputError(
            "the columns of this JSON document have other rows", at=origin.path, expected="the same index in each"
        )
    by_rows = _counts(outer) and not _counts(inner)
    if _counts(outer) and _counts(inner) and len(outer) == len(inner):
        raise UsageError(
            "columns of rows, or rows of columns?",
            at=origin.path,
            found=f"{count(len(outer), 'object')} of {count(len(inner), 'number')}, which all count from 0",
            hint="write records: to_json(orient='records')",
        )
    if by_rows:
        return arrays_of(_numbered(held.values()), origin, request)
    _check_counts(next(iter(held.values())), origin.path)
    rows = zip(*(value.values() for value in held.values()), strict=True)
    return arrays_of(_numbered(dict(zip(outer, row, strict=True)) for row in rows), origin, request)


def _counts(names: list[str]) -> bool:
    return names == [str(place) for place in range(len(names))]


def _check_counts(index: dict[str, Any], path: str) -> None:
    """InputError for rows out of order, which pandas sorts by their names when it reads them."""
    numbers = [int(name) for name in index if re.fullmatch(r"\d{1,18}", name)]
    if len(numbers) < len(index) or len(set(numbers)) < len(numbers):
        raise InputError(
            "the rows of this JSON document have names, which say nothing of their order",
            at=path,
            found=excerpt(next(iter(index), "")),
            hint="write records: to_json(orient='records')",
        )


def _numbered(rows: Any) -> Iterator[tuple[int, Any]]:
    return enumerate(rows)


def _told(value: Any) -> str:
    return count(len(value), "item") if isinstance(value, list | dict) else type(value).__name__


def _text(source: Source) -> Iterator[str]:
    """All text, in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := source.stream.read(PIECE_BYTES):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise InputError("this is no text", at=source.path, found=str(error.reason), hint="save it as UTF-8") from error


def _whole(start: str, text: Iterator[str], path: str) -> str:
    pieces, size = [start], len(start)
    for piece in text:
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise InputError(
                "this JSON document is too long to be read at once",
                at=path,
                expected=f"up to {LARGEST >> 20} MiB",
                hint=AS_LINES,
            )
    return "".join(pieces)


def _parsed(text: str, path: str) -> Any:
    check_values(text, path, MOST_VALUES, AS_LINES)
    try:
        return json.loads(text, parse_int=whole, object_pairs_hook=distinct)
    except InputError as error:
        raise InputError(error.what, **error.details | {"at": path}) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def _items(ahead: str, text: Iterator[str], path: str) -> Iterator[Any]:
    """The items of a list, of which only some are in memory."""
    decoder, number, place = json.JSONDecoder(parse_int=whole, object_pairs_hook=distinct), 0, 0
    while True:
        try:
            found = _item(decoder, ahead, place, is_first=not number)
        except InputError as error:
            raise InputError(error.what, **error.details | {"at": f"{path}, record {number}"}) from error
        except (ValueError, RecursionError) as error:
            more = next(text, None)
            if more is None or len(ahead) - place > LONGEST_LINE:
                raise _damaged(path, f"record {number}: {error}") from error
            ahead, place = ahead[place:] + more, 0
            if len(ahead) > 2 * PIECE_BYTES:  # a record that is no small one
                check_values(ahead, f"{path}, record {number}")
            continue
        if found is None:
            _check_end(ahead[_after_space(ahead, place) + 1 :], text, path)
            return
        value, place = found
        yield value
        number += 1


def _item(decoder: json.JSONDecoder, ahead: str, place: int, *, is_first: bool) -> tuple[Any, int] | None:
    """The next item and where it ends, None at the end of the list; ValueError for one that is not whole."""
    place = _after_space(ahead, place)
    if ahead[place : place + 1] == "]":
        return None
    if not is_first and ahead[place : place + 1] != ",":
        raise ValueError("a comma is missing")
    value, end = decoder.raw_decode(ahead, _after_space(ahead, place + (not is_first)))
    if end == len(ahead):
        raise ValueError("the list has no end")
    return value, end


def _after_space(text: str, place: int) -> int:
    match = SPACE.match(text, place)
    return match.end() if match else place


def _check_end(rest: str, text: Iterator[str], path: str) -> None:
    if rest.strip() or any(piece.strip() for piece in text):
        raise _damaged(path, "more after its end")


def _damaged(path: str, found: str) -> InputError:
    return InputError(
        "this JSON document is damaged, or not whole", at=path, found=excerpt(found, 70), expected="one list or object"
    )
