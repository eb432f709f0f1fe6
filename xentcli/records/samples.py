"""The losses of every sample, in a report without a reduction: tables that the blocks make, read back as records."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import eq
from typing import TYPE_CHECKING, Any, Protocol, overload

from xentcli.records.report import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from xentcli.records.report import Report

    Table = NDArray[np.void]  # [rows], with those of FIELDS that are known

Columns = dict[str, list[Any]]  # a field of `Sample` -> its values, None where there is none

FIELDS = {
    "row": "<i8",
    "label": "<i8",
    "ignored": "?",
    "probability": "<f8",  # NaN where the label is ignored
    "library": "<f8",
    "manual": "<f8",
    "lower": "<f8",
    "upper": "<f8",
}
READ_ROWS = 8192  # at a time, so that no more of them are Python's objects


class Rows(Protocol):
    """A table wherever it lies: in memory, where an array is one, or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Table: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...


def records(rows: Table) -> Iterator[Sample]:
    """The rows of a table as records, without the probabilities of their classes."""
    return map(Sample, *_columns(rows).values(), repeat(()))


class Samples(Sequence[Sample]):
    """Every sample of a report in order, read where it is asked for: so many records would fill the memory.

    The probabilities of their classes are known of the shown ones alone.
    """

    def __init__(self, tables: tuple[Rows, ...], shown: Sequence[Sample]) -> None:
        """`tables` follow each other, there is at least one; `shown` are the samples in tables for people."""
        self.shown = shown
        self._tables = tables
        self._ends = list(accumulate(map(len, tables)))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the tables."""
        return self._tables[0].dtype

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...

    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return next(self._between(wanted, wanted + 1))
        if not wanted:
            return ()
        low, high = sorted((wanted[0], wanted[-1]))
        return tuple(self._between(low, high + 1))[:: wanted.step]

    def __iter__(self) -> Iterator[Sample]:
        return self._between(0, len(self))

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same records as another sequence."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self):,} samples>"

    def __reduce__(self) -> tuple[type, tuple[tuple[Sample, ...]]]:
        """A copy holds the records: another process cannot read this one's temporary file."""
        return tuple, (tuple(self),)

    def tables(self, start: int = 0, stop: int | None = None) -> Iterator[Table]:
        """Some rows, few at a time."""
        stop = len(self) if stop is None else stop
        for rows, end in zip(self._tables, self._ends, strict=True):
            first = end - len(rows)
            last = min(stop - first, len(rows))
            for at in range(max(start - first, 0), last, READ_ROWS):
                yield rows[at : min(at + READ_ROWS, last)]

    def _between(self, start: int, stop: int) -> Iterator[Sample]:
        shown = {sample.row: sample for sample in self.shown}
        return (shown.get(one.row, one) for rows in self.tables(start, stop) for one in records(rows))


def every_sample(report: Report) -> Samples:
    """The samples of a report without a reduction; no other has all."""
    assert isinstance(report.samples, Samples)
    return report.samples


def shown_of(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples in tables for people."""
    return samples.shown if isinstance(samples, Samples) else samples


def _columns(rows: Table) -> Columns:
    names = rows.dtype.names or ()
    found = {name: rows[name].tolist() if name in names else [None] * len(rows) for name in FIELDS}
    for row in rows["ignored"].nonzero()[0].tolist():
        found["probability"][row] = None
    return found
