"""Tensors by name: a header in JSON, then the bytes of each tensor."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array
from xentcli.sources.files import excerpt
from xentcli.sources.readers.fields import check_values, distinct
from xentcli.sources.saving import row_pieces
from xentcli.sources.stored import Stored, check_size
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source
    from xentcli.sources.stored import Bytes

LENGTH_BYTES = 8
LONGEST_HEADER = 16 << 20  # bytes: the largest models have a hundredth of it
DIMENSIONS = 32  # as many as every numpy has
KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "V2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def read(source: Source, request: Request) -> list[Array]:
    """The tensors that are asked for.

    Format: https://huggingface.co/docs/safetensors#format
    """
    path, start = source.path, int.from_bytes(source.stream.read(LENGTH_BYTES), "little")
    if start > LONGEST_HEADER:
        raise _damaged(path, f"a header of {start:,} bytes", f"up to {LONGEST_HEADER:,}")
    tensors = _header(path, source.stream.read(start), start)
    end = max((_span(path, name, told)[1] for name, told in tensors.items()), default=0)
    offset = 0 if source.file is None else LENGTH_BYTES + start  # a stream's header is taken already
    file = source.anywhere(end)
    if file.size - offset != end:
        raise _damaged(path, f"{file.size - offset:,} bytes of tensors", f"{end:,}, as the header says")
    return [_array(file, offset, name, tensors[name]) for name in request.names(tensors)]


def _header(path: str, text: bytes, length: int) -> dict[str, Any]:
    """What is told of each tensor."""
    try:
        check_values(text.decode("latin1"), path)
        told = json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        found = "the file ends within it" if len(text) < length else excerpt(text[:40].decode("latin1"))
        raise _damaged(path, f"a header that is not JSON: {found}", "") from error
    if not isinstance(told, dict):
        raise _damaged(path, "a header that is no JSON object", "")
    told.pop("__metadata__", None)
    return told


def _span(path: str, name: str, told: Any) -> tuple[int, int]:
    """Where the tensor begins and ends."""
    match told:
        case {"dtype": str(), "shape": list(shape), "data_offsets": [start, end]} if all(
            type(size) is int and size >= 0
            for size in (*shape, start, end - start if type(end) is type(start) is int else -1)
        ):
            return start, end
    raise _damaged(f"{path}:{excerpt(name)}", excerpt(str(told), 70), "dtype, shape and data_offsets")


def _array(file: Bytes, offset: int, name: str, told: dict[str, Any]) -> Array:
    path = f"{file.path}:{name}"
    if told["dtype"] not in KINDS:
        raise InputError(
            "these are not numbers that torch computes a loss with",
            at=path,
            found=f"dtype {excerpt(told['dtype'])}",
            expected=", ".join(KINDS),
            hint="save it as a float of 16 bits or more",
        )
    kind, shape = np.dtype(KINDS[told["dtype"]]), tuple(told["shape"])
    start, end = _span(file.path, name, told)
    if len(shape) > DIMENSIONS:
        raise _damaged(path, f"{len(shape)} dimensions", f"up to {DIMENSIONS}")
    check_size(path, shape, kind, end - start)
    dtype = "bfloat16" if told["dtype"] == "BF16" else kind.name
    return Array(shape, kind, Stored(file, offset + start, shape, kind), path, "safetensors", dtype, element)


def _damaged(at: str, found: str, expected: str) -> InputError:
    return InputError(
        "this .safetensors file is damaged, or not whole",
        at=at,
        found=found,
        expected=expected,
        hint="save or copy it again",
    )


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """The header, filled up with blanks so that the numbers are aligned, and the tensors."""
    header, end = {}, 0
    for name, array in arrays.items():
        start, end = end, end + math.prod(array.shape) * array.kind.itemsize
        dtype = next(name for name, kind in KINDS.items() if np.dtype(kind) == array.kind)
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    sink.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)
    for array in arrays.values():
        for rows in row_pieces(array):
            sink.write(rows.tobytes())
