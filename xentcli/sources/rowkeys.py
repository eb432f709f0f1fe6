"""What tells the rows of a table apart, as one integer each, so that two files can be compared row by row."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.sources.readers.layout import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Values

    Keys = NDArray[np.int64]


def keys_of(cells: Iterable[Any]) -> Keys:
    """Of texts and numbers: a number is the same in every spelling and every format."""
    return np.fromiter(map(_key, cells), np.int64)


def keys_of_numbers(values: Values) -> Keys:
    """The same of numbers alone."""
    return (values.astype(np.float64) + 0.0).view(np.int64)


def counts(keys: Keys) -> bool:
    """Whether they are the numbers of the rows, from 0 or from 1 on, which any file has."""
    numbers = keys.view(np.float64)
    return any(np.array_equal(numbers, np.arange(first, first + len(keys), dtype=np.float64)) for first in (0, 1))


def _key(cell: Any) -> int:
    text = str(cell).strip()
    if NUMBER.fullmatch(text):
        return int(keys_of_numbers(np.array([float(text)]))[0])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
