"""How partials of any kind lie in their files: JSON with a checksum, and rows behind it where there are some."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError
from xentcli.records.codec import encode
from xentcli.sources.stored import Stored, StoredRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from xentcli.records.samples import Rows
    from xentcli.sources.stored import LocalFile

WRITERS = {"loss": "xent compute", "comparison": "xent compare"}  # kind -> what writes partials of it
MOST_BYTES = 32 << 20  # of the JSON; a device or a pipe may have no end
MOST_MEMBERS = 1 << 21  # in it, of which Python may take a hundred bytes for two in the file
LINE_BYTES = 1 << 16  # of the JSON before rows, that are read at once
AT_ONCE = 1 << 16  # rows that are read at once


@contextmanager
def forgery_told(path: str) -> Iterator[None]:
    """InputError for facts that are of the right types, and that no run comes to: nothing can be made of them."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            "this partial has facts that no run comes to",
            at=path,
            found=f"{type(error).__name__}: {str(error)[:60]}",
            hint="compute it again",
        ) from error


def begins(kind: str) -> bytes:
    """What tells a file with rows behind its JSON from any other."""
    return f'{{"kind":"{kind}",'.encode()


def line_of(kind: str, record: Any) -> bytes:
    """The record as one line of JSON, that rows may follow."""
    return json.dumps(headed(kind, record), separators=(",", ":"), allow_nan=False).encode() + b"\n"


def first_line(file: LocalFile) -> bytes:
    """Up to and with its end; all of a file that has none, or that is longer than a partial's."""
    most, line = min(file.size, MOST_BYTES + 1), bytearray()
    while len(line) < most:
        buffer = bytearray(min(LINE_BYTES, most - len(line)))
        file.read_into(memoryview(buffer), len(line))
        end = buffer.find(b"\n")
        line += buffer[: end + 1] if end >= 0 else buffer
        if end >= 0:
            break
    return bytes(line)


def stored_rows(file: LocalFile, start: int, count: int, kind: np.dtype[Any], width: tuple[int, ...] = ()) -> Rows:
    """So many rows that lie behind the JSON, read where they are wanted."""
    return StoredRows(count, kind, Stored(file, start, (count, *width), kind))


def slices(table: Rows) -> Iterator[NDArray[Any]]:
    """The rows of a table, some at a time."""
    return (table[start : start + AT_ONCE] for start in range(0, len(table), AT_ONCE))


def headed(kind: str, record: Any) -> dict[str, Any]:
    """The record as JSON has it, behind what it is of and a checksum of all members but itself."""
    content = {"kind": kind, **encode(record)}
    return {"kind": kind, "checksum": _checksum(content), **content}


def content_of(data: bytes, path: str, kind: str, version: str) -> dict[str, Any]:
    """The record that `headed` made JSON of; InputError for anything else, and for one of another kind or version."""
    expected = f"a partial that {WRITERS[kind]} --partial or --resume wrote"
    if len(data) > MOST_BYTES or data.count(b",") > MOST_MEMBERS:
        found = f"more than {MOST_BYTES:,} bytes" if len(data) > MOST_BYTES else f"more than {MOST_MEMBERS:,} members"
        raise InputError("this is too long for a partial", at=path, found=found, expected=expected)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("this is not a partial", at=path, found=str(error)[:80], expected=expected) from error
    if not isinstance(content, dict) or "schema_version" not in content or "asked" not in content:
        raise InputError("this is not a partial", at=path, found="other JSON", expected=expected)
    _check_kind(content, path, kind, version)
    checksum = content.pop("checksum", None)
    if checksum != _checksum(content):
        raise InputError("this partial is damaged", at=path, found="content that is not what its checksum is of")
    content.pop("kind", None)
    return content


def _check_kind(content: dict[str, Any], path: str, kind: str, version: str) -> None:
    if content.get("kind", kind) != kind:
        raise InputError(
            "this is a partial of something else", at=path, found=repr(content["kind"])[:40], expected=repr(kind)
        )
    if content["schema_version"] != version:
        raise InputError(
            "this partial has another schema version",
            at=path,
            found=repr(content["schema_version"])[:40],
            expected=repr(version),
            hint="compute and merge all partials with the same xent",
        )


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
