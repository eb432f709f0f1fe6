"""Which rows belong together, and in which part of the samples each row is."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import UsageError
from xentcli.question.grouping import ENTRIES
from xentcli.sources.groups import open_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.question.grouping import By, Grouping
    from xentcli.running.reporting import Source

    Integers = NDArray[np.int64]
    Column = Callable[[str], NDArray[Any]]  # one of the kept numbers of all rows that count, by its name

EDGES = (0.25, 0.5, 0.75, 0.95)  # of a confidence, [0, .25), ..., [.95, 1]
MOST_POSITIONS = 64  # parts of the positions; where there are more positions, some stand together


@dataclass(frozen=True, eq=False)
class Parts:
    """The part of each row, from 0 on, and what each part is called."""

    of_row: Integers
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How the rows of some logits lie, and what their classes are called."""

    source: Source
    class_axis: int  # from the front
    class_names: tuple[str, ...]
    has_labels: bool
    hint: str = ""  # what gives labels where there are none
    ids: Parts | None = None  # of all rows, where a file of groups was read before

    @property
    def classes(self) -> int:
        return self.source.shape[self.class_axis]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis but the class axis."""
        return self.source.shape[: self.class_axis] + self.source.shape[self.class_axis + 1 :]

    @property
    def samples(self) -> int:
        return math.prod(self.sample_shape)


def groups_of(about: Layout, rows: Integers, grouping: Grouping) -> Integers | None:
    """The group of each row that counts, from 0 on without gaps; None where rows stand alone."""
    found = group_parts(about, rows, grouping)
    if found is None:
        return None
    _, groups = np.unique(found.of_row, return_inverse=True)
    return groups.astype(np.int64)


def group_parts(about: Layout, rows: Integers, grouping: Grouping) -> Parts | None:
    """The groups of these rows with their names; None where rows stand alone.

    Errors: InputError for a file that does not fit, UsageError for an axis that there is not.
    """
    if grouping.path:
        found = about.ids or ids_of(grouping.path, about.samples)
        return Parts(found.of_row[rows], found.names)
    if grouping.of_files:
        return _files(about, rows)
    if grouping.axis is not None:
        axis = _sample_axis(about, grouping.axis)
        return _numbered(np.unravel_index(rows, about.sample_shape)[axis].astype(np.int64))
    each = grouping.rows or _rows_of_entry(about)
    return None if each == 1 and grouping == ENTRIES else _numbered(rows // each)


def ids_of(path: str, samples: int) -> Parts:
    """The groups of all rows, of a file; InputError for one that does not fit."""
    return Parts(*open_groups(path, samples))


def digest_of(ids: Parts) -> str:
    """SHA-256 of the group of each row, and of what the groups are called."""
    return hashlib.sha256(ids.of_row.tobytes() + "\n".join(ids.names).encode()).hexdigest()


def _rows_of_entry(about: Layout) -> int:
    return max(1, math.prod(about.sample_shape[1:]))


def _numbered(of_row: Integers) -> Parts:
    return Parts(of_row, tuple(map(str, range(int(of_row.max(initial=-1)) + 1))))


def _sample_axis(about: Layout, axis: int) -> int:
    """The axis of the samples that an axis of the logits is; UsageError for one that is none."""
    dimensions = len(about.source.shape)
    if not -dimensions <= axis < dimensions or axis % dimensions == about.class_axis:
        others = [str(each) for each in range(dimensions) if each != about.class_axis]
        raise UsageError(
            "this is no axis of samples",
            found=f"--group axis:{axis}, of logits of shape {about.source.described}",
            expected=f"axis:{' or axis:'.join(others)}" if others else "another --group",
        )
    axis %= dimensions
    return axis - (axis > about.class_axis)


def _files(about: Layout, rows: Integers) -> Parts:
    shards = about.source.shards
    if shards is None:
        return Parts(np.zeros(len(rows), np.int64), (about.source.path,))
    firsts = np.array([shard.first_row for shard in shards])
    found = np.searchsorted(firsts, rows, side="right") - 1
    return Parts(found.astype(np.int64), tuple(shard.path for shard in shards))


def _positions(about: Layout, column: Column, grouping: Grouping) -> Parts:
    """Where in its entry of the first axis, or in its group of so many rows, a row stands."""
    each = grouping.rows or _rows_of_entry(about)
    if each == 1:
        raise UsageError(
            "the samples have one axis, so that no row has a position",
            found="--by position",
            expected="logits of sequences, or the rows of each",
            hint="--group ROWS",
        )
    width = -(-each // MOST_POSITIONS)
    firsts = range(0, each, width)
    names = (f"{first}" if width == 1 else f"{first} to {min(first + width, each) - 1}" for first in firsts)
    return Parts(column("row") % each // width, tuple(names))


def _classes(about: Layout, column: Column, _grouping: Grouping) -> Parts:
    if not about.has_labels:
        raise UsageError("without labels no row has a class", found="--by class", hint=about.hint)
    called = about.class_names
    names = (f"{number} {called[number]}" if called else str(number) for number in range(about.classes))
    return Parts(column("label"), tuple(names))


def _confidences(_about: Layout, column: Column, _grouping: Grouping) -> Parts:
    """The probability of the most probable class; of two sides, the base's."""
    ends = (0.0, *EDGES, 1.0)
    names = (f"[{low:g}, {high:g}{']' if high == 1.0 else ')'}" for low, high in pairwise(ends))
    return Parts(np.digitize(column("confidence"), EDGES).astype(np.int64), tuple(names))


def _groups(about: Layout, column: Column, grouping: Grouping) -> Parts:
    found = group_parts(about, column("row"), grouping)
    if found is None:
        raise UsageError(
            "the rows stand alone, so there are no groups", found="--by group", hint="--group FILE", expected="--group"
        )
    return found


def _by_file(about: Layout, column: Column, _grouping: Grouping) -> Parts:
    return _files(about, column("row"))


PARTS: dict[By, Callable[[Layout, Column, Grouping], Parts]] = {
    "position": _positions,
    "class": _classes,
    "confidence": _confidences,
    "group": _groups,
    "file": _by_file,
}


def parts_of(by: By, about: Layout, column: Column, grouping: Grouping) -> Parts:
    """The parts of the rows that count, by one of `BYS`; UsageError where they have none of this kind."""
    return PARTS[by](about, column, grouping)
