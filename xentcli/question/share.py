"""Ranges of rows, and shares of an input for a job that is split over processes or machines."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from xentcli.errors import UsageError

WRITTEN = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})", re.ASCII)


@dataclass(frozen=True)
class RowRange:
    """The rows from `start` up to, and without, `stop`."""

    start: int
    stop: int

    def __str__(self) -> str:
        return f"row {self.start:,}" if self.stop - self.start == 1 else f"rows {self.start:,} to {self.stop - 1:,}"


@dataclass(frozen=True)
class Share:
    """The `number`-th, from 1 on, of `count` shares that differ by one entry of the batch axis at most."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """The share as it is written, "3/16"; UsageError for anything else."""
        match = WRITTEN.fullmatch(text)
        if not match or int(match[1]) > int(match[2]):
            raise UsageError("this is no share", found=repr(text), expected="K/N, from 1/N to N/N, such as 3/16")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, sample_shape: tuple[int, ...]) -> RowRange:
        """Its rows of samples of this shape, whatever the size of the blocks; UsageError for more shares than entries.

        >>> Share(2, 3).rows((10, 4))
        RowRange(start=12, stop=24)
        """
        entries = sample_shape[0] if sample_shape else 1
        if self.count > max(1, entries):
            raise UsageError(
                "there are more shares than entries to share out",
                found=f"share {self}, of samples of shape {' × '.join(map(str, sample_shape)) or '()'}",
                expected=f"up to {max(1, entries):,}, as many as the first axis of the samples is long",
            )
        each = math.prod(sample_shape[1:])
        start, stop = (shares * entries // self.count * each for shares in (self.number - 1, self.number))
        return RowRange(start, stop)
