"""numpy's own file format: mapped, not read, and never unpickled."""

from __future__ import annotations

import io
import math
import mmap
import os
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.lib import format as numpy_format

from xentcli.arrays import Array
from xentcli.errors import InputError
from xentcli.sources.files import PIECE_BYTES, count, excerpt, is_stream
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from xentcli.arrays import Values

MAGIC = b"\x93NUMPY"
START_BYTES = len(MAGIC) + 2  # the magic string and the version
LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # version -> size of the field that says how long the header is
LONGEST_HEADER = 10_000  # numpy's limit too; a header of plain numbers has about 100 bytes
DIMENSIONS = 32  # as many as every numpy has
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # named only since Python 3.13


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

    def values(self, buffer: mmap.mmap | bytearray, offset: int) -> Values:
        """The numbers in `buffer`, shared with it; copied only from an odd address."""
        if not self.data_bytes:
            return np.empty(self.shape, self.dtype)
        order: Literal["C", "F"] = "F" if self.is_fortran else "C"
        values: Values = np.ndarray(self.shape, self.dtype, buffer, offset, order=order)
        return np.require(values, requirements="A")


def read_npy(path: str, file: BinaryIO, start: bytes) -> Array:
    """The array of a file whose first `START_BYTES` bytes, already taken from it, are `start`.

    Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    header = _header(path, file, start)
    dtype = dtype_name(header.dtype, path)
    values = _streamed(path, file, header) if is_stream(file) else _mapped(path, file, header)
    return Array(values, path, "npy", dtype, element)


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


def _mapped(path: str, file: BinaryIO, header: _Header) -> Values:
    """The numbers where they lie in the file; their pages are private, so that torch may think them writable."""
    offset = file.tell()
    _check_size(path, header, os.fstat(file.fileno()).st_size - offset)
    if sys.platform == "linux":
        # else a private mapping must fit the machine's memory, although its pages are never written
        access = {"flags": mmap.MAP_PRIVATE | NO_RESERVE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
    else:
        access = {"access": mmap.ACCESS_COPY}
    return header.values(mmap.mmap(file.fileno(), 0, **access), offset)


def _streamed(path: str, file: BinaryIO, header: _Header) -> Values:
    """The numbers of a FIFO, in memory that grows with what arrives and not with what the header claims."""
    data = bytearray()
    limit = header.data_bytes + 1  # one byte too many tells enough
    while piece := file.read(min(PIECE_BYTES, limit - len(data))):
        data += piece
    _check_size(path, header, len(data))
    return header.values(data, 0)


def _check_size(path: str, header: _Header, found: int) -> None:
    if found == header.data_bytes:
        return
    shape = " × ".join(map(str, header.shape)) or "()"
    raise InputError(
        "the file is cut off" if found < header.data_bytes else "the file goes on after its last number",
        at=path,
        found=("" if found < header.data_bytes else "at least ") + count(found, "byte"),
        expected=f"{count(header.data_bytes, 'byte')} for {header.dtype.name} of shape {shape}",
        hint="save or copy it again",
    )
