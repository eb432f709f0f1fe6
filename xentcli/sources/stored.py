"""Numbers that lie in a file: read in pieces where they are wanted, never mapped.

A mapped file that shrinks, or a disk that fails, kills the process with a signal; a read says what happened.  And what
was read from a mapping stays in memory, while a piece that was read is gone with its block.
"""

from __future__ import annotations

import io
import math
import os
import tempfile
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import in_memory
from xentcli.sources.files import count
from xentcli.sources.limits import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Buffer

    from xentcli.numbers.arrays import Array, Reader, Values
    from xentcli.records.samples import Rows

IN_MEMORY = 64 << 20  # bytes of rows that are kept in memory before a temporary file takes them
SEGMENT = 1 << 14  # rows whose columns are taken apart in the cache
AHEAD = 64 << 20  # bytes that are fetched before they are asked for: what a disk gives while torch is imported
AT_ONCE = 256 << 10  # of these: Linux takes no more of one wish than a device takes in one go
CHANGED = "the file was changed while it was read"


Run = tuple[memoryview, int]  # a buffer, and the offset of the bytes that fill it


class Bytes(Protocol):
    """The bytes of a file, at any place; threads may read at once."""

    path: str

    @property
    def size(self) -> int:
        """In bytes."""

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill the buffer with the bytes from `offset`; InputError where they cannot be read."""

    def read_runs(self, runs: Sequence[Run]) -> None:
        """Fill several buffers, in the order of their offsets."""


class LocalFile:
    """An open file of this machine that must stay as it is while it is read."""

    def __init__(self, path: str, descriptor: int, *, watched: bool = True) -> None:
        """Takes a copy of the descriptor; the caller may close its own.

        watched  False for a file that nobody else can write to, and that may grow behind what is read of it
        """
        self.path = path
        self._watched = watched
        self._descriptor = os.dup(descriptor)
        weakref.finalize(self, os.close, self._descriptor)
        self._identity = self._look()

    @property
    def size(self) -> int:
        """In bytes."""
        return self._identity[0]

    @property
    def descriptor(self) -> int:
        """The open file, which is closed with this object."""
        return self._descriptor

    def read_into(self, buffer: memoryview, offset: int) -> None:
        try:
            while buffer and (got := os.preadv(self._descriptor, [buffer], offset)):
                buffer, offset = buffer[got:], offset + got
        except OSError as error:
            raise InputError("cannot read this file", at=f"{self.path}, byte {offset:,}", found=str(error)) from error
        if buffer or (self._watched and self._look() != self._identity):
            raise InputError(CHANGED, at=self.path, hint="let its writer finish, and run again")

    def read_runs(self, runs: Sequence[Run]) -> None:
        for buffer, offset in runs:
            self.read_into(buffer, offset)

    def _look(self) -> tuple[int, int]:
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns


@dataclass(frozen=True, eq=False)
class Stored:
    """The reader of an array whose numbers lie one after the other in a file."""

    file: Bytes
    offset: int  # of the first number, in bytes
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    is_fortran: bool = False  # the first axis varies fastest

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        if self.is_fortran:
            reverse = Stored(self.file, self.offset, self.shape[::-1], self.kind)
            return reverse(len(self.shape) - 1 - axis, start, stop).T
        values = np.empty((*self.shape[:axis], stop - start, *self.shape[axis + 1 :]) if self.shape else (), self.kind)
        entry = math.prod(self.shape[axis + 1 :]) * self.kind.itemsize  # bytes
        if not values.size:
            return values
        runs = values.reshape(math.prod(self.shape[:axis]), -1).view(np.uint8)  # [runs, bytes of each]
        step = self.shape[axis] if self.shape else 0
        places = (self.offset + (number * step + start * bool(self.shape)) * entry for number in range(len(runs)))
        self.file.read_runs([(run.data, place) for run, place in zip(runs, places, strict=True)])
        return values


class Spool:
    """Rows that are made one after the other and then read anywhere, in little memory whatever their number."""

    def __init__(self, path: str, what: str = "what was read") -> None:
        """`path` is the input's and `what` the rows are, for messages."""
        self.path = path
        self.what = what
        self._kept: list[Values] = []
        self._bytes = 0
        self._rows = 0
        self._scratch: Scratch | None = None

    def append(self, rows: Values) -> None:
        """Take rows of one type, [some rows, ...]; they are not copied while there are few."""
        self._kept.append(rows)
        self._bytes += rows.nbytes
        self._rows += len(rows)
        if self._bytes > IN_MEMORY:
            self._put_aside()

    def finish(self) -> tuple[tuple[int, ...], np.dtype[Any], Reader]:
        """What an `Array` of all rows begins with; there must have been one append."""
        if self._scratch is None:
            return in_memory(self._kept[0] if len(self._kept) == 1 else np.concatenate(self._kept))
        last = self._kept[-1]
        shape, kind = (self._rows, *last.shape[1:]), last.dtype
        return shape, kind, Stored(self._put_aside().file(), 0, shape, kind)

    def tables(self) -> tuple[Rows, ...]:
        """All rows, as tables one after the other; none where there was no append."""
        if self._scratch is None:
            return tuple(self._kept)
        shape, kind, read = self.finish()
        return (StoredRows(shape[0], kind, read),)

    def _put_aside(self) -> Scratch:
        """What is kept goes to the temporary file; an empty rest tells the shape."""
        if self._scratch is None:
            self._scratch = Scratch(self.path, self.what)
        for rows in self._kept:
            self._scratch.append(_bytes_of(rows))
        self._kept, self._bytes = [self._kept[-1][:0]], 0
        return self._scratch


class ColumnSpool:
    """Tables that are made one after the other and then read column by column, in little memory whatever their number.

    In the temporary file the columns of some rows follow each other: who asks for one reads no other.
    """

    def __init__(self, path: str, what: str) -> None:
        """`path` is the input's and `what` the rows are, for messages."""
        self.path = path
        self.what = what
        self._kept: list[Values] = []
        self._bytes = 0
        self._segments: list[Segment] = []
        self._scratch: Scratch | None = None

    def append(self, rows: Values) -> None:
        """Take rows of one packed structured type, [some rows]; they are not copied while there are few."""
        self._kept.append(rows)
        self._bytes += rows.nbytes
        if self._bytes > IN_MEMORY:
            self._put_aside()

    def tables(self) -> tuple[Rows, ...]:
        """All rows, as tables one after the other; none where there was no append."""
        if self._scratch is None:
            return tuple(self._kept)
        file, kind = self._scratch.file(), self._kept[0].dtype
        return (*(StoredColumns(file, kind, segment) for segment in self._segments), *self._kept)

    def _put_aside(self) -> None:
        """What is kept goes to the temporary file; an empty rest tells the type."""
        self._scratch = self._scratch or Scratch(self.path, self.what)
        for rows in _in_segments(self._kept):
            self._scratch.append(b"".join(_bytes_of(rows[name]) for name in rows.dtype.names or ()))
            before = self._segments[-1] if self._segments else Segment(0, 0)
            self._segments.append(Segment(before.offset + before.rows * rows.itemsize, len(rows)))
        self._kept, self._bytes = [self._kept[-1][:0]], 0


def _in_segments(parts: Iterable[Values]) -> Iterator[Values]:
    """The same rows, about SEGMENT at a time; only small parts are copied."""
    waiting: list[Values] = []
    for part in parts:
        for start in range(0, len(part), SEGMENT):
            waiting.append(part[start : start + SEGMENT])
            if sum(map(len, waiting)) >= SEGMENT:
                yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
                waiting = []
    if waiting:
        yield np.concatenate(waiting)


@dataclass(frozen=True)
class Segment:
    """Some rows of a file that holds them column by column."""

    offset: int  # of their first column, in bytes
    rows: int


@dataclass(frozen=True, eq=False)
class StoredColumns:
    """Rows of a temporary file that has their columns one after the other."""

    file: LocalFile
    dtype: np.dtype[Any]
    segment: Segment

    def __len__(self) -> int:
        return self.segment.rows

    def __getitem__(self, rows: slice) -> Values:
        start, stop, _ = rows.indices(len(self))
        found = np.empty(max(0, stop - start), self.dtype)
        for name in self.dtype.names or ():
            found[name] = self._part(name, start, stop)
        return found

    def column(self, name: str) -> Values:
        """All values of a column."""
        return self._part(name, 0, len(self))

    def _part(self, name: str, start: int, stop: int) -> Values:
        assert self.dtype.fields is not None
        kind, offset = self.dtype.fields[name][:2]
        values = np.empty(max(0, stop - start), kind)
        place = self.segment.offset + len(self) * offset + start * kind.itemsize
        self.file.read_into(_bytes_of(values), place)
        return values


def _bytes_of(rows: Values) -> memoryview:
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows of a temporary file, which are read by slices."""

    count: int
    dtype: np.dtype[Any]
    read: Reader

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: slice) -> Values:
        start, stop, _ = rows.indices(self.count)
        return self.read(0, start, stop)


class Scratch:
    """A temporary file without a name, which ends with the process that reads it."""

    def __init__(self, path: str, what: str = "what was read") -> None:
        """`path` is the input's and `what` the bytes are, for messages."""
        self.path = path
        self.what = what
        self._left = TEMPORARY.bytes()
        with room(path, what), tempfile.TemporaryFile() as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def append(self, data: bytes | memoryview) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise TEMPORARY.exceeded(self.path)
        with room(self.path, self.what):
            write_all(self._descriptor, data)

    def file(self) -> LocalFile:
        """The file for reading, as far as it has come."""
        return LocalFile(self.path, self._descriptor, watched=False)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it, where the system may take less at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def room(path: str, what: str = "what was read") -> Iterator[None]:
    """InputError where a temporary file cannot take what was made of this input."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"no temporary file can take {what}",
            at=path,
            found=error.strerror or str(error),
            expected=f"room in {tempfile.gettempdir()}",
            hint="TMPDIR names another folder",
        ) from error


def spooled(path: str, pieces: Iterable[bytes]) -> LocalFile:
    """What comes only once (from a pipe, or unpacked), as a file that can be read anywhere."""
    scratch = Scratch(path)
    for piece in pieces:
        scratch.append(piece)
    return scratch.file()


def read_ahead(array: Array) -> None:
    """Have the system fetch the first bytes of an array's file while something else is done, where it can."""
    read = array.read
    if isinstance(read, Stored) and isinstance(read.file, LocalFile) and hasattr(os, "posix_fadvise"):
        size = min(math.prod(array.shape) * read.kind.itemsize, AHEAD)
        with suppress(OSError):  # it is a favour
            for place in range(read.offset, read.offset + size, AT_ONCE):
                os.posix_fadvise(read.file.descriptor, place, AT_ONCE, os.POSIX_FADV_WILLNEED)


def check_size(path: str, shape: tuple[int, ...], kind: np.dtype[Any], found: int) -> None:
    """InputError unless a file has as many bytes of numbers as its header says."""
    expected = math.prod(shape) * kind.itemsize
    if found == expected:
        return
    described = " × ".join(map(str, shape)) or "()"
    raise InputError(
        "the file is cut off" if found < expected else "the file goes on after its last number",
        at=path,
        found=count(max(found, 0), "byte"),
        expected=f"{count(expected, 'byte')} for {kind.name} of shape {described}",
        hint="still being written? wait for its writer; else save or copy it again",
    )


class Seekable(io.RawIOBase):
    """A file as libraries want one: bytes from a place that moves on."""

    def __init__(self, file: Bytes) -> None:
        self._file = file
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._file.size}[whence]
        if place < 0:
            raise ValueError("a place before the file")
        self._place = place
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._file.size - self._place)]
        self._file.read_into(view, self._place)
        self._place += len(view)
        return len(view)
