"""numpy's own file format, never unpickled."""

from __future__ import annotations

import io
import math
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.lib import format as numpy_format

from xentcli.arrays import Array
from xentcli.errors import InputError
from xentcli.sources.files import PIECE_BYTES, excerpt, is_stream
from xentcli.sources.remote import RemoteFile, remote_file
from xentcli.sources.stored import LocalFile, Stored, check_size, spooled
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

MAGIC = b"\x93NUMPY"
START_BYTES = len(MAGIC) + 2  # the magic string and the version
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # version -> size of the field that says how long the header is
LONGEST_HEADER = 10_000  # numpy's limit too; a header of plain numbers has about 100 bytes
DIMENSIONS = 32  # as many as every numpy has


@dataclass(frozen=True)
class _Header:
    """What a `.npy` file says of its numbers."""

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


def read_npy(path: str, file: BinaryIO, start: bytes) -> Array:
    """The array of a file whose first `START_BYTES` bytes, already taken from it, are `start`.

    Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    header = _header(path, file, start)
    dtype = dtype_name(header.dtype, path)
    stored, offset = _numbers(path, file, header.data_bytes)
    check_size(path, header.shape, header.dtype, stored.size - offset)
    reader = Stored(stored, offset, header.shape, header.dtype, header.is_fortran)
    return Array(header.shape, header.dtype, reader, path, "npy", dtype, element)


def _numbers(path: str, file: BinaryIO, size: int) -> tuple[LocalFile | RemoteFile, int]:
    """What can be read anywhere, and where the numbers begin in it."""
    remote = remote_file(file)
    if remote is not None:
        return remote, file.tell()
    if is_stream(file):
        return spooled(path, _limited(file, size + 1)), 0  # one byte too many tells enough
    return LocalFile(path, file.fileno()), file.tell()


def _header(path: str, file: BinaryIO, start: bytes) -> _Header:
    version = tuple(_whole(path, start, START_BYTES)[len(MAGIC) :])
    if version not in LENGTH_BYTES:
        raise InputError(
            "unknown version of the .npy format", at=path, found=".".join(map(str, version)), expected="1.0, 2.0 or 3.0"
        )
    field_bytes = LENGTH_BYTES[version]
    field = _whole(path, file.read(field_bytes), field_bytes)
    length = int.from_bytes(field, "little")
    if length > LONGEST_HEADER:
        raise InputError(
            "the header is too long",
            at=path,
            found=f"a length of {length:,} bytes",
            expected=f"up to {LONGEST_HEADER:,}",
            hint="damaged? save the array again",
        )
    return _parsed(path, version, field, _whole(path, file.read(length), length))


def _whole(path: str, data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise InputError("the file ends within its header", at=path, hint="cut off? save or copy it again")
    return data


def _parsed(path: str, version: tuple[int, ...], field: bytes, text: bytes) -> _Header:
    read = numpy_format.read_array_header_1_0 if version == (1, 0) else numpy_format.read_array_header_2_0
    found = excerpt(text.decode("latin1").rstrip(), 70)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 2's numbers and of odd literals
            header = _Header(*read(io.BytesIO(field + text)))
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


def _limited(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """So many bytes at most: what arrives counts, and not what the header claims."""
    while piece := file.read(min(PIECE_BYTES, limit)):
        limit -= len(piece)
        yield piece
