"""Pickles of arrays, numbers, lists, tuples and dictionaries, joblib's too: none of Python's or NumPy's code is called.

A pickle is a program: it names functions, and has them called.  Here it finds stand-ins of ours for the few names that
NumPy's arrays need, and every other name is refused before anything of it is imported.
"""

from __future__ import annotations

import math
import pickle
import zlib
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.containers import chosen
from xentcli.sources.files import excerpt
from xentcli.sources.readers.zipped import LARGEST_STREAM
from xentcli.sources.stored import Seekable, spooled
from xentcli.sources.typed import dtype_name, element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.numbers.arrays import Values
    from xentcli.sources.request import Request
    from xentcli.sources.source import Source
    from xentcli.sources.stored import Bytes

FEWEST_NUMBERS, CONTAINER = (
    1 << 22,
    32,
)  # of Python's that any file may hold, and as how many of them a container counts
MOST_MADE = 1 << 20  # containers, arrays and the like that are made while it is read
DIMENSIONS = 32  # as many as every numpy has
UNPACKED_BYTES = 1 << 20  # at once
PLAIN = "biuf"  # kinds of numbers
KEYS = (
    str,
    int,
    float,
    bool,
    bytes,
    NoneType,
)  # whose hashes take no longer than they do: a tuple of tuples has no end


def read(source: Source, request: Request) -> list[Array]:
    """The arrays that are asked for by their keys."""
    packed = source.stream.peek(1) == b"x"  # joblib packs with zlib
    file = spooled(source.path, _unpacked(source)) if packed else source.anywhere(LARGEST_STREAM)
    return chosen(loaded(file, 0, source.path), source.path, "pickle", request)


def loaded(
    file: Bytes, start: int, path: str, form: str = "pickle", reader: Callable[[Limited], Reader] | None = None
) -> Any:
    """What the pickle from this byte on holds: containers, and arrays as `Array`; InputError for anything else."""
    opened = (reader or Reader)(Limited(file, start))
    try:
        content = opened.load()
        return _arrays(content, path, form, [max(FEWEST_NUMBERS, 2 * file.size)], ())
    except InputError as error:
        raise InputError(error.what, **error.details | {"at": path}) from error
    except Exception as error:  # whatever a damaged pickle trips over, the file is at fault
        raise InputError(
            f"this {opened.what} is damaged, or not one of {opened.holds}",
            at=path,
            found=excerpt(" ".join(str(error).split()), 70),
            hint=opened.hint,
        ) from error


class Limited(Seekable):
    """The file as pickle reads it, which never makes room for more than there is."""

    def __init__(self, file: Bytes, start: int) -> None:
        super().__init__(file)
        self.seek(start)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._file.size - self._place)
        data = bytearray(left if size < 0 else min(size, left))
        self.readinto(data)
        return bytes(data)

    def readline(self, _size: int | None = -1) -> bytes:
        """Up to the next line feed, within what a number or a name may take."""
        start, line = self._place, self.read(1 << 12)
        end = line.find(b"\n") + 1 or len(line)
        self.seek(start + end)
        return line[:end]


class Type:
    """A NumPy dtype, as its state says."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.dtype = np.dtype(str(name)) if _is_plain_name(name) else np.dtype(object)

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if isinstance(order, str) and order in {"<", ">"}:
            self.dtype = np.dtype(order + self.dtype.str[1:])


class Numbers:
    """A NumPy array, once its state is known."""

    values: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, data = state
        if kind.dtype == object:
            self.values = _objects(shape, data)
        else:
            self.values = _array(data, kind, shape, "F" if is_fortran else "C")


@dataclass
class Wrapped:
    """joblib's: the numbers follow in the file."""

    state: dict[str, Any] | None = None


def _reconstruct(*_: Any) -> Numbers:
    return Numbers()


def _scalar(kind: Any, data: Any) -> Any:
    return _array(data, kind, (), "C")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> Numbers:
    made = Numbers()
    made.values = _array(data, kind, shape, order)
    return made


def _encode(text: Any, encoding: Any) -> bytes:
    """Python 2's way to write bytes."""
    if not isinstance(text, str) or not (isinstance(encoding, str) and encoding in {"latin1", "latin-1"}):
        raise ValueError("bytes in another encoding")
    return text.encode("latin1")


def _bytes(*parts: Any) -> bytes:
    if any(not isinstance(part, bytes) for part in parts[:1]):
        raise TypeError("bytes of what are none")
    return b"".join(parts[:1])


def _ordered(items: Any = ()) -> dict[Any, Any]:
    """An ordered dictionary, as Python 2 writes it."""
    made: dict[Any, Any] = {}
    for key, value in items:
        made[_checked(key)] = value
    return made


def _checked(key: Any) -> Any:
    """The key of a dictionary, if it is plain, or some of these."""
    if type(key) in KEYS or (type(key) is tuple and all(type(each) in KEYS for each in key)):
        return key
    raise TypeError("a key that is neither text nor a number")


NDARRAY = object()  # what an array says it is
NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): Type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _ordered,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): Wrapped,
    **{(module, "bytearray"): _bytes for module in ("builtins", "__builtin__")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class Reader(pickle._Unpickler):
    """Python's own reader in Python, whose memory grows with the file alone, and which finds nothing but our names."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    what, holds, hint = "pickle", "arrays", "save the arrays with numpy.savez"  # for messages

    def __init__(self, file: Limited) -> None:
        super().__init__(file)
        self.file = file
        self.left = MOST_MADE

    def find_class(self, module: str, name: str) -> Any:
        try:
            return NAMES[module, name]
        except KeyError:
            raise InputError(
                f"this {self.what} holds more than {self.holds}, lists and dictionaries",
                found=excerpt(f"{module}.{name}"),
                expected=f"{self.holds} and Python's numbers, as nothing else is ever called",
                hint=self.hint,
            ) from None

    def build(self) -> None:
        """Give the last object its state, if it is one of ours."""
        state = self.stack.pop()  # type: ignore[attr-defined]
        made = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(made, (Type, Numbers)):
            made.__setstate__(state)
        elif isinstance(made, Wrapped):
            self.stack[-1] = self._following(state)  # type: ignore[attr-defined]
        else:
            raise TypeError("a state for what has none")

    def _following(self, state: dict[str, Any]) -> Numbers:
        kind, shape = state["dtype"], _sizes(state["shape"])
        if state.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])
        made = Numbers()
        if kind.dtype.kind not in PLAIN:
            raise TypeError("an array of Python objects in joblib's file")
        made.values = _array(self.file.read(math.prod(shape) * kind.dtype.itemsize), kind, shape, state["order"])
        return made

    def bytearray8(self) -> None:
        """Python's own makes room for as much as the file says."""
        size = int.from_bytes(self.read(8), "little")  # type: ignore[attr-defined]
        self.append(self.read(size))  # type: ignore[attr-defined]

    def set_item(self) -> None:
        """A member of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()  # type: ignore[attr-defined]
        self.stack[-1][_checked(key)] = value  # type: ignore[attr-defined]

    def set_items(self) -> None:
        """Members of a dictionary."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        held = self.stack[-1]  # type: ignore[attr-defined]
        for key, value in zip(items[::2], items[1::2], strict=True):
            held[_checked(key)] = value

    def dictionary(self) -> None:
        """A dictionary of what follows the mark."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.append(_ordered(zip(items[::2], items[1::2], strict=True)))  # type: ignore[attr-defined]

    def items(self) -> None:
        """What is a set elsewhere, as a list."""
        self.append(self.pop_mark())  # type: ignore[attr-defined]

    def add_items(self) -> None:
        """More of a set."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.stack[-1].extend(items)  # type: ignore[attr-defined]

    dispatch |= {
        opcode[0]: step
        for opcode, step in {
            pickle.BUILD: build,
            pickle.BYTEARRAY8: bytearray8,
            pickle.SETITEM: set_item,
            pickle.SETITEMS: set_items,
            pickle.DICT: dictionary,
            pickle.FROZENSET: items,
            pickle.EMPTY_SET: dispatch[pickle.EMPTY_LIST[0]],
            pickle.ADDITEMS: add_items,
        }.items()
    }


def _counting(step: Callable[..., None]) -> Callable[..., None]:
    def count(reader: Reader) -> None:
        reader.left -= 1
        if reader.left < 0:
            raise InputError("this file holds too many containers", expected=f"up to {MOST_MADE:,}", hint=reader.hint)
        step(reader)

    return count


# what makes something of a byte or two, by the names of Python's module
MAKERS = (
    "EMPTY_DICT EMPTY_LIST EMPTY_SET LIST DICT TUPLE TUPLE1 TUPLE2 TUPLE3 REDUCE NEWOBJ NEWOBJ_EX INST OBJ FROZENSET"
)
Reader.dispatch |= {
    opcode: _counting(Reader.dispatch[opcode]) for opcode in (getattr(pickle, name)[0] for name in MAKERS.split())
}


def _is_plain_name(name: Any) -> bool:
    return isinstance(name, str) and len(name) < 4 and name[:1] in PLAIN and name[1:].isdigit()


def _array(data: Any, kind: Any, shape: Any, order: Any) -> Any:
    """Plain numbers of bytes; ValueError where there are not as many as the shape says."""
    sizes = _sizes(shape)
    if kind.dtype.kind not in PLAIN or not isinstance(data, (bytes, bytearray)):
        raise TypeError("an array of what are no numbers")
    if math.prod(sizes) * kind.dtype.itemsize != len(data):
        raise ValueError("an array whose bytes do not fit its shape")
    return np.frombuffer(data, kind.dtype).reshape(sizes, order="F" if order == "F" else "C")


def _sizes(shape: Any) -> tuple[int, ...]:
    """The sizes of an array's axes; ValueError for what are none."""
    if not isinstance(shape, (list, tuple)) or len(shape) > DIMENSIONS:
        raise ValueError("a shape of too many axes, or none")
    if any(type(size) is not int or not 0 <= size < 1 << 63 for size in shape):
        raise ValueError("a shape of what are no sizes")
    return tuple(shape)


def _objects(shape: Any, data: Any) -> Any:
    """An array of objects as a list of them, or the one alone."""
    if not isinstance(data, list) or len(_sizes(shape)) > 1 or math.prod(shape) != len(data):
        raise ValueError("an array of objects that is no list")
    return data if shape else data[0]


def _arrays(content: Any, path: str, form: str, left: list[int], above: tuple[int, ...]) -> Any:
    """The same with an `Array` for each of NumPy's; what stands there many times over counts each time.

    above  the containers that hold it; one that holds itself is left out there
    """
    left[0] -= CONTAINER + len(content) if isinstance(content, (dict, list, tuple)) else 1
    if left[0] < 0 or len(above) > 2 * DIMENSIONS:
        raise InputError("this file is nested too deep, or holds too much", hint="save the arrays with numpy.savez")
    if isinstance(content, Numbers):
        content = content.values
    if not isinstance(content, (dict, list, tuple)):
        return _array_of(content, path, form) if isinstance(content, np.ndarray) else content
    if id(content) in above:
        return None
    inner = (*above, id(content))
    if isinstance(content, dict):
        return {str(key): _arrays(item, path, form, left, inner) for key, item in content.items()}
    is_plain = all(type(item) in {int, float} for item in content)
    return content if is_plain else [_arrays(item, path, form, left, inner) for item in content]


def _array_of(values: Values, path: str, form: str) -> Any:
    """An `Array` for one of NumPy's; a number for one without axes."""
    if not values.ndim:
        return values.item()
    return Array(*in_memory(values), path, form, dtype_name(values.dtype, path), element)


def _unpacked(source: Source) -> Iterator[bytes]:
    """What joblib packed with zlib, in pieces."""
    unpacker = zlib.decompressobj()
    try:
        for piece in _pieces(source):
            while piece:
                yield unpacker.decompress(piece, UNPACKED_BYTES)
                piece = unpacker.unconsumed_tail  # noqa: PLW2901
    except zlib.error as error:
        raise InputError("the file is damaged", at=source.path, found=f"packed with zlib: {error}") from error
    if not unpacker.eof:
        raise InputError("the file is cut off", at=source.path, found="packed with zlib", hint="save or copy it again")


def _pieces(source: Source) -> Iterable[bytes]:
    return source.stream.rest(LARGEST_STREAM)
