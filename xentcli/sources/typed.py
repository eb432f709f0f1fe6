"""What arrays with a type of their own share: which types are numbers, and what an element is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from xentcli.errors import InputError
from xentcli.sources.files import excerpt

KINDS = {  # numpy's letter -> what such values are, and what its owner may do
    "c": ("complex numbers", "save the real part: array.real"),
    "f": ("extended floats", "save them as float64: array.astype('float64')"),
    "S": ("text", "save numbers: array.astype('float64')"),
    "U": ("text", "save numbers: array.astype('float64')"),
    "T": ("text", "save numbers: array.astype('float64')"),
    "M": ("dates", ""),
    "m": ("durations", ""),
    "O": ("Python objects", "rows of different lengths? pad them, and save numbers"),
    "V": ("records or raw bytes", "save one field: array['name']"),
}


def dtype_name(dtype: np.dtype[Any], at: str) -> str:
    """The field's word for a type of plain numbers; an `InputError` says what other types hold."""
    if dtype.kind in "biuf" and dtype.itemsize <= 8:
        return dtype.name
    if dtype == np.dtype("V2"):
        return "void16"
    found, hint = KINDS[dtype.kind]
    raise InputError(
        "these are not plain numbers",
        at=at,
        found=f"{found}, dtype {excerpt(str(dtype))}",
        expected="floats or integers of up to 64 bits",
        hint=hint,
    )


def element(index: tuple[int, ...]) -> str:
    """Where a reader finds the number at `index`."""
    return f"element {list(index)}" if index else "the only element"
