"""Which rows belong together, and in which part of the samples each row is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import UsageError
from xentcli.question.grouping import ENTRIES
from xentcli.sources.groups import open_groups
from xentcli.sources.shards import ShardedArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xentcli.comparing.problem import Pairing
    from xentcli.comparing.table import Table
    from xentcli.question.grouping import By, Grouping
    from xentcli.question.problem import Problem

    Integers = NDArray[np.int64]

EDGES = (0.25, 0.5, 0.75, 0.95)  # of the base's confidence, [0, .25), ..., [.95, 1]
MOST_POSITIONS = 64  # parts of the positions; where there are more positions, some stand together


@dataclass(frozen=True, eq=False)
class Parts:
    """The part of each row, from 0 on, and what each part is called."""

    of_row: Integers
    names: tuple[str, ...]


def groups_of(pairing: Pairing, table: Table, grouping: Grouping) -> Integers | None:
    """The group of each row that counts, from 0 on without gaps; None where rows stand alone."""
    found = group_parts(pairing.base, table.column("row"), grouping)
    if found is None:
        return None
    _, groups = np.unique(found.of_row, return_inverse=True)
    return groups.astype(np.int64)


def group_parts(base: Problem, rows: Integers, grouping: Grouping) -> Parts | None:
    """The groups of these rows with their names; None where rows stand alone.

    Errors: InputError for a file that does not fit, UsageError for an axis that there is not.
    """
    if grouping.path:
        groups, names = open_groups(grouping.path, base.samples)
        return Parts(groups[rows], names)
    if grouping.of_files:
        return _files(base, rows)
    if grouping.axis is not None:
        axis = _sample_axis(base, grouping.axis)
        return _numbered(np.unravel_index(rows, base.sample_shape)[axis].astype(np.int64))
    each = grouping.rows or _rows_of_entry(base)
    return None if each == 1 and grouping == ENTRIES else _numbered(rows // each)


def _rows_of_entry(base: Problem) -> int:
    return max(1, math.prod(base.sample_shape[1:]))


def _numbered(of_row: Integers) -> Parts:
    return Parts(of_row, tuple(map(str, range(int(of_row.max(initial=-1)) + 1))))


def _sample_axis(base: Problem, axis: int) -> int:
    """The axis of the samples that an axis of the logits is; UsageError for one that is none."""
    dimensions = base.logits.ndim
    if not -dimensions <= axis < dimensions or axis % dimensions == base.class_axis:
        others = [str(each) for each in range(dimensions) if each != base.class_axis]
        raise UsageError(
            "this is no axis of samples",
            found=f"--group axis:{axis}, of logits of shape {base.logits.described()}",
            expected=f"axis:{' or axis:'.join(others)}" if others else "another --group",
        )
    axis %= dimensions
    return axis - (axis > base.class_axis)


def _files(base: Problem, rows: Integers) -> Parts:
    if not isinstance(base.logits, ShardedArray):
        return Parts(np.zeros(len(rows), np.int64), (base.logits.path,))
    shards = base.logits.shards(base.samples)
    firsts = np.array([shard.first_row for shard in shards])
    found = np.searchsorted(firsts, rows, side="right") - 1
    return Parts(found.astype(np.int64), tuple(shard.path for shard in shards))


def _positions(pairing: Pairing, table: Table, grouping: Grouping) -> Parts:
    """Where in its entry of the first axis, or in its group of so many rows, a row stands."""
    each = grouping.rows or _rows_of_entry(pairing.base)
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
    return Parts(table.column("row") % each // width, tuple(names))


def _classes(pairing: Pairing, table: Table, _grouping: Grouping) -> Parts:
    if not pairing.has_labels:
        raise UsageError("without labels no row has a class", found="--by class", hint="--labels FILE")
    called = pairing.base.class_names
    names = (f"{number} {called[number]}" if called else str(number) for number in range(pairing.base.classes))
    return Parts(table.column("label"), tuple(names))


def _confidences(_pairing: Pairing, table: Table, _grouping: Grouping) -> Parts:
    """Of the base: the probability of its most probable class."""
    ends = (0.0, *EDGES, 1.0)
    names = (f"[{low:g}, {high:g}{']' if high == 1.0 else ')'}" for low, high in pairwise(ends))
    return Parts(np.digitize(table.column("confidence_base"), EDGES).astype(np.int64), tuple(names))


def _groups(pairing: Pairing, table: Table, grouping: Grouping) -> Parts:
    found = group_parts(pairing.base, table.column("row"), grouping)
    if found is None:
        raise UsageError(
            "the rows stand alone, so there are no groups", found="--by group", hint="--group FILE", expected="--group"
        )
    return found


def _by_file(pairing: Pairing, table: Table, _grouping: Grouping) -> Parts:
    return _files(pairing.base, table.column("row"))


PARTS: dict[By, Callable[[Pairing, Table, Grouping], Parts]] = {
    "position": _positions,
    "class": _classes,
    "confidence": _confidences,
    "group": _groups,
    "file": _by_file,
}


def parts_of(by: By, pairing: Pairing, table: Table, grouping: Grouping) -> Parts:
    """The parts of the rows that count, by one of `BYS`; UsageError where they have none of this kind."""
    return PARTS[by](pairing, table, grouping)
