"""What is kept of each row that counts, for all that is told of every row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.measuring.predictions import COLUMNS, pairs_of
from xentcli.numbers.exactsum import ExactSum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.records.samples import Rows

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer[Any]]

AT_ONCE = 1 << 14  # rows that are read at once, so that their columns are taken apart in the cache


@dataclass(frozen=True, eq=False)
class EachRow:
    """Rows in their order, [rows]."""

    losses: Floats
    confidences: Floats  # `calibration.marked`
    pairs: Integers  # 1 + label·classes + top of a wrong row, and 0 of one that is right
    total: ExactSum  # of the losses

    @classmethod
    def empty(cls, count: int, classes: int) -> EachRow:
        """So many rows, to be filled."""
        return cls(np.empty(count), np.empty(count), np.empty(count, np.min_scalar_type(classes**2)), ExactSum())

    def part(self, chosen: slice) -> EachRow:
        """Views of some rows, to be filled."""
        return EachRow(self.losses[chosen], self.confidences[chosen], self.pairs[chosen], ExactSum())

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """By their names in `predictions.EACH`."""
        return {"loss": self.losses, "confidence": self.confidences, "pair": self.pairs}

    @classmethod
    def of(cls, parts: tuple[Rows, ...], classes: int) -> EachRow:
        """Of `predictions.COLUMNS`, read once."""
        found = Gathered(sum(map(len, parts)), classes)
        for part in slices_of(parts):
            loss, confidence, label, top = (part[:, place] for place in PLACES)
            pairs = pairs_of(label.astype(np.int64), top.astype(np.int64), classes)
            found.append(cls(loss, confidence, pairs, ExactSum.of(loss)))
        return found.all()


class Gathered:
    """Parts one after the other, in memory that is theirs from the start."""

    def __init__(self, most: int, classes: int) -> None:
        """For so many rows at most."""
        self._rows, self._count = EachRow.empty(most, classes), 0

    def at(self, row: int, count: int) -> EachRow:
        """Room for so many, from where the first of them stands if all rows before it count."""
        return self._rows.part(slice(row, row + count))

    def append(self, part: EachRow) -> None:
        """Take the part that follows, which is copied unless it stands in its room, with no gap before it."""
        chosen = slice(self._count, self._count + len(part.losses))
        if self._rows.part(chosen).losses.ctypes.data != part.losses.ctypes.data:
            for name, column in self._rows.columns.items():
                column[chosen] = part.columns[name]
        self._rows.total.merge(part.total)
        self._count = chosen.stop

    def all(self) -> EachRow:
        """The rows of all parts."""
        return replace(self._rows.part(slice(self._count)), total=self._rows.total)


PLACES = tuple(COLUMNS.index(name) for name in ("loss", "confidence", "label", "top"))


def kept_of(parts: tuple[Rows, ...], name: str) -> Floats:
    """One of `predictions.COLUMNS` of all rows that count."""
    place = COLUMNS.index(name)
    return np.concatenate([np.zeros(0), *(rows[:, place] for rows in slices_of(parts))])


def slices_of(parts: tuple[Rows, ...]) -> Iterator[NDArray[Any]]:
    """The rows that were kept, some of them at a time."""
    return (part[start : start + AT_ONCE] for part in parts for start in range(0, len(part), AT_ONCE))
