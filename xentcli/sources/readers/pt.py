"""What `torch.save` writes: a tensor, or dictionaries and lists of tensors; no code of the file, nor of torch, is run.

The archive holds a pickle and the bytes of each storage.  The pickle names torch's functions, for which it finds
stand-ins of ours: how https://pytorch.org/docs/stable/notes/serialization.html describes it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, InMemory
from xentcli.sources.containers import chosen
from xentcli.sources.files import excerpt
from xentcli.sources.readers.pickled import DIMENSIONS, Limited, Reader, loaded
from xentcli.sources.readers.zipped import LARGEST_STREAM, Zipped
from xentcli.sources.saving import SinkFile
from xentcli.sources.stored import Stored
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xentcli.numbers.arrays import Reader as ArrayReader
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

PICKLE = "data.pkl"
KINDS = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "V2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "i1",
    "uint8": "u1",
    "bool": "?",
}
STORAGES = {  # torch's name -> the type of its numbers
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "UntypedStorage": "",  # the tensor says it
}
NO_NUMBERS = {  # torch's functions that make other tensors -> what these are
    "_rebuild_sparse_tensor": "torch.sparse",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_qtensor": "quantised numbers",
    "_rebuild_meta_tensor_no_storage": "a tensor on meta",
    "_rebuild_wrapper_subclass": "a subclass of tensors",
    "_rebuild_device_tensor_from_numpy": "a tensor of another device",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
}
DTYPES = {*KINDS, *filter(None, STORAGES.values()), "uint16", "uint32", "uint64", "complex32"}


def read(source: Source, request: Request) -> list[Array]:
    """The tensors that are asked for by their keys, which are joined with points: `model.head.0`."""
    archive = Zipped(source.anywhere(LARGEST_STREAM))
    _refuse_high_byte_first(archive)
    name = next((name for name in archive.names if name.endswith(f"/{PICKLE}")), PICKLE)
    start = archive.member(name).offset
    if start is None:
        raise _misplaced(archive)
    content = loaded(
        archive.file, start, source.path, "pt", lambda file: TensorReader(file, archive, name.removesuffix(PICKLE))
    )
    return chosen(content, source.path, "pt", request)


def _refuse_high_byte_first(archive: Zipped) -> None:
    """InputError for numbers of another byte order."""
    for name in archive.names:
        if name.endswith("byteorder") and _start(archive, name) != b"little":
            raise InputError(
                "the numbers stand with their high byte first",
                at=archive.file.path,
                hint="load and save it where it was written, as .safetensors",
            )


def _start(archive: Zipped, name: str) -> bytes:
    """What a member begins with; it may unpack to any size."""
    return next(iter(archive.unpacked(archive.member(name))), b"")


@dataclass(frozen=True)
class Named:
    """One of torch's types, by its name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Numbers one after the other in a member of the archive."""

    offset: int
    size: int  # bytes
    dtype: str  # "" where the tensor says it


class TensorReader(Reader):
    """The same for torch's pickles, whose tensors lie beside them."""

    what, holds, hint = "file", "tensors and arrays", "save the tensors alone, as .safetensors"

    def __init__(self, file: Limited, archive: Zipped, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        found = _torch_name(module, name)
        if found is not None:
            return found
        if module == "torch._utils" and name in {"_rebuild_tensor", "_rebuild_tensor_v2"}:
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_tensor_v3"):
            return self._typed_tensor
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that a tensor lies in."""
        match pid:
            case ("storage", Named(name=dtype), str(key), _, int()):
                member = self._archive.member(f"{self._folder}data/{key}")
                if member.offset is None:
                    raise _misplaced(self._archive)
                return Storage(member.offset, member.size, dtype)
        raise TypeError("a storage that is not described as torch does")

    def _typed_tensor(
        self, storage: Any, start: Any, shape: Any, steps: Any, _gradient: Any, _hooks: Any, dtype: Any, *flags: Any
    ) -> Array:  # fmt: skip
        """A tensor of one of torch's later types."""
        return self._array(storage, dtype.name, (start, shape, steps), flags)

    def _tensor(
        self, storage: Any, start: Any, shape: Any, steps: Any, _gradient: Any = False, _hooks: Any = None, *flags: Any
    ) -> Array:  # fmt: skip
        """A tensor of its storage's type."""
        return self._array(storage, storage.dtype, (start, shape, steps), flags)

    def _array(self, storage: Any, dtype: str, place: tuple[Any, Any, Any], flags: Sequence[Any]) -> Array:
        path = self._archive.file.path
        if dtype not in KINDS or any(flags):
            lazily = "conjugated or negated when they are read" if dtype in KINDS else f"torch.{dtype}"
            _refuse_odd(lazily, at=path)
        kind = np.dtype(KINDS[dtype])
        (first,), sizes, strides = _integers(place[:1]), _integers(place[1]), _integers(place[2])
        if not isinstance(storage, Storage) or len(sizes) != len(strides):
            raise TypeError("a tensor that is not described as torch does")
        span = 1 + sum((size - 1) * step for size, step in zip(sizes, strides, strict=True)) if all(sizes) else 0
        if (first + span) * kind.itemsize > storage.size:
            raise _misplaced(self._archive)
        offset = storage.offset + first * kind.itemsize
        return Array(sizes, kind, self._reader(offset, sizes, strides, kind, span), path, "pt", dtype, element)

    def _reader(
        self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], kind: np.dtype[Any], span: int
    ) -> ArrayReader:  # fmt: skip
        """The tensor's numbers in the file; those of a view that is not in order are read at once."""
        if not span:
            return InMemory(np.empty(shape, kind))
        if _in_order(shape, strides):
            return Stored(self._archive.file, offset, shape, kind)
        if _in_order(shape[::-1], strides[::-1]):
            return Stored(self._archive.file, offset, shape, kind, is_fortran=True)
        numbers = Stored(self._archive.file, offset, (span,), kind)(0, 0, span)
        steps = tuple(step * kind.itemsize for step in strides)
        return InMemory(np.lib.stride_tricks.as_strided(numbers, shape, steps, writeable=False))


def _torch_name(module: str, name: str) -> Any:
    """Our stand-in for a name of torch that makes no tensor; None for others."""
    if module in {"torch", "torch.storage"} and name in STORAGES:
        return Named(STORAGES[name])
    if module == "torch" and name in DTYPES:
        return Named(name)
    if module == "torch._utils" and name in NO_NUMBERS:
        return partial(_refuse_odd, NO_NUMBERS[name])
    return STAND_INS.get((module, name))


def _as_it_is(value: Any, *_: Any) -> Any:
    """A parameter is its tensor, a size its tuple, and a counter its dictionary."""
    return value


def _nothing(*_: Any) -> None:
    """What says nothing of numbers: a device, or a layout."""


STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_parameter"): _as_it_is,
    ("torch._utils", "_rebuild_parameter_with_state"): _as_it_is,
    ("torch", "Size"): _as_it_is,
    ("collections", "Counter"): _as_it_is,
    ("torch.serialization", "_get_layout"): _nothing,
    ("torch", "device"): _nothing,
}


def _integers(values: Any) -> tuple[int, ...]:
    """Sizes, or steps between numbers; ValueError for what are none."""
    if not isinstance(values, (list, tuple)) or len(values) > DIMENSIONS:
        raise ValueError("a tensor of too many dimensions, or none")
    if any(type(value) is not int or not 0 <= value < 1 << 62 for value in values):
        raise ValueError("a tensor of sizes that are none")
    return tuple(values)


def _in_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the numbers lie one after the other, the last axis fastest."""
    expected = 1
    for size, step in zip(shape[::-1], strides[::-1], strict=True):
        if size != 1 and step != expected:
            return False
        expected *= size
    return True


def _refuse_odd(found: str, *_: Any, at: str = "") -> NoReturn:
    raise InputError(
        "this tensor has no plain numbers",
        at=at,
        found=excerpt(found, 70)[1:-1],
        expected="a dense tensor of floats of 16 bits or more, or of integers",
    )


def _misplaced(archive: Zipped) -> InputError:
    return InputError(
        "the numbers of a tensor are not where the file says",
        at=archive.file.path,
        found="compressed, or cut off",
        expected="a file as torch.save writes it",
    )


def write(sink: Sink, arrays: Mapping[str, Array]) -> None:
    """A dictionary of tensors."""
    import torch  # noqa: PLC0415  reading a file takes none of it

    from xentcli.numbers.tensors import as_tensor  # noqa: PLC0415

    with io.BufferedWriter(SinkFile(sink)) as file:
        torch.save({name: as_tensor(array.values) for name, array in arrays.items()}, file)
