"""ONNX's TensorProto, one tensor a file, as the test data of ONNX's backends are stored."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.saving import row_pieces
from xentcli.sources.stored import Seekable, Stored, check_size
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xentcli.numbers.arrays import Values
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source
    from xentcli.sources.stored import Bytes

LARGEST = 1 << 31  # bytes; protobuf has no larger messages
MOST_DIMENSIONS = 32  # as many as every numpy has
KINDS = {  # TensorProto.DataType -> how raw_data has it
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
    16: "V2",
}
VARINT, FIXED64, COUNTED, FIXED32 = 0, 1, 2, 5  # protobuf's wire types
DIMS, DATA_TYPE, NAME, RAW_DATA, EXTERNAL_DATA = 1, 2, 8, 9, 13
FIXED_DATA = {4: "<f4", 10: "<f8"}  # field -> its numbers, which lie there as they are
VARINT_DATA = (5, 7, 11)  # int32_data, int64_data, uint64_data


@dataclass
class Message:
    """The fields of a TensorProto that matter."""

    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)  # of the numbers: field -> offset and size


def read(source: Source, request: Request) -> list[Array]:
    """The one tensor of the file.

    Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, https://protobuf.dev/programming-guides/encoding
    """
    request.only("one TensorProto")
    file = source.anywhere(LARGEST)
    try:
        return [_array(file, _parsed(file))]
    except (ValueError, EOFError) as error:
        raise _damaged(source.path, str(error)) from error


def _array(file: Bytes, message: Message) -> Array:
    shape = tuple(message.dims)
    if message.data_type not in KINDS:
        raise InputError(
            "these are not numbers that torch computes a loss with",
            at=file.path,
            found=f"a TensorProto of data type {message.data_type}",
            expected="floats of 16 bits or more, or integers",
        )
    if EXTERNAL_DATA in message.spans:
        raise InputError("the numbers are in another file", at=file.path, hint="save the tensor with its data")
    kind = np.dtype(KINDS[message.data_type])
    dtype = "bfloat16" if kind.kind == "V" else kind.name
    (number, (offset, size)), *others = message.spans.items() or [(RAW_DATA, (0, 0))]
    if others:
        raise _damaged(file.path, "its numbers stand in more than one field")
    if number in VARINT_DATA:
        values = _varints(file, offset, size).astype(f"u{kind.itemsize}").view(kind)
        check_size(file.path, shape, kind, values.nbytes)
        return Array(*in_memory(values.reshape(shape)), file.path, "pb", dtype, element)
    if FIXED_DATA.get(number, kind.str) != kind.str:
        raise _damaged(file.path, "its numbers stand in a field of another type")
    check_size(file.path, shape, kind, size)
    return Array(shape, kind, Stored(file, offset, shape, kind), file.path, "pb", dtype, element)


def _parsed(file: Bytes) -> Message:
    """The fields; ValueError and EOFError where this is no such message."""
    message, stream = Message(), io.BufferedReader(Seekable(file))
    while stream.peek(1):
        tag = _varint(stream)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            _take_integer(message, number, _varint(stream))
            continue
        size = (
            {FIXED64: 8, FIXED32: 4}[wire] if wire in {FIXED64, FIXED32} else _varint(stream) if wire == COUNTED else -1
        )
        offset = stream.tell()
        if not 0 <= size <= file.size - offset:
            raise EOFError("a field goes beyond the file")
        if number == DIMS:
            _take_dims(message, file, offset, size)
        elif number in {RAW_DATA, EXTERNAL_DATA, *FIXED_DATA, *VARINT_DATA}:
            if number in message.spans or wire != COUNTED:
                raise ValueError("its numbers stand in parts")
            message.spans[number] = offset, size
        stream.seek(offset + size)
    return message


def _take_integer(message: Message, number: int, value: int) -> None:
    if number == DIMS:
        message.dims.append(value)
    elif number == DATA_TYPE:
        message.data_type = value
    elif number in VARINT_DATA:
        raise ValueError("its numbers stand in parts")
    _check_dims(message)


def _take_dims(message: Message, file: Bytes, offset: int, size: int) -> None:
    """Dimensions that are written together."""
    message.dims += _varints(file, offset, min(size, 10 * (MOST_DIMENSIONS + 1))).tolist()
    _check_dims(message)


def _check_dims(message: Message) -> None:
    if len(message.dims) > MOST_DIMENSIONS or math.prod(max(1, size) for size in message.dims) >= LARGEST:
        raise ValueError(f"a shape of {len(message.dims)} dimensions that no such file can hold")


def _varint(stream: BinaryIO) -> int:
    """One integer of 7 bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise EOFError("it ends within a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("an integer of more than 64 bits")


def _varints(file: Bytes, offset: int, size: int) -> Values:
    """Integers one after the other, uint64."""
    data = Stored(file, offset, (size,), np.dtype("u1"))(0, 0, size)
    last = np.flatnonzero(data < 0x80)  # of each integer
    if size and (not len(last) or last[-1] != size - 1):
        raise EOFError("it ends within an integer")
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    if (last - first >= 10).any():
        raise ValueError("an integer of more than 64 bits")
    shifts = 7 * (np.arange(size) - np.repeat(first, last - first + 1)).astype(np.uint64)
    numbers: Values = (
        np.bitwise_or.reduceat((data & 0x7F).astype(np.uint64) << shifts, first) if size else np.empty(0, np.uint64)
    )
    return numbers


def _damaged(path: str, found: str) -> InputError:
    return InputError("this TensorProto is damaged, or not whole", at=path, found=found, hint="save or copy it again")


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """One tensor, its numbers as raw data."""
    ((name, array),) = arrays.items()
    data_type = next(number for number, kind in KINDS.items() if np.dtype(kind) == array.kind)
    fields = b"".join(_encoded(DIMS << 3) + _encoded(size) for size in array.shape)
    fields += _encoded(DATA_TYPE << 3) + _encoded(data_type)
    fields += _encoded(NAME << 3 | COUNTED) + _encoded(len(name)) + name.encode()
    fields += _encoded(RAW_DATA << 3 | COUNTED) + _encoded(math.prod(array.shape) * array.kind.itemsize)
    sink.write(fields)
    for rows in row_pieces(array):
        sink.write(rows.tobytes())


def _encoded(value: int) -> bytes:
    """An integer in 7 bits a byte, the lowest first."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
