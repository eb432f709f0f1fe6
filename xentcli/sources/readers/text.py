"""The text of a file, checked in pieces of whole lines."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.sources.files import PIECE_BYTES, READABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.sources.source import Stream

LINE_FEED = ord("\n")
LONGEST_LINE = 32 << 20  # bytes: a million numbers with all their digits
CONTROL = set(range(32)) - set(b"\t\n\f\r")  # bytes that no text has
RAW = (
    "raw numbers without a header? say what they are: "
    "np.save('logits.npy', np.fromfile(name, 'float32').reshape(rows, classes))"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """Whole lines of UTF-8 text without NUL, each with a line feed at its end, as on any system."""

    first_line: int  # from 1
    data: bytes
    line_count: int


def read_pieces(path: str, stream: Stream) -> Iterator[Piece]:
    """All lines; InputError for what is no text, and for a line longer than `LONGEST_LINE`."""
    if stream.peek(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK:
        stream.read(len(BYTE_ORDER_MARK))
    first_line, rest = 1, b""
    while part := stream.read(PIECE_BYTES):
        if b"\0" in part:
            before = rest + part[: part.index(b"\0")]
            raise _not_text("a NUL byte", path, first_line + _line_feeds(_unified(before)), is_binary=True)
        if len(rest) + _first_end(part) > LONGEST_LINE:
            raise _endless(path, first_line)
        cut = _last_end(part)
        if cut:
            piece = _piece(path, b"".join((rest, memoryview(part)[:cut])), first_line)
            yield piece
            first_line += piece.line_count
        rest = part[cut:] if cut else rest + part
    if rest:
        yield _piece(path, rest, first_line)


def contents(pieces: Iterable[Piece]) -> Iterator[tuple[int, str]]:
    """All lines with their numbers, as they stand."""
    for piece in pieces:
        for number, line in enumerate(io.BytesIO(piece.data), piece.first_line):
            yield number, line.decode()


def _first_end(data: bytes) -> int:
    """Where the first line ends; all of it where none does."""
    ends = [end for mark in (b"\n", b"\r") if (end := data.find(mark)) >= 0]
    return min(ends, default=len(data))


def _last_end(data: bytes) -> int:
    """Where the last line ends that is whole; a carriage return at the very end may be half of an end."""
    return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1


def _unified(data: bytes) -> bytes:
    """The same lines with the ends of one system."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _piece(path: str, data: bytes, first_line: int) -> Piece:
    text = _unified(data)
    if not text.isascii():
        _check_encoding(path, text, first_line)
    return Piece(first_line, text, _line_feeds(text) + (not text.endswith(b"\n")))


def _line_feeds(text: bytes) -> int:
    """Twice as fast as `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == LINE_FEED))


def _check_encoding(path: str, text: bytes, first_line: int) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        found = f"the byte 0x{text[error.start]:02x}, which is not UTF-8"
        is_binary = any(byte in CONTROL for byte in text[:4096])
        raise _not_text(found, path, first_line + text.count(b"\n", 0, error.start), is_binary) from error


def _endless(path: str, line: int) -> InputError:
    return InputError(
        "a line without end",
        at=f"{path}, line {line}",
        expected=f"up to {LONGEST_LINE:,} bytes a line",
        hint="rows of more than a million numbers? save them as .npy",
    )


def _not_text(found: str, path: str, line: int, is_binary: bool) -> InputError:
    return InputError(
        "this is neither a .npy file nor text",
        at=f"{path}, line {line}",
        found=found,
        expected=READABLE,
        hint=RAW if is_binary else "text in another encoding? save it as UTF-8",
    )
