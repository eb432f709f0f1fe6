"""What `torch.save` writes: a tensor, or dictionaries and lists of tensors; no code of the file is ever run."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import Array, InMemory, in_memory
from xentcli.numbers.tensors import as_tensor
from xentcli.sources.containers import DEEPEST, chosen
from xentcli.sources.files import excerpt
from xentcli.sources.readers.zipped import LARGEST_STREAM, Zipped
from xentcli.sources.saving import SinkFile
from xentcli.sources.stored import Seekable, Stored
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xentcli.numbers.arrays import Reader
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

MOST = 1 << 24  # containers and Python's numbers, counted as often as they stand there
SAFE = (2, 10)  # earlier versions of torch could run code from a file even with weights_only
KINDS = {
    torch.float64: "<f8",
    torch.float32: "<f4",
    torch.float16: "<f2",
    torch.bfloat16: "V2",
    torch.int64: "<i8",
    torch.int32: "<i4",
    torch.int16: "<i2",
    torch.int8: "i1",
    torch.uint8: "u1",
    torch.bool: "?",
}


def read(source: Source, request: Request) -> list[Array]:
    """The tensors that are asked for by their keys, which are joined with points: `model.head.0`.

    torch loads the file without its numbers, and says where they lie: with fake tensors, as
    https://pytorch.org/docs/stable/notes/serialization.html describes.
    """
    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < SAFE:
        raise UsageError(
            f"torch {torch.__version__} cannot load .pt files safely",
            at=source.path,
            expected="torch 2.10 or later",
            hint="pip install -U torch, or save the tensor as .safetensors",
        )
    archive = Zipped(source.anywhere(LARGEST_STREAM))
    _refuse_high_byte_first(archive)
    content = _with_arrays(_loaded(archive), archive, source.path, set(), [MOST])
    return chosen(content, source.path, "pt", request)


def _refuse_high_byte_first(archive: Zipped) -> None:
    """InputError for numbers of another byte order: torch swaps them where there are none yet, and ends the process."""
    for name in archive.names:
        if name.endswith("byteorder") and b"".join(archive.unpacked(archive.member(name))) != b"little":
            raise InputError(
                "the numbers stand with their high byte first",
                at=archive.file.path,
                hint="load and save it where it was written, as .safetensors",
            )


def _loaded(archive: Zipped) -> Any:
    """All that it holds, tensors without their numbers."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            FakeTensorMode(),
            torch.serialization.safe_globals(_names_of_numpy()),
        ):
            return torch.load(io.BufferedReader(Seekable(archive.file)), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # whatever its parts trip over, the file is at fault
        raise InputError(
            "torch does not load this file",
            at=archive.file.path,
            found=excerpt(" ".join(str(error).split()), 70),
            expected="tensors, arrays and numbers, or dictionaries and lists of them, written by torch.save",
            hint="other objects run code when they are loaded, and are refused",
        ) from error


def _names_of_numpy() -> list[Any]:
    """What an array of plain numbers needs; torch's own list of names has it all but these."""
    core = import_module("numpy._core" if int(np.__version__.partition(".")[0]) > 1 else "numpy.core")
    made = [core.multiarray._reconstruct, core.multiarray.scalar, core.numeric._frombuffer]
    named = [
        (each, f"numpy.{name}.{each.__module__.rpartition('.')[2]}.{each.__name__}")
        for each in made
        for name in ("core", "_core")
    ]
    return [*made, *named, np.ndarray, np.dtype, codecs.encode, *{type(np.dtype(code)) for code in "?bhilqBHILQefd"}]


def _with_arrays(content: Any, archive: Zipped, path: str, above: set[int], left: list[int]) -> Any:
    """The same with an `Array` for each tensor; InputError for a container that holds itself."""
    if isinstance(content, torch.Tensor):
        return _array(archive, content, path)
    if isinstance(content, np.ndarray):
        return Array(*in_memory(content), path, "pt", dtype_name(content.dtype, path), element)
    if not isinstance(content, (dict, list, tuple)):
        return content.item() if isinstance(content, np.generic) else content
    left[0] -= len(content)
    if id(content) in above or len(above) > DEEPEST or left[0] < 0:
        return None
    inner = {*above, id(content)}
    items = content.items() if isinstance(content, dict) else enumerate(content)
    made = {str(key): _with_arrays(value, archive, path, inner, left) for key, value in items}
    return made if isinstance(content, dict) else list(made.values())


def _array(archive: Zipped, tensor: torch.Tensor, path: str) -> Array:
    if tensor.layout != torch.strided or tensor.dtype not in KINDS:
        raise InputError(
            "this tensor has no plain numbers",
            at=path,
            found=f"{tensor.dtype}, {tensor.layout}",
            expected="a dense tensor of floats of 16 bits or more, or of integers",
        )
    kind = np.dtype(KINDS[tensor.dtype])
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Array(tuple(tensor.shape), kind, _reader(archive, tensor, kind), path, "pt", dtype, element)


def _reader(archive: Zipped, tensor: torch.Tensor, kind: np.dtype[Any]) -> Reader:
    """The tensor's numbers in the file; those of a view that is not in order are read at once."""
    shape = tuple(tensor.shape)
    if not tensor.numel():
        return InMemory(np.empty(shape, kind))
    offset = _storage_offset(archive, tensor) + int(tensor.storage_offset()) * kind.itemsize
    if tensor.is_contiguous():
        return Stored(archive.file, offset, shape, kind)
    if tensor.permute(*range(tensor.ndim)[::-1]).is_contiguous():
        return Stored(archive.file, offset, shape, kind, is_fortran=True)
    span = 1 + sum((size - 1) * step for size, step in zip(shape, tensor.stride(), strict=True))
    numbers = Stored(archive.file, offset, (span,), kind)(0, 0, span)
    steps = tuple(step * kind.itemsize for step in tensor.stride())
    return InMemory(np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False))


def _storage_offset(archive: Zipped, tensor: torch.Tensor) -> int:
    """Where the tensor's storage lies, which must be a member of the archive that is not compressed."""
    storage = tensor.untyped_storage()
    offset = getattr(storage, "_checkpoint_offset", None)
    for name in archive.names:
        if "/data/" in name:
            member = archive.member(name)
            if offset is not None and member.offset == offset and storage.nbytes() <= member.size:
                return int(offset)
    raise InputError(
        "the numbers of a tensor are not where the file says",
        at=archive.file.path,
        found="compressed, or cut off",
        expected="a file as torch.save writes it",
    )


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """A dictionary of tensors."""
    with io.BufferedWriter(SinkFile(sink)) as file:
        torch.save({name: as_tensor(array.values) for name, array in arrays.items()}, file)
