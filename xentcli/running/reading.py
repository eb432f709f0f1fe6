"""Partials of a loss as their files give them back, or an error that says what is wrong with a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.measuring.kept import Seen, are_rows
from xentcli.numbers.checksum import Checksum
from xentcli.records.codec import decode
from xentcli.running.partial import KIND, SCHEMA_VERSION, Partial
from xentcli.running.saved import MOST_BYTES, begins, content_of, first_line, forgery_told, slices, stored_rows
from xentcli.sources.files import is_stream, opened, pieces
from xentcli.sources.stored import LocalFile, check_size, spooled

if TYPE_CHECKING:
    from typing import BinaryIO

    from xentcli.records.samples import Rows

NUMBER = np.dtype("<f8")  # of a column of a row
BEGINS = begins(KIND)  # where rows follow


def read_partial(path: str) -> Partial:
    """What `pieces` made; InputError for a file that is not a partial, is damaged, or has another schema version."""
    with opened(path) as file:
        return partial_in(file, path)


def partial_in(file: BinaryIO, path: str) -> Partial:
    """The same of an open file, which may be a pipe; its rows stay where they are."""
    if file.peek(len(BEGINS))[: len(BEGINS)] != BEGINS:  # type: ignore[attr-defined]
        return _checked(file.read(MOST_BYTES + 1), path)
    stored = spooled(path, pieces(file)) if is_stream(file) else LocalFile(path, file.fileno())
    line = first_line(stored)
    partial = _checked(line, path)
    with forgery_told(path):
        rows = _rows(partial, stored, len(line))
        _check_rows(partial, rows, path)
    return replace(partial, facts=replace(partial.facts, ordered=(rows,)))


def _checked(line: bytes, path: str) -> Partial:
    content = content_of(line, path, KIND, SCHEMA_VERSION)
    with forgery_told(path):
        partial = decode(Partial, content, f"{path}: partial")
    facts, rows = partial.facts, partial.rows
    is_of_these = 0 <= rows.start <= rows.stop == rows.start + facts.samples
    if not is_of_these or not 0 <= facts.ignored <= facts.samples:
        raise InputError("this partial has facts of other rows than it says", at=path, found=str(rows))
    with forgery_told(path):
        _check_columns(partial, path, are_behind=line.startswith(BEGINS))
        partial.check()
    return partial


def _check_columns(partial: Partial, path: str, *, are_behind: bool) -> None:
    """InputError or ValueError for rows that do not belong to what was asked."""
    asked = partial.asked.columns
    if partial.columns != asked:
        raise InputError("this partial has other columns", at=path, hint="compute and merge all with the same xent")
    has_rows = partial.facts.predictions is not None and partial.facts.kept is not None
    if not bool(asked) == has_rows == are_behind:
        raise ValueError("the metrics and the rows do not fit")


def _rows(partial: Partial, file: LocalFile, start: int) -> Rows:
    count, width = partial.facts.counted, len(partial.columns)
    check_size(file.path, (count, width), NUMBER, file.size - start)
    return stored_rows(file, start, count, NUMBER, (width,))


def _check_rows(partial: Partial, rows: Rows, path: str) -> None:
    """InputError for rows whose bytes were changed, ValueError for those that are not what the sums are of."""
    facts, metrics = partial.facts, partial.asked.metrics
    assert metrics is not None
    assert facts.predictions is not None
    before, classes = float(partial.rows.start - 1), partial.asked.about.classes
    total, seen, are_told = Checksum(), Seen(metrics.worst), True
    for part in slices(rows):
        total += Checksum.of(part)
        are_told = are_told and are_rows(part, before, partial.rows.stop, classes)
        seen = seen.after(part) if are_told else seen
        before = part[-1, partial.columns.index("row")]
    if total != facts.kept:
        raise InputError("this partial is damaged", at=path, found="rows that are not what their checksum is of")
    if not are_told or not seen.fits(facts.predictions, classes):
        raise ValueError("rows that the sums are not of")
