"""The text of a file: checked while it is read for the first time, and readable again."""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from xentcli.errors import InputError
from xentcli.sources.files import READABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_LINE = 32 << 20  # characters: a million numbers with all their digits
LINE_END = ord("\n")
ENCODING = "utf-8-sig"  # UTF-8, after a byte order mark or not


@dataclass(frozen=True)
class Text:
    """Lines of UTF-8 text, none longer than `LONGEST_LINE`; they end as on any system."""

    path: str
    kept: bytes | None = None  # all of a stream, which cannot be opened twice

    def open(self) -> TextIO:
        if self.kept is None:
            return Path(self.path).open(encoding=ENCODING)
        return io.TextIOWrapper(io.BytesIO(self.kept), ENCODING)


def read_text(path: str, pieces: Iterable[bytes], is_stream: bool) -> Text:
    """Read and check all of it; only a stream is kept in memory."""
    checked = _checked(path, pieces)
    if is_stream:
        return Text(path, b"".join(checked))
    deque(checked, maxlen=0)
    return Text(path)


def _checked(path: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces, until one shows that they are no lines of text."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
    line = 1  # the one that the next piece begins in
    length = 0  # of that line so far
    for piece in pieces:
        text = _decoded(decoder, piece, path, line)
        if "\0" in text:
            raise _not_text("a NUL byte", path, line + text[: text.index("\0")].count("\n"))
        line += int(
            np.count_nonzero(np.frombuffer(text.encode(), np.uint8) == LINE_END)
        )  # 10 times sooner than str.count
        last_end = text.rfind("\n")
        length = len(text) - last_end - 1 + (length if last_end < 0 else 0)
        if length > LONGEST_LINE:
            raise InputError(
                "a line without end",
                at=f"{path}, line {line}",
                expected=f"up to {LONGEST_LINE:,} characters a line",
                hint="rows of more than a million numbers? save them as .npy",
            )
        yield piece
    _decoded(decoder, b"", path, line)


def _decoded(decoder: io.IncrementalNewlineDecoder, piece: bytes, path: str, line: int) -> str:
    try:
        return decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        found = f"the byte 0x{error.object[error.start]:02x}, which is not UTF-8"
        raise _not_text(found, path, line + len(re.findall(rb"\r\n?|\n", before))) from error


def _not_text(found: str, path: str, line: int) -> InputError:
    return InputError(
        "this is neither a .npy file nor text",
        at=f"{path}, line {line}",
        found=found,
        expected=READABLE,
        hint="text in another encoding? save it as UTF-8",
    )
