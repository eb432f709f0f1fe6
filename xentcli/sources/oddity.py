"""Which columns of numbers are unlike the others: whole among fractions, or counting the rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Values

    Bools = NDArray[np.bool_]

SAMPLE_ROWS = 512  # that are looked at
SAMPLE_CELLS = 40_000  # fewer rows where there are many columns
FEW = 4  # rows that tell something where integers are written unlike floats
SOME = 6  # rows that go on in equal steps by no chance
ENOUGH = 16  # rows of whole numbers that are no chance, however they are written
LOOKED_AT = 16  # columns whose cells are
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def sample_rows(columns: int) -> int:
    """How many rows are looked at: too few to tell anything of 10,000 columns and more."""
    return max(1, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, columns)))


def unlike(
    values: Values, columns: Sequence[int], cells: Callable[[int], Sequence[str]], *, typed: bool = False
) -> dict[int, str]:
    """The columns, of these, that are unlike the rest -> what tells; empty where all may be logits.

    values  the first rows as numbers, [rows, columns of the table]
    cells   the same numbers of a column as they are written, which tells the 1 of an integer from a float's 1.0
    typed   the format itself says which columns are integers
    """
    chosen = values[:, list(columns)]
    if not chosen.size or len(columns) < 2:
        return {}
    sample = Sample(chosen, lambda place: cells(columns[place]))
    odd, what = sample.odd(1 if typed else FEW)
    found = dict.fromkeys(odd, what) | dict.fromkeys(sample.counting(), "which counts the rows")
    return {columns[place]: why for place, why in sorted(found.items())} if len(found) < len(columns) else {}


@dataclass(frozen=True)
class Sample:
    """The first rows of some columns."""

    values: Values  # [rows, columns]
    cells: Callable[[int], Sequence[str]]

    def odd(self, few: int) -> tuple[list[int], str]:
        """The whole ones among fractions or the fractions among whole ones, as it is the fewer that are odd."""
        whole = self._whole()
        wholes = [place for place in np.flatnonzero(whole).tolist() if not self._may_be_dead(place)]
        fractions = np.flatnonzero(~whole & np.isfinite(self.values).any(axis=0)).tolist()
        if not wholes or not fractions or len(self.values) < (few if self._told(wholes, fractions) else ENOUGH):
            return [], ""
        if len(fractions) < len(wholes):
            return fractions, "fractions among whole numbers"
        return wholes, "whole numbers among fractions"

    def counting(self) -> list[int]:
        """Columns that go on in equal steps, as the number of a row, an epoch or a time does, where not all do."""
        if len(self.values) < FEW:
            return []
        with np.errstate(all="ignore"):
            steps = np.diff(self.values, axis=0)
            near = np.abs(steps - steps[:1]) <= 1e-9 * np.abs(self.values).max(axis=0)
        even = near.all(axis=0) & (steps[0] != 0) & np.isfinite(self.values).all(axis=0)
        whole = self._whole()
        if whole.all():  # whole logits may go on so for some rows; the number of a row begins with 0 or 1
            even &= (steps[0] == 1) & np.isin(self.values[0], (0, 1))
        enough = whole & (not whole.all()) | (len(self.values) >= SOME)
        found: list[int] = np.flatnonzero(even & enough).tolist()
        return found if not even.all() else []

    def _whole(self) -> Bools:
        """Which columns hold whole numbers alone."""
        finite = np.isfinite(self.values)
        found: Bools = (np.where(finite, self.values, 0.5) % 1 == 0).all(axis=0)
        return found

    def _may_be_dead(self, place: int) -> bool:
        """Whether it is 0.0 all along, as a float: the logit of a class that no sample has."""
        return not self.values[:, place].any() and not _plain(self.cells(place))

    def _told(self, wholes: list[int], fractions: list[int]) -> bool:
        """Whether integers are written unlike floats: the ones without a point, the others with one in each row."""
        return all(_plain(self.cells(place)) for place in wholes[:LOOKED_AT]) and not any(
            map(WHOLE.fullmatch, (cell for place in fractions[:LOOKED_AT] for cell in self.cells(place)))
        )


def _plain(cells: Sequence[str]) -> bool:
    """Whether all are written as integers are."""
    return all(map(WHOLE.fullmatch, cells))
