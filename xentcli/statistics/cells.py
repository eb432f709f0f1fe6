"""Values at some ranks, as if all were sorted: they are counted in cells, and the cells of these ranks are looked into.

A cell is all numbers of one sign, exponent and some leading bits of the mantissa, so that cells are finest around 0; or
around another number, which is taken off first: a rounded difference keeps the order of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Number = TypeVar("Number", np.int64, np.uint8, np.bool_)

FIELDS = 12  # bits of the sign and the exponent
FINEST = 8  # bits of the mantissa at most: the counts of more cells leave the cache
PAYS = 14  # so many bits has a number of rows before another bit of a cell pays
AT_ONCE = 1 << 16  # rows whose cells stay in the cache
OPEN = 255  # on which side the values of a cell are, their cell alone does not say


@dataclass(frozen=True, eq=False)
class Cells:
    """How many of some values there are in each cell.

    values  [rows], in any order, which is kept; none of them NaN
    around  the number around which cells are finest
    bits    of a cell
    below   values in the cells before each one, the least values first; [cells + 1]
    """

    values: Floats
    around: float
    bits: int
    below: Integers

    @classmethod
    def of(cls, values: Floats, around: float = 0.0) -> Cells:
        """Counted in one pass."""
        bits = FIELDS + min(max(len(values).bit_length() - PAYS, 0), FINEST)
        counts = np.zeros(1 << bits, np.int64)
        for chunk in _chunks(values):
            np.add.at(counts, _cells(chunk, around, bits), 1)
        half = len(counts) // 2  # negative numbers stand behind all others, the least of them last
        below = np.concatenate([np.zeros(1, np.int64), counts[half:][::-1], counts[:half]]).cumsum()
        return cls(values, around, bits, below)

    def at(self, ranks: Iterable[int]) -> dict[int, float]:
        """Rank, from 0 -> the value that would stand there, were they sorted.

        >>> Cells.of(np.array([3.0, -1.0, 2.0])).at([0, 2])
        {0: -1.0, 2: 3.0}
        """
        asked = np.array(sorted(set(ranks)), np.int64)
        holding = np.searchsorted(self.below, asked, side="right") - 1
        wanted, own = np.unique(holding, return_inverse=True)
        sizes = self.below[wanted + 1] - self.below[wanted]
        places = asked - self.below[holding] + (sizes.cumsum() - sizes)[own]
        is_wanted = np.zeros(1 << self.bits, bool)
        is_wanted[wanted] = True
        is_wanted = _by_cell(is_wanted)
        near = np.concatenate([chunk[is_wanted[self._cells(chunk)]] for chunk in _chunks(self.values)])
        near.partition(places)
        return dict(zip(asked.tolist(), near[places].tolist(), strict=True))

    def sides(self, edges: Floats) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
        """Some values after the others, and of each how many edges are below it and how many are not above, added up.

        edges  [at most 127], ascending, each of them one of the values
        """
        own = self._cells(edges)
        half = 1 << (self.bits - 1)
        holding = np.where(own < half, own + half, 2 * half - 1 - own)
        side = 2 * np.searchsorted(holding, np.arange(2 * half)).astype(np.uint8)
        side[holding] = OPEN
        side = _by_cell(side)
        for chunk in _chunks(self.values):
            sides = side[self._cells(chunk)]
            doubtful = np.flatnonzero(sides == OPEN)
            sides[doubtful] = sum(edges.searchsorted(chunk[doubtful], end) for end in ("left", "right"))
            yield chunk, sides

    @property
    def _cells(self) -> Callable[[Floats], Integers]:
        return partial(_cells, around=self.around, bits=self.bits)


def _cells(values: Floats, around: float, bits: int) -> Integers:
    """The cell of each value, by its bits: the negative ones behind all others, and from there away from 0."""
    taken = values - around if around else values + 0.0  # of -0.0, too
    return (taken.view(np.uint64) >> np.uint64(64 - bits)).view(np.int64)


def _by_cell(ordered: NDArray[Number]) -> NDArray[Number]:
    """What stands by cells from the least values to the greatest, by their numbers."""
    half = len(ordered) // 2
    return np.concatenate([ordered[half:], ordered[:half][::-1]])


def _chunks(values: Floats) -> Iterator[Floats]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
