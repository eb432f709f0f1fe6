"""Checksums that add up as the bytes do: those of the blocks, in their order, are that of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values


@dataclass(frozen=True)
class Checksum:
    """CRC-32 of bytes: it tells a change of up to four bytes in a row always, and any other but once in 2^32 times."""

    crc: int = 0
    size: int = 0  # in bytes

    @classmethod
    def of(cls, values: Values) -> Checksum:
        """Of the numbers as they are stored, in the order of their indices."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        return cls(isal_zlib.crc32(data.data), data.size)

    def __add__(self, other: Checksum) -> Checksum:
        """That of these bytes and the others after them."""
        return Checksum(isal_zlib.crc32_combine(self.crc, other.crc, other.size), self.size + other.size)


@dataclass(frozen=True)
class Checksums:
    """Of the logits of some samples, and of their target."""

    logits: Checksum = Checksum()
    target: Checksum = Checksum()

    @classmethod
    def of(cls, logits: Values, target: Values) -> Checksums:
        """Of both as they are stored, entry after entry of torch's batch axis."""
        return cls(Checksum.of(logits), Checksum.of(target))

    def __add__(self, other: Checksums) -> Checksums:
        return Checksums(self.logits + other.logits, self.target + other.target)

    def differs(self, other: Checksums) -> str:
        """Which of the two is another; empty for neither."""
        return next((name for name in ("logits", "target") if getattr(self, name) != getattr(other, name)), "")
