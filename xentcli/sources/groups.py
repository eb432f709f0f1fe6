"""Which group each row belongs to, of a file that says it: whole numbers or names, one a row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.sources.codes import NewNames
from xentcli.sources.files import count
from xentcli.sources.open import open_array
from xentcli.sources.tabular import DEFAULT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Array


def open_groups(path: str, samples: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The group of each row, from 0 on, and what each group is called.

    Names are numbered in the order in which they come, numbers in their own.
    Errors: InputError for another number of rows, and for numbers that are not whole.
    """
    new = NewNames()
    try:
        array = open_array(path, "labels")
    except UsageError:  # they are names
        array = open_array(path, "labels", table=replace(DEFAULT, classes=new))
    values = array.values.reshape(-1)
    if len(values) == samples + 1 and not array.typed and new.places:  # any name may be a header, too
        values = values[1:]
    if len(values) != samples:
        raise InputError(
            "the groups do not fit the rows", at=path, found=count(len(values), "group id"), expected=f"{samples:,}"
        )
    names = tuple(new.places) or array.table.names
    _check_whole(array, values)
    ids, groups = np.unique(values, return_inverse=True)
    return groups.astype(np.int64), tuple(names[int(each)] if names else str(int(each)) for each in ids)


def _check_whole(array: Array, values: NDArray[np.generic]) -> None:
    odd = np.flatnonzero(~(values == np.floor(values))) if values.dtype.kind == "f" else np.zeros(0, np.int64)
    if values.dtype.kind not in "iuf" or odd.size:
        found = str(values[odd[0]]) if odd.size else str(array.dtype)
        raise InputError("a group id is no whole number", at=array.path, found=found, expected="integers or names")
