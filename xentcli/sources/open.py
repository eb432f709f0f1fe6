"""The one way in for a file: its first bytes tell its format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.sources import apart
from xentcli.sources.extras import check_installed
from xentcli.sources.files import READABLE, excerpt, split_key
from xentcli.sources.formats import Format, other_format, recognised
from xentcli.sources.request import Request
from xentcli.sources.source import HEAD_BYTES, in_utf8, open_source
from xentcli.sources.tabular import DEFAULT

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array
    from xentcli.sources.source import Source
    from xentcli.sources.tabular import Tabular


def open_array(
    name: str,
    role: str = "logits",
    key: str | None = None,
    *,
    column: str | None = None,
    table: Tabular = DEFAULT,
    labels_beside: str | None = None,
) -> Array:
    """The numbers of a file, or of the array in it that `file:array` or the key names.

    role           what they are for, a name of `request.ROLES`: where a file holds several arrays, that one is taken
    column         of a table of labels, where they stand
    table          how a table is read
    labels_beside  of a further side of a comparison: the column of its own labels, where a table has it

    Errors: InputError for files that make no sense, UsageError where it is not plain which array is meant.
    """
    path, own_key = split_key(name)
    (array,) = _read(Request(path, (role,), own_key or key, column, table, labels_beside))
    return array


def open_pair(
    name: str, column: str | None = None, key: str | None = None, table: Tabular = DEFAULT, *, is_matched: bool = False
) -> tuple[Array, Array]:
    """The logits and the labels of one file that holds both; of a table, the labels stand in this column.

    is_matched  whether the rows are those of further files
    """
    path, own_key = split_key(name)
    logits, labels = _read(Request(path, ("logits", "labels"), own_key or key, column, table, is_matched=is_matched))
    return logits, labels


def _read(request: Request) -> list[Array]:
    with open_source(request.path) as opened:
        source = in_utf8(opened)
        form = _format(source)
        if form.apart:
            check_installed(form.extra)
            return apart.read(form.module, source, request)
        arrays: list[Array] = import_module(form.module).read(source, request)
    return arrays


def _format(source: Source) -> Format:
    head = source.stream.peek(HEAD_BYTES)
    form = recognised(head)
    if form.name != "csv":
        return form
    if other := other_format(head):
        raise InputError("this format is not read", at=source.path, found=other[0], expected=READABLE, hint=other[1])
    if Path(source.path).suffix == ".npy":
        raise InputError(
            "this is not a .npy file, whatever its name",
            at=source.path,
            found=f"{excerpt(head[:8].decode('latin1'))} at its start",
            expected=excerpt("\x93NUMPY"),
            hint="text? rename it to .csv",
        )
    return form
