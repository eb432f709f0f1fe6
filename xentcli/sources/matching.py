"""Rows of two tables that both say which sample each of them is: the same ones, in the same order."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import in_memory
from xentcli.sources.choosing import INDEX
from xentcli.sources.files import count, excerpt
from xentcli.sources.rowkeys import counts

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array
    from xentcli.sources.rowkeys import Keys


EXPECTED = {  # what the rows of the second file are -> what they must be
    "labels": "a label for each row of the logits, in their order",
    "the other": "the same rows, in the base's order",
}


def in_order(logits: Array, target: Array, join: str, what: str = "labels") -> tuple[Array, Array]:
    """Logits and labels whose rows have the same ids; with a column to join by, the labels in the logits' order.

    what  a name of EXPECTED, for messages

    Errors: InputError for other ids, and for another order without that column; UsageError where a file lacks it.
    """
    if join:
        return logits, _joined(logits, target, join, what)
    for name in logits.table.ids.keys() & target.table.ids.keys():
        ours, theirs = logits.table.ids[name], target.table.ids[name]
        plain = name == INDEX and (counts(ours) or counts(theirs))  # an index that nobody gave says nothing
        if not plain and len(ours) == len(theirs) and (ours != theirs).any():
            raise _other(logits, target, name, int(np.argmax(ours != theirs)), EXPECTED[what])
    return logits, target


def _joined(logits: Array, target: Array, join: str, what: str) -> Array:
    name = join.casefold()
    for array in (logits, target):
        if name not in array.table.ids:
            raise UsageError("no column to join by", at=array.path, found=f"--join {join}", expected="a table with it")
    ours, theirs = logits.table.ids[name], target.table.ids[name]
    _check_once(logits, ours, join)
    _check_once(target, theirs, join)
    order = np.argsort(theirs, kind="stable")
    places = np.minimum(np.searchsorted(theirs, ours, sorter=order), len(theirs) - 1)
    places = order[places]
    if len(ours) != len(theirs) or (theirs[places] != ours).any():
        missing = ~np.isin(ours, theirs)
        array, keys = (logits, ours) if missing.any() else (target, theirs)
        row = int(np.argmax(~np.isin(keys, theirs if array is logits else ours)))
        raise InputError(
            f"the files have other rows by their {excerpt(join)}",
            at=array.at((row,)),
            found=f"{count(len(ours), 'row')} of logits, {len(theirs):,} of {what}, and none of the others is this one",
            expected="the same ids in both",
        )
    shape, kind, read = in_memory(target.values[places])
    note = f"put in the order of the logits by {join!r}"

    def place(index: tuple[int, ...]) -> str:
        first, *others = index or (0,)
        return target.place((int(places[first]), *others))

    return replace(target, shape=shape, kind=kind, read=read, place=place).noted(note)


def _check_once(array: Array, keys: Keys, join: str) -> None:
    """InputError for an id that two rows have."""
    _, first, numbers = np.unique(keys, return_index=True, return_counts=True)
    if (numbers > 1).any():
        row = int(first[np.argmax(numbers > 1)])
        raise InputError(
            "two rows have one id", at=array.at((row,)), found=f"--join {join}", expected="an id for each row"
        )


def _other(logits: Array, target: Array, name: str, row: int, expected: str) -> InputError:
    same = np.array_equal(np.sort(logits.table.ids[name]), np.sort(target.table.ids[name]))
    return InputError(
        f"the rows of both files have {'the same ids in another order' if same else 'other ids'}",
        at=f"{logits.at((row,))} and {target.at((row,))}",
        found=f"another {excerpt(name)} from row {row} on",
        expected=expected,
        hint=f"--join {quote(name)}" if same else "is one of them another file than was meant?",
    )
