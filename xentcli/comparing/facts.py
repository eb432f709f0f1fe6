"""What is known of some rows of all sides, and its addition to what is known of the rows before them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xentcli.measuring.facts import RangeFacts
from xentcli.numbers.checksum import Checksum, Checksums  # noqa: TC001 (the same)
from xentcli.records.breakdown import Worst  # noqa: TC001 (the same)
from xentcli.records.samples import Rows

Tables = tuple[Rows, ...]  # that follow each other


@dataclass(frozen=True)
class PairFacts:
    """All that is kept of some rows of the base and of the other sides."""

    samples: int
    ignored: int
    ranges: tuple[RangeFacts, ...]  # of the base's logits, and of each other side's
    read: tuple[Checksums, ...]  # of what was read of each side; of nothing where nobody compares it
    sums: tuple[Checksum, ...]  # of the bytes of each pair's tables; of nothing where nobody saves them
    worst: tuple[Worst, ...]  # of each pair
    # the rows of each two sides that were compared, of those that count, in the blocks' order
    tables: tuple[Tables, ...] = field(metadata={"saved": False}, default=())

    def __add__(self, other: PairFacts) -> PairFacts:
        return PairFacts(
            samples=self.samples + other.samples,
            ignored=self.ignored + other.ignored,
            ranges=tuple(one + two for one, two in zip(self.ranges, other.ranges, strict=True)),
            read=tuple(one + two for one, two in zip(self.read, other.read, strict=True)),
            sums=tuple(one + two for one, two in zip(self.sums, other.sums, strict=True)),
            worst=tuple(one + two for one, two in zip(self.worst, other.worst, strict=True)),
            tables=tuple((*one, *two) for one, two in zip(self.tables, other.tables, strict=True)),
        )

    @property
    def counted(self) -> int:
        """Samples whose label is not ignored."""
        return self.samples - self.ignored

    def with_tables(self, tables: tuple[Tables, ...]) -> PairFacts:
        """The same, whose rows lie elsewhere."""
        return replace(self, tables=tables)
