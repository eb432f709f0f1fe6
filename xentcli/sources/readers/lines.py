"""Which line of a text each row stands in, remembered in little memory."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Lines:
    """The line of each row, from 1; rows that follow one another without a gap cost nothing."""

    def __init__(self) -> None:
        self._starts: list[int] = []  # the first row of each part
        self._parts: list[Sequence[int]] = []
        self._rows = 0

    def append(self, lines: Sequence[int]) -> None:
        """The lines of the next rows: a range where they follow one another."""
        if lines:
            self._starts.append(self._rows)
            self._parts.append(lines)
            self._rows += len(lines)

    def __getitem__(self, row: int) -> int:
        row = range(self._rows)[row]
        part = bisect_right(self._starts, row) - 1
        return self._parts[part][row - self._starts[part]]
