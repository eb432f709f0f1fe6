"""Labels that a file of logits holds besides: those of a comparison must be the same in all of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import split_key
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.tabular import DEFAULT

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array
    from xentcli.sources.tabular import Tabular


def check_own_labels(
    labels: Array, side: Array, name: str, column: str | None = None, table: Tabular = DEFAULT
) -> None:
    """InputError where a file that logits were read from has other labels than these.

    column, table  where they stand in a table, and how it is read

    A name that says which array is meant, FILE:logits, asks for that array alone.
    """
    path, key = split_key(name)
    if key is not None or (side.path == path and column is None):
        return
    try:
        own = open_pair(name)[1] if column is None else open_array(name, "labels", column=column, table=table)
    except (InputError, UsageError):  # it has none, or none that can be told
        return
    ours, theirs = labels.values.reshape(-1), own.values.reshape(-1)
    differ = np.flatnonzero(ours != theirs) if len(ours) == len(theirs) else np.zeros(0, np.int64)
    if differ.size:
        row = int(differ[0])
        raise InputError(
            "the labels of both differ",
            at=f"{labels.path} and {own.path}, row {row}",
            found=f"{theirs[row]:g}; {differ.size:,} of {len(ours):,} labels are others",
            expected=f"{ours[row]:g}, the same samples in the same order",
            hint=f"{side.path} reads the logits alone" if column is None else "",
        )
