"""The bytes of an input, whatever they come from: looked at before they are taken, and put aside where they must be."""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources.files import READABLE, is_address, is_stream, opened, pieces
from xentcli.sources.packed import packing_of, unpacked
from xentcli.sources.remote import RemoteFile
from xentcli.sources.stored import LocalFile, spooled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.sources.stored import Bytes

UTF_16, UTF_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), codecs.BOM_UTF32_LE
UTF8 = "save it as UTF-8"
HEAD_BYTES = 512  # as far as the marks of formats lie


class Stream:
    """Bytes that come once; `position` is how many were taken."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        """The parts may be of any size, and none is empty."""
        self._parts = iter(parts)
        self._ahead = b""
        self.position = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer only at the end; they are not taken."""
        ahead, length = [self._ahead] if self._ahead else [], len(self._ahead)
        while length < size and (part := next(self._parts, b"")):
            ahead.append(part)
            length += len(part)
        self._ahead = b"".join(ahead)  # one part alone is not copied
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end."""
        taken = self.peek(size)
        self._ahead = self._ahead[size:]
        self.position += len(taken)
        return taken

    def rest(self, limit: int) -> Iterator[bytes]:
        """All that comes, and no more than so many bytes: a stream may have no end."""
        while limit > 0 and (taken := self.read(min(limit, max(1, len(self._ahead or self.peek(1)))))):
            limit -= len(taken)
            yield taken


@dataclass(frozen=True, eq=False)
class Source:
    """An input: its name for messages, its bytes, and the open file they lie in if they can be read anywhere."""

    path: str
    stream: Stream
    file: RemoteFile | int | None  # behind an address, or an open one's descriptor; None where bytes come only once
    downloaded: RemoteFile | None = None  # whose server gives no parts of it

    def anywhere(self, limit: int) -> Bytes:
        """All bytes, to be read anywhere; a server sends only those that are read."""
        if isinstance(self.file, RemoteFile):
            return self.file
        if self.downloaded:
            return spooled(self.path, self.downloaded.within_limit(self.stream.rest(limit + 1)))
        return self.local(limit)

    def local(self, limit: int) -> LocalFile:
        """All bytes on this machine; of what comes only once, at most one byte beyond the limit is put aside."""
        if isinstance(self.file, int):
            return LocalFile(self.path, self.file)
        return spooled(self.path, self.stream.rest(limit + 1))


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """The bytes of a file, of standard input or behind an address, unpacked where they are packed."""
    with _bytes(path) as (parts, file, downloaded):
        stream = Stream(parts)
        head = stream.peek(HEAD_BYTES)
        if not head:
            raise InputError("this file is empty", at=path, expected=READABLE)
        packing = packing_of(head)
        if packing is None:
            yield Source(path, stream, file, downloaded)
        else:
            inner = Stream(unpacked(path, packing, pieces_of(stream)))
            head = inner.peek(HEAD_BYTES)
            if not head or packing_of(head):
                found = f"packed with {packing}, and {'packed again' if head else 'nothing in it'}"
                raise InputError("this file holds no numbers that are packed once", at=path, found=found)
            yield Source(path, inner, None)


@contextmanager
def _bytes(path: str) -> Iterator[tuple[Iterator[bytes], RemoteFile | int | None, RemoteFile | None]]:
    """All that comes, what can be read anywhere, and what can only be downloaded as a whole."""
    if is_address(path):
        remote = RemoteFile(path)
        yield remote.pieces(), *((remote, None) if remote.has_ranges else (None, remote))
        return
    with opened(path) as file:
        yield pieces(file), None if is_stream(file) else file.fileno(), None


def in_utf8(source: Source) -> Source:
    """The same; text in UTF-16, as Excel and PowerShell save it, in UTF-8."""
    head = source.stream.peek(4)
    if not head.startswith(UTF_16) or head.startswith(UTF_32):
        return source
    return Source(source.path, Stream(filter(None, _recoded(source))), None)


def _recoded(source: Source) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for piece in pieces_of(source.stream):
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise InputError("this text is not whole", at=source.path, found=f"UTF-16: {error}", hint=UTF8) from error


def pieces_of(stream: Stream) -> Iterator[bytes]:
    """All that comes."""
    while piece := stream.read(1 << 16):
        yield piece
