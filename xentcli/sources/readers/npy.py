"""numpy's own file format, never unpickled."""

from __future__ import annotations

import io
import math
import sys
import warnings
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from numpy.lib import format as numpy_format

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array
from xentcli.sources.containers import chosen
from xentcli.sources.files import excerpt
from xentcli.sources.readers.pickled import loaded
from xentcli.sources.saving import SinkFile, row_pieces
from xentcli.sources.source import Stream
from xentcli.sources.stored import Stored, check_size, spooled
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source
    from xentcli.sources.stored import Bytes

MAGIC = b"\x93NUMPY"
START_BYTES = len(MAGIC) + 2  # the magic string and the version
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # version -> size of the field that says how long the header is
LARGEST = 1 << 40  # bytes that are put aside of several arrays, or of objects, from a pipe
COPIED = 1 << 22  # bytes at once
LONGEST_HEADER = 10_000  # numpy's limit too; a header of plain numbers has about 100 bytes
LONGEST_START = START_BYTES + max(LENGTH_BYTES.values()) + LONGEST_HEADER  # all that comes before the numbers
DIMENSIONS = 32  # as many as every numpy has
ONE_BY_ONE = Lock()  # Python's parser fails now and then where two threads are in it, and so do warnings' filters


@dataclass(frozen=True)
class Header:
    """What is said of numbers that lie in a file."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]

    @property
    def data_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_possible(self) -> bool:
        """Whether numpy can make such an array at all, whatever the memory."""
        sizes = all(type(size) is int and size >= 0 for size in self.shape)
        most_bytes = math.prod(max(size, 1) for size in self.shape) * self.dtype.itemsize
        return sizes and len(self.shape) <= DIMENSIONS and most_bytes <= sys.maxsize


def read(source: Source, request: Request) -> list[Array]:
    """The one array of a `.npy` file, or those of several that were saved one after the other; objects as a pickle."""
    path = source.path
    header = read_header(path, source.stream, of_objects=True)
    offset = source.stream.position
    stored = source.anywhere(LARGEST if header.dtype.hasobject else header.data_bytes + LONGEST_START)
    if source.file is None:
        offset = 0  # the header was taken from the stream before the numbers were put aside
    if header.dtype.hasobject:
        return chosen(loaded(stored, offset, path, "npy"), path, "npy", request)
    end = offset + header.data_bytes
    if stored.size > end and _read(stored, end, len(MAGIC)) == MAGIC:
        local = stored if source.file is not None else spooled(path, _all(stored, source))
        return chosen(list(_several(local, path, header, offset)), path, "npy", request)
    request.only("a .npy file")
    check_size(path, header.shape, header.dtype, stored.size - offset)
    return [stored_array(stored, offset, header, path, "npy")]


def _several(file: Bytes, path: str, header: Header, offset: int) -> Iterator[Array]:
    """Arrays that were saved into one file one after the other."""
    while True:
        end = offset + header.data_bytes
        check_size(path, header.shape, header.dtype, min(file.size - offset, header.data_bytes))
        yield stored_array(file, offset, header, path, "npy")
        if end == file.size:
            return
        stream = Stream([_read(file, end, LONGEST_START)])
        if stream.peek(len(MAGIC)) != MAGIC:
            check_size(path, header.shape, header.dtype, file.size - offset)
        header = read_header(path, stream)
        offset = end + stream.position


def _read(file: Bytes, offset: int, size: int) -> bytes:
    """The bytes from there on, fewer at the end of the file."""
    data = bytearray(max(0, min(size, file.size - offset)))
    file.read_into(memoryview(data), offset)
    return bytes(data)


def _all(stored: Bytes, source: Source) -> Iterator[bytes]:
    """What was put aside of a stream, and what comes after it."""
    for start in range(0, stored.size, COPIED):
        yield _read(stored, start, COPIED)
    yield from source.stream.rest(LARGEST)


def stored_array(file: Bytes, offset: int, header: Header, path: str, form: str) -> Array:
    """The array whose numbers lie in a file from this byte on, as the header describes them."""
    dtype = dtype_name(header.dtype, path)
    reader = Stored(file, offset, header.shape, header.dtype, header.is_fortran)
    return Array(header.shape, header.dtype, reader, path, form, dtype, element)


def read_header(path: str, stream: Stream, *, of_objects: bool = False) -> Header:
    """What stands before the numbers, or where that is allowed, before a pickle of objects.

    Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    start = stream.read(START_BYTES)
    version = tuple(_whole(path, start, START_BYTES)[len(MAGIC) :])
    if version not in LENGTH_BYTES:
        raise InputError(
            "unknown version of the .npy format", at=path, found=".".join(map(str, version)), expected="1.0, 2.0 or 3.0"
        )
    field_bytes = LENGTH_BYTES[version]
    field = _whole(path, stream.read(field_bytes), field_bytes)
    length = int.from_bytes(field, "little")
    if length > LONGEST_HEADER:
        raise InputError(
            "the header is too long",
            at=path,
            found=f"a length of {length:,} bytes",
            expected=f"up to {LONGEST_HEADER:,}",
            hint="damaged? save the array again",
        )
    header = _parsed(path, version, field, _whole(path, stream.read(length), length))
    if not (of_objects and header.dtype.kind == "O"):
        dtype_name(header.dtype, path)  # what is no number is said before what does not fit
    return header


def _whole(path: str, data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise InputError("the file ends within its header", at=path, hint="cut off? save or copy it again")
    return data


def _parsed(path: str, version: tuple[int, ...], field: bytes, text: bytes) -> Header:
    read = numpy_format.read_array_header_1_0 if version == (1, 0) else numpy_format.read_array_header_2_0
    found = excerpt(text.decode("latin1").rstrip(), 70)
    try:
        with ONE_BY_ONE, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 2's numbers and of odd literals
            header = Header(*read(io.BytesIO(field + text)))
    except Exception as error:  # whatever numpy's and Python's parsers trip over, the header is at fault
        raise InputError(
            "the header cannot be understood",
            at=path,
            found=found,
            expected="a description such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        ) from error
    if not header.is_possible:
        raise InputError(
            "the header has a shape that no array can have",
            at=path,
            found=found,
            expected=f"up to {DIMENSIONS} sizes of 0 or more, and less than {sys.maxsize:.0e} bytes",
        )
    return header


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """One array."""
    (array,) = arrays.values()
    write_array(sink, array)


def write_array(sink: Sink, array: Array) -> None:
    """The header and the numbers."""
    header = {"descr": array.kind.str, "fortran_order": False, "shape": array.shape}
    numpy_format.write_array_header_1_0(SinkFile(sink), header)
    for rows in row_pieces(array):
        sink.write(rows.tobytes())
