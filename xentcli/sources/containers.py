"""The arrays of dictionaries, lists and tuples: by their keys, and batches of them joined along their first axis."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array
from xentcli.sources.lists import from_lists
from xentcli.sources.shards import Joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xentcli.sources.request import Request

DEEPEST = 32  # containers in one another
MOST = 1 << 16  # containers and arrays that are looked at: a file may hold one of them many times over
NAME_SIGNS = 256  # of a name, which is made of all keys on the way; what is longer counts as more than one
NUMBERS = (int, float)


def chosen(content: Any, path: str, form: str, request: Request) -> list[Array]:
    """The arrays that are asked for, of containers whose leaves are arrays or Python's numbers."""
    arrays = named(content, path, form)
    if list(arrays) == [""]:
        request.only("one array")
        return [arrays[""]]
    return [replace(arrays[key], path=f"{path}:{key}") for key in request.names(arrays)]


def named(content: Any, path: str, form: str) -> dict[str, Array]:
    """All arrays by their keys, which are joined with points; a joined one has the key of its list."""
    tree = _numbers(content, path, form, (0, 0), [MOST])
    joined = _gathered(tree, "")
    if "" in joined:
        return joined
    parts = {key: array for key, array in _flat(tree, "") if key not in joined}
    return joined | parts  # a hint names the first: all batches, never one alone


def _numbers(content: Any, path: str, form: str, place: tuple[int, int], left: list[int]) -> Any:
    """The same with lists of numbers as arrays; InputError for what is nested too deep, or is too much.

    place  how many containers it is in, and how many signs their keys have together
    """
    depth, signs = place
    left[0] -= 1 + signs // NAME_SIGNS
    if depth > DEEPEST or left[0] < 0:
        what = "is nested too deep" if depth > DEEPEST else "holds too many containers, or too long names of them"
        raise InputError(f"this file {what}", at=path, hint="save one array with numpy.save")
    if isinstance(content, dict):
        return {
            str(key): _numbers(item, path, form, (depth + 1, signs + len(str(key))), left)
            for key, item in content.items()
        }
    if not isinstance(content, (list, tuple)):
        return content
    if content and _is_numeric(content, 0):
        return replace(from_lists(content, path), format=form)
    return [_numbers(item, path, form, (depth + 1, signs), left) for item in content]


def _is_numeric(content: Any, depth: int) -> bool:
    """Whether it is numbers alone, or lists of such, as far as the first of each shows."""
    if isinstance(content, (list, tuple)):
        is_mixed = any(isinstance(item, (Array, dict)) for item in content)
        return bool(content) and depth < DEEPEST and not is_mixed and _is_numeric(content[0], depth + 1)
    return isinstance(content, NUMBERS) and not isinstance(content, bool)


def _flat(content: Any, prefix: str) -> Iterator[tuple[str, Array]]:
    if isinstance(content, Array):
        yield prefix, content
    elif isinstance(content, (dict, list)):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in items:
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))


def _gathered(content: Any, prefix: str) -> dict[str, Array]:
    """The arrays by their keys, those of batches joined."""
    if isinstance(content, Array):
        return {prefix: content}
    if isinstance(content, list):
        content = _by_batches(content)
    if isinstance(content, Array):
        return {prefix: content}
    if not isinstance(content, dict):
        return {}
    gathered: dict[str, Array] = {}
    for key, value in content.items():
        gathered |= _gathered(value, f"{prefix}.{key}" if prefix else key)
    return gathered


def _by_batches(batches: Sequence[Any]) -> Any:
    """A list of arrays as one, of dictionaries as one, of pairs as logits and labels; else each by its number."""
    if batches and all(isinstance(each, dict) and each.keys() == batches[0].keys() for each in batches):
        return {key: _by_batches([each[key] for each in batches]) for key in batches[0]}
    roles = {_roles(each) for each in batches}
    if len(roles) == 1 and (names := roles.pop()):
        parts = [_by_batches([each[number] for each in batches]) for number in (0, 1)]
        if all(isinstance(part, Array) for part in parts):
            return dict(zip(names, parts, strict=True))
    if columns := _columns(batches):
        return {str(number): _by_batches(column) for number, column in enumerate(columns)}
    if _are_batches(batches):
        return batches[0] if len(batches) == 1 else joined(batches)
    if names := _roles(batches):
        return dict(zip(names, batches, strict=True))
    return {str(number): each for number, each in enumerate(batches)}


def _columns(batches: Sequence[Any]) -> list[Sequence[Any]]:
    """Of lists of one length, their firsts, their seconds and so on, if each of these are batches; else nothing."""
    if len(batches) < 2 or not all(isinstance(each, list) and len(each) == len(batches[0]) for each in batches):
        return []
    columns: list[Sequence[Any]] = list(zip(*batches, strict=True))
    return columns if all(map(_are_batches, columns)) else []


def _roles(content: Any) -> tuple[str, str] | None:
    """Which of two arrays are logits, and which their labels: floats with an axis more than the integers; else None."""
    if not (isinstance(content, list) and len(content) == 2 and all(isinstance(each, Array) for each in content)):
        return None
    first, second = content
    if first.kind.kind in "fV" and second.kind.kind in "iu" and first.ndim == second.ndim + 1:
        return ("logits", "labels")
    if second.kind.kind in "fV" and first.kind.kind in "iu" and second.ndim == first.ndim + 1:
        return ("labels", "logits")
    return None


def _are_batches(arrays: Sequence[Any]) -> bool:
    if not arrays or not all(isinstance(each, Array) and each.ndim for each in arrays):
        return False
    return all(each.shape[1:] == arrays[0].shape[1:] and each.dtype == arrays[0].dtype for each in arrays)


def joined(arrays: Sequence[Array]) -> Array:
    """Arrays that follow one another along their first axis; the format says how many."""
    first = arrays[0]
    shapes = [array.shape for array in arrays]
    kind = first.kind.newbyteorder("=")
    reader = Joined(lambda number: arrays[number].read, shapes, 0, kind, [array.path for array in arrays])

    def place(index: tuple[int, ...]) -> str:
        number, own = reader.local(index)
        return f"batch {number}, {arrays[number].place(own)}"

    shape = (reader.firsts[-1], *first.shape[1:])
    form = f"{first.format}, {len(arrays):,} batches"
    return replace(first, shape=shape, kind=kind, read=reader, format=form, place=place)


def described(arrays: Mapping[str, Array]) -> str:
    """Each array's name and shape, for a message."""
    return ", ".join(f"{name} ({array.described()})" for name, array in arrays.items())
