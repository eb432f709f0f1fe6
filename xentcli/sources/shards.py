"""Several files as one array: joined along one axis, and opened when they are read."""

from __future__ import annotations

from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import NO_TABLE, Array, Tabled
from xentcli.records import report as records
from xentcli.sources.files import excerpt, is_address, split_key
from xentcli.sources.remote import RemoteFile
from xentcli.sources.stored import CHANGED, Stored
from xentcli.sources.tabular import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xentcli.numbers.arrays import Blur, Reader, Values
    from xentcli.sources.names import Names

    Open = Callable[[str], tuple[Array, ...]]

OPEN_AT_ONCE = 16  # files that are kept open; a process may have few, and text of some takes memory
LOOKS_AT_ONCE = 16  # servers answer slowly, and many at once


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of several: what its header says, and the array where that stays open.

    It does where it holds no descriptor and no memory, or cannot be opened again and be known to be the same.
    """

    path: str
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    format: str
    dtype: str
    typed: bool
    is_blurred: bool
    light: Array | None
    headed: bool = False
    table: Tabled = NO_TABLE


class Files:
    """The arrays of several files, few of them open at a time; each file holds as many arrays as every other."""

    def __init__(self, names: Names, open_file: Open) -> None:
        """Looks at each file once; InputError for the first, in their order, that cannot be read."""
        self.names = names
        self._open_file = open_file
        self._kept = lru_cache(OPEN_AT_ONCE)(self._reopened)
        self._headed: set[int] = set()  # the files whose first row is a header
        self._unknown: list[str] = []  # the files whose server gives no sign of it when they change
        with ThreadPoolExecutor(LOOKS_AT_ONCE if any(map(is_address, names.files)) else 1) as executor:
            seen = list(executor.map(self._look, names.files))
        self._versions = [seen_version for _, seen_version in seen]
        # for each array of a file, all shards
        self.shards = [list(shards) for shards in zip(*(shards for shards, _ in seen), strict=True)]

    def array(self, part: int, number: int) -> Array:
        """One array of one file."""
        array = self.shards[part][number].light or self._kept(number)[part]
        return array.without_first() if number in self._headed else array

    def without_first(self, number: int, note: str) -> None:
        """Take the first row of the only array of a file for a header, where there is this to say of it."""
        if note:
            (shards,) = self.shards
            path, light = shards[number].path, shards[number].light
            array = (light or self._kept(number)[0]).without_first().noted(note)
            shards[number] = replace(_shard(path, array), light=light)
            self._headed.add(number)

    def _look(self, path: str) -> tuple[list[Shard], str]:
        arrays = self._opened(path)
        shards = [_shard(path, array) for array in arrays]
        if all(shard.light for shard in shards):
            return shards, ""
        told = version(path)
        if not told:
            self._unknown.append(path)
            _refuse_many_unknown(self._unknown)
            shards = [replace(shard, light=array) for shard, array in zip(shards, arrays, strict=True)]
        return shards, told

    def _opened(self, path: str) -> tuple[Array, ...]:
        with hinted(self.names):
            return self._open_file(path)

    def _reopened(self, number: int) -> tuple[Array, ...]:
        path = self.names.files[number]
        arrays = self._opened(path)
        shapes = [array.shape for array in arrays]
        known = [shards[number].shape for shards in self.shards]
        if number in self._headed:
            known = [(shape[0] + 1, *shape[1:]) for shape in known]
        if version(path) != self._versions[number] or shapes != known:
            raise InputError(CHANGED, at=path, hint="let its writer finish, and run again")
        return arrays


@dataclass(frozen=True, eq=False)
class Joined:
    """The reader of shards that follow one another along an axis."""

    reader: Callable[[int], Reader]  # the shard's number -> its reader
    shapes: Sequence[tuple[int, ...]]  # of the shards
    axis: int
    kind: np.dtype[Any]
    paths: Sequence[str]

    @cached_property
    def firsts(self) -> list[int]:
        """The first entry of each shard, and where the last one ends."""
        return [0, *accumulate(self.sizes)]

    @cached_property
    def sizes(self) -> list[int]:
        """How many entries each shard has."""
        return [shape[self.axis] for shape in self.shapes]

    def shard_of(self, entry: int) -> int:
        """The number of the shard that holds an entry of the axis."""
        return bisect_right(self.firsts, entry, hi=len(self.shapes)) - 1

    def local(self, index: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """The number of the shard that holds an element, and the element's index there."""
        number = self.shard_of(index[self.axis])
        entry = index[self.axis] - self.firsts[number]
        return number, (*index[: self.axis], entry, *index[self.axis + 1 :])

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        parts = list(self._along(start, stop) if axis == self.axis else self._across(axis, start, stop))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, self.axis)

    def local_spans(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """The numbers of the shards that hold these entries, and the first and the end in each; at least one."""
        last = self.shard_of(max(start, stop - 1))
        for number in range(self.shard_of(start), last + 1):
            first, end = self.firsts[number], self.firsts[number + 1]
            yield number, max(start, first) - first, min(stop, end) - first

    def _along(self, start: int, stop: int) -> Iterator[Values]:
        """At least one part, which may have no entries."""
        for number, first, last in self.local_spans(start, stop):
            yield self._read(number, self.axis, first, last)

    def _across(self, axis: int, start: int, stop: int) -> Iterator[Values]:
        return (self._read(number, axis, start, stop) for number in range(len(self.shapes)))

    def _read(self, number: int, axis: int, start: int, stop: int) -> Values:
        values = self.reader(number)(axis, start, stop)
        values = values.reshape(values.shape[: len(self.shapes[number])])  # one column of text is no axis
        return values if values.dtype == self.kind else exact(values, self.kind, self.paths[number])


@dataclass(frozen=True, eq=False)
class JoinedBlur:
    """What quantisation did to the samples of shards; nothing to those of a shard that was not quantised."""

    files: Joined
    blur: Callable[[int], Blur | None]  # the shard's number -> its own

    def spread(self, start: int, stop: int) -> Values:
        return np.concatenate(
            [
                np.zeros(last - first) if blur is None else blur.spread(first, last)
                for blur, first, last in self._parts(start, stop)
            ]
        )

    def ends(self, start: int, stop: int, labels: Values) -> Values:
        parts, done = [], 0
        for blur, first, last in self._parts(start, stop):
            own = labels[done : done + last - first]
            parts.append(np.full((2, last - first), np.nan) if blur is None else blur.ends(first, last, own))
            done += last - first
        return np.concatenate(parts, axis=1)

    def moved(self, start: int, stop: int) -> Values:
        parts = [
            np.zeros((2, last - first)) if blur is None else blur.moved(first, last)
            for blur, first, last in self._parts(start, stop)
        ]
        return np.concatenate(parts, axis=1)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Blur | None, int, int]]:
        """Each shard that has some of the samples, and which of its own; at least one."""
        for number, first, last in self.files.local_spans(start, stop):
            yield self.blur(number), first, last


@dataclass(frozen=True, eq=False, kw_only=True)
class ShardedArray(Array):
    """The array of several files; `place` names the file, too."""

    files: Joined

    def at(self, index: tuple[int, ...]) -> str:
        return self.place(index)

    def shards(self, samples: int) -> tuple[records.Shard, ...]:
        """The files and the rows that they hold, where the whole has so many samples."""
        files, each = self.files, max(1, samples // max(1, self.shape[self.files.axis]))
        sizes = zip(files.paths, files.firsts, files.sizes, strict=False)
        return tuple(records.Shard(path, first * each, size * each) for path, first, size in sizes)


def join(files: Files, part: int, axis: int) -> ShardedArray:
    """One array of each file, joined along an axis.

    Errors: InputError that names the first shard that has other dimensions, or numbers of another type.
    """
    shards = files.shards[part]
    model = next((shard for shard in shards if shard.typed), shards[0])
    shapes = [_shape(shard, model) for shard in shards]
    with hinted(files.names):
        _check_alike(shards, shapes, axis, model)

    def joined(reader: Callable[[int], Reader], kind: np.dtype[Any]) -> Joined:
        return Joined(reader, shapes, axis, kind, files.names.files)

    def place(index: tuple[int, ...]) -> str:
        number, own = reader.local(index)
        return files.array(part, number).at(own)

    reader = joined(lambda number: files.array(part, number).read, model.kind.newbyteorder("="))
    return ShardedArray(
        shape=(*shapes[0][:axis], reader.firsts[-1], *shapes[0][axis + 1 :]),
        kind=reader.kind,
        read=reader,
        path=files.names.given,
        format=", ".join(sorted({shard.format for shard in shards})),
        dtype=model.dtype,
        place=place,
        typed=model.typed,
        table=_tables(shards, axis),
        blur=JoinedBlur(reader, lambda number: files.array(part, number).blur)
        if any(shard.is_blurred for shard in shards)
        else None,
        files=reader,
    )


def _tables(shards: Sequence[Shard], axis: int) -> Tabled:
    """What the tables say together: the names of the first, and what tells the rows apart where each has it."""
    notes = dict.fromkeys(note for shard in shards for note in shard.table.notes)
    shared = set.intersection(*(set(shard.table.ids) for shard in shards)) if axis == 0 else set()
    ids = {name: np.concatenate([shard.table.ids[name] for shard in shards]) for name in sorted(shared)}
    return Tabled(shards[0].table.names, tuple(notes), ids)


@contextmanager
def hinted(names: Names) -> Iterator[None]:
    """An error of one file says what to do if it was not meant to be among them."""
    try:
        yield
    except InputError as error:
        if not names.hint:
            raise
        raise InputError(error.what, **error.details | {"hint": names.hint}) from error


def exact(values: Values, kind: np.dtype[Any], path: str) -> Values:
    """Numbers of a text as the type of the other shards; InputError unless that type has them all."""
    with np.errstate(all="ignore"):
        same = values.astype(kind)
    if not np.array_equal(same.astype(values.dtype), values, equal_nan=kind.kind == "f"):
        raise InputError(
            f"this text holds numbers that {kind.name} does not have, which the other shards are",
            at=path,
            hint="save all shards in one format",
        )
    return same


def _refuse_many_unknown(paths: Sequence[str]) -> None:
    """InputError for more files than are kept open whose servers give no sign of it when they change."""
    if len(paths) > OPEN_AT_ONCE:
        raise InputError(
            "too many files of a server that does not tell one version of a file from another",
            at=paths[0],
            found=f"{len(paths):,} files with neither ETag nor Last-Modified",
            expected=f"up to {OPEN_AT_ONCE}, as none can be read twice",
            hint="download the files first, and name them there",
        )


def _shard(path: str, array: Array) -> Shard:
    is_light = isinstance(array.read, Stored) and isinstance(array.read.file, RemoteFile)
    return Shard(
        path=path,
        shape=array.shape,
        kind=array.kind,
        format=array.format,
        dtype=array.dtype,
        typed=array.typed,
        is_blurred=array.blur is not None,
        headed=array.headed,
        table=array.table,
        light=array if is_light else None,
    )


def _shape(shard: Shard, model: Shard) -> tuple[int, ...]:
    """One column of text stands for plain numbers one after the other, where the other shards hold such."""
    is_column = not shard.typed and len(model.shape) == 1 and shard.shape[1:] == (1,)
    return shard.shape[:1] if is_column else shard.shape


def version(name: str) -> str:
    """What tells that a file was written again, and which file it is; empty where a server does not say."""
    path, _ = split_key(name)
    if is_address(path):
        return RemoteFile(path).version
    state = Path(path).stat()
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"


def _check_alike(shards: Sequence[Shard], shapes: Sequence[tuple[int, ...]], axis: int, model: Shard) -> None:
    first, ndim = shards[0], len(shapes[0])
    if ndim <= axis:
        raise InputError(
            "files of one sample each cannot be joined",
            at=first.path,
            found=f"shape {first.shape}",
            expected="an axis of samples",
            hint="save each with an axis more: array[None]",
        )
    for shard, shape in zip(shards, shapes, strict=True):
        if len(shape) != ndim or others(shape, axis) != others(shapes[0], axis):
            expected = f"{first.shape} as in {first.path}, where only axis {axis} may differ"
            raise InputError("the shards differ in shape", at=shard.path, found=f"{shard.shape}", expected=expected)
        if shard.table.names != first.table.names:
            found, expected = (excerpt(", ".join(each.table.names), 70) for each in (shard, first))
            raise InputError(
                "the shards differ in the names of their columns, or in the order of these",
                at=shard.path,
                found=found,
                expected=f"{expected} as in {first.path}",
                hint=f"--columns {quote(joined(first.table.names))}",
            )
        if shard.typed and shard.dtype != model.dtype:
            expected = f"{model.dtype} as in {model.path}"
            raise InputError("the shards differ in type", at=shard.path, found=shard.dtype, expected=expected)


def others(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The sizes of all other axes."""
    return shape[:axis] + shape[axis + 1 :]
