"""The bytes of an input, whatever they come from: looked at before they are taken, and put aside where they must be."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources.files import READABLE, is_stream, opened, pieces
from xentcli.sources.packed import packing_of, unpacked
from xentcli.sources.stored import LocalFile, spooled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    descriptor: int | None  # None where the bytes come only once

    def local(self, limit: int) -> LocalFile:
        """All bytes as a file; of what comes only once, at most one byte beyond the limit is put aside."""
        if self.descriptor is not None:
            return LocalFile(self.path, self.descriptor)
        return spooled(self.path, self.stream.rest(limit + 1))


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """The bytes of a file or of standard input, unpacked where they are packed."""
    with opened(path) as file:
        stream = Stream(pieces(file))
        head = stream.peek(HEAD_BYTES)
        if not head:
            raise InputError("this file is empty", at=path, expected=READABLE)
        packing = packing_of(head)
        if packing is None:
            yield Source(path, stream, None if is_stream(file) else file.fileno())
        else:
            inner = Stream(unpacked(path, packing, pieces_of(stream)))
            head = inner.peek(HEAD_BYTES)
            if not head or packing_of(head):
                found = f"packed with {packing}, and {'packed again' if head else 'nothing in it'}"
                raise InputError("this file holds no numbers that are packed once", at=path, found=found)
            yield Source(path, inner, None)


def pieces_of(stream: Stream) -> Iterator[bytes]:
    """All that comes."""
    while piece := stream.read(1 << 16):
        yield piece
