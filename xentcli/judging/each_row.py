"""What was kept of each row that counts, read once for all that is told of every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.measuring.predictions import COLUMNS
from xentcli.numbers.exactsum import ExactSum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.records.samples import Rows

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

AT_ONCE = 1 << 14  # rows that are read at once, so that their columns are taken apart in the cache


@dataclass(frozen=True, eq=False)
class EachRow:
    """Whoever asks for an order of the losses, or of the confidences, changes it."""

    losses: Floats
    confidences: Floats  # `calibration.marked`
    pairs: Integers  # 1 + label·classes + top of a wrong row, and 0 of one that is right
    total: ExactSum  # of the losses

    @classmethod
    def of(cls, parts: tuple[Rows, ...], classes: int) -> EachRow:
        """Of `predictions.COLUMNS`."""
        count, start = sum(map(len, parts)), 0
        found = cls(np.empty(count), np.empty(count), np.empty(count, np.int64), ExactSum())
        for part in slices_of(parts):
            chosen = slice(start, start + len(part))
            found._fill(chosen, part, classes)
            start += len(part)
        return found

    def _fill(self, chosen: slice, part: NDArray[Any], classes: int) -> None:
        loss, confidence, label, top = (part[:, place] for place in PLACES)
        self.losses[chosen], self.confidences[chosen] = loss, confidence
        pairs = label.astype(np.int64) * classes
        pairs += top.astype(np.int64) + 1
        pairs *= label != top
        self.pairs[chosen] = pairs
        self.total.add(self.losses[chosen])


PLACES = tuple(COLUMNS.index(name) for name in ("loss", "confidence", "label", "top"))


def kept_of(parts: tuple[Rows, ...], name: str) -> Floats:
    """One of `predictions.COLUMNS` of all rows that count."""
    place = COLUMNS.index(name)
    return np.concatenate([np.zeros(0), *(rows[:, place] for rows in slices_of(parts))])


def slices_of(parts: tuple[Rows, ...]) -> Iterator[NDArray[Any]]:
    """The rows that were kept, some of them at a time."""
    return (part[start : start + AT_ONCE] for part in parts for start in range(0, len(part), AT_ONCE))
