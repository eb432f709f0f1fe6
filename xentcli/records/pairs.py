"""Every row of a comparison: tables that the blocks make, read back as records where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from xentcli.records.comparison import RowPair
from xentcli.records.samples import READ_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.records.breakdown import Worst
    from xentcli.records.comparison import Compared
    from xentcli.records.samples import Rows

    Table = NDArray[Any]

COLUMNS = (
    "row", "kl", "kl_lower", "kl_upper", "kl_reverse", "js", "tv", "loss_base", "loss_other", "delta_p", "top_base",
    "top_other",
)  # fmt: skip
OF_LABELS = ("loss_base", "loss_other", "delta_p")


class AllRows(Sequence[RowPair]):
    """Every row that counts, in order: so many records would fill the memory."""

    def __init__(self, tables: tuple[Rows, ...], shown: tuple[RowPair, ...], *, labelled: bool) -> None:
        """`tables` follow each other; `shown` are the rows in tables for people."""
        self.shown = shown
        self.labelled = labelled
        self._tables = tables
        self._ends = list(accumulate(map(len, tables)))

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int) -> RowPair: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[RowPair, ...]: ...

    def __getitem__(self, index: int | slice) -> RowPair | tuple[RowPair, ...]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return next(self._between(wanted, wanted + 1))
        low, high = sorted((wanted[0], wanted[-1])) if wanted else (0, -1)
        return tuple(self._between(low, high + 1))[:: wanted.step]

    def __iter__(self) -> Iterator[RowPair]:
        return self._between(0, len(self))

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same records as another sequence."""
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self):,} rows>"

    def __reduce__(self) -> tuple[type, tuple[tuple[RowPair, ...]]]:
        """A copy holds the records: another process cannot read this one's temporary file."""
        return tuple, (tuple(self),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the tables: the columns of `COLUMNS` that are known."""
        kind = self._tables[0].dtype
        return np.dtype([(name, kind[name]) for name in COLUMNS if self.labelled or name not in OF_LABELS])

    def tables(self) -> Iterator[Table]:
        """All rows, few at a time."""
        return (_packed(rows, self.dtype) for rows in self._pieces(0, len(self)))

    def _between(self, start: int, stop: int) -> Iterator[RowPair]:
        shown = {each.row: each for each in self.shown}
        return (
            shown.get(int(row["row"]), _row(row, labelled=self.labelled))
            for rows in self._pieces(start, stop)
            for row in rows
        )

    def _pieces(self, start: int, stop: int) -> Iterator[Table]:
        for rows, end in zip(self._tables, self._ends, strict=True):
            first = end - len(rows)
            last = min(stop - first, len(rows))
            for at in range(max(start - first, 0), last, READ_ROWS):
                yield rows[at : min(at + READ_ROWS, last)]


def every_row(compared: Compared) -> AllRows:
    """The rows of a comparison without a reduction; no other has all."""
    assert isinstance(compared.rows, AllRows)
    return compared.rows


def shown_of(rows: Sequence[RowPair]) -> Sequence[RowPair]:
    """The rows in tables for people."""
    return rows.shown if isinstance(rows, AllRows) else rows


def row_pairs(rows: Table, worst: Worst, *, labelled: bool) -> tuple[RowPair, ...]:
    """These rows as records, with the most probable classes of those that are among the worst."""
    tops = {each.row: {"tops_base": each.base, "tops_other": each.other} for each in worst.rows}
    return tuple(_row(row, labelled=labelled, **tops.get(int(row["row"]), {})) for row in rows)


def _packed(rows: Table, kind: np.dtype[Any]) -> Table:
    packed = np.empty(len(rows), kind)
    for name in kind.names or ():
        packed[name] = rows[name]
    np.maximum(packed["kl_lower"], 0.0, out=packed["kl_lower"])
    return packed


def _row(row: Any, *, labelled: bool, **tops: Any) -> RowPair:
    own = {name: row[name].item() for name in COLUMNS if labelled or name not in OF_LABELS}
    own |= {} if labelled else dict.fromkeys(OF_LABELS)
    own["kl_lower"] = max(0.0, own["kl_lower"])
    return RowPair(**own, label=row["label"].item() if labelled else None, **tops)
