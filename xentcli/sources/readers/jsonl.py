"""JSON Lines: in each line a list of numbers, an object with logits and a label, or one with a number a class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError
from xentcli.sources.files import excerpt
from xentcli.sources.readers import json as document
from xentcli.sources.readers.fields import Origin, arrays_of, check_values, distinct, whole
from xentcli.sources.readers.text import contents, read_pieces
from xentcli.sources.saving import beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

START_BYTES = 1 << 16  # in which a first line that is whole is looked for


def read(source: Source, request: Request) -> list[Array]:
    """What is asked for, float64 [rows, classes], or [rows] where each line has a number alone."""
    if document.is_one(source.stream.peek(START_BYTES), request.roles[-1]):
        return document.read(source, request)
    return arrays_of(_lines(source), Origin(source.path, "jsonl", "line"), request)


def _lines(source: Source) -> Iterator[tuple[int, Any]]:
    """The values of all lines that are not blank."""
    for number, line in contents(read_pieces(source.path, source.stream)):
        if line.strip():
            at = f"{source.path}, line {number}"
            check_values(line, at)
            try:
                yield number, json.loads(line, parse_int=whole, object_pairs_hook=distinct)
            except InputError as error:
                raise InputError(error.what, **error.details | {"at": at}) from error
            except (ValueError, RecursionError) as error:
                raise InputError(
                    "not a value of JSON",
                    at=at,
                    found=excerpt(line.strip()),
                    expected="a list of numbers, or an object, in each line",
                    hint="a document of many lines? write a row a line",
                ) from error


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """An object a line; every number with the digits that tell it from its neighbours in float64."""
    for rows, labels in beside(arrays["logits"], arrays["labels"]):
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
            sink.write(f"{json.dumps({'logits': row, 'label': label})}\n".encode())
