"""What the samples look like beside their losses: counts that say whether the input is what it was taken for."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.numbers.exactsum import ExactSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = 10  # rows and columns that a finding names


@dataclass(frozen=True)
class Seen:
    """Rows that have something in common: how many, and the first of them."""

    count: int = 0
    rows: tuple[int, ...] = ()

    @classmethod
    def where(cls, mask: NDArray[np.bool_], first_row: int) -> Seen:
        """The rows of a block that a mask names, [rows]."""
        count = int(np.count_nonzero(mask))
        return cls(count, tuple((np.flatnonzero(mask)[:NAMED] + first_row).tolist()) if count else ())

    def __add__(self, other: Seen) -> Seen:
        return Seen(self.count + other.count, (self.rows + other.rows)[:NAMED])


@dataclass(frozen=True)
class Gain:
    """How many nats other labels, or another axis, would save: a mean over samples, and how sure it is."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, nats: NDArray[np.float64]) -> Gain:
        """The gains of some samples, [samples]; those that are not finite say nothing."""
        known = nats[np.isfinite(nats)]
        return cls(len(known), float(known.sum()), float(np.square(known).sum()))

    def __add__(self, other: Gain) -> Gain:
        return Gain(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def certainty(self) -> float:
        """The mean in units of its standard error."""
        if self.count < 2:
            return 0.0
        variance = max(self.squares - self.total * self.mean, 0.0) / (self.count - 1)
        return self.mean / math.sqrt(variance / self.count) if variance else math.copysign(math.inf, self.mean)


@dataclass(frozen=True)
class Grid:
    """Whether values of a wide format are all numbers of a narrower one."""

    telling: int = 0  # values that need more than a few bits
    bfloat16: bool = True
    float16: bool = True

    def __add__(self, other: Grid) -> Grid:
        return Grid(self.telling + other.telling, self.bfloat16 and other.bfloat16, self.float16 and other.float16)


@dataclass(frozen=True)
class Ends:
    """The least and the greatest of some numbers, and how many they are."""

    count: int = 0
    lower: float = math.inf
    upper: float = -math.inf

    def __add__(self, other: Ends) -> Ends:
        return Ends(self.count + other.count, min(self.lower, other.lower), max(self.upper, other.upper))


@dataclass(frozen=True)
class Pile:
    """A value that many have; of two piles the larger one."""

    count: int = 0
    value: float = 0.0

    def __add__(self, other: Pile) -> Pile:
        return other if other.count > self.count else self


@dataclass(frozen=True)
class Traits:
    """Counts over some samples that count; those marked * over the first of the input alone.

    nats              Σ −log p of the labels, without weights and smoothing
    off_top           samples whose label is not the class of the greatest logit
    equal             rows whose logits are all equal
    lost              samples whose loss is positive, and below what float32 can add to 1
    strange, masked   rows with a NaN or +inf; rows with a −inf
    columns           the classes of these
    looked_at         * rows
    distributions     * rows that are non-negative and add up to 1
    logarithms        * rows whose exponentials add up to 1
    sums              * what rows of fractions between 0 and 1 add up to
    padding           * classes at the end that have one value in every row, and are no label
    floor, ceiling    * logits that are the least, or the greatest, of all, where so many are that they were cut off
    crossed           * axes of the file along which target probabilities add up to 1, as they do not over the classes
    repeated          * rows that are equal to an earlier one
    earlier, later    * what the label of the sample before, or after, would save
    less, more        * what the label less 1, or plus 1, would save
    swapped           * what the other axis of equal length would save
    grid              * whether the logits went through a 16-bit format
    labels, tails     * how often each label occurs; how often at the end of a sequence, in a run of two or more
    sequences, one_hot  * sequences, and those of one 1 and zeros
    off_one           target probabilities of a sample that do not add up to 1
    """

    counted: int = 0
    nats: ExactSum = field(default_factory=ExactSum)
    off_top: int = 0
    equal: Seen = Seen()
    lost: int = 0
    strange: Seen = Seen()
    masked: Seen = Seen()
    columns: frozenset[int] = frozenset()
    looked_at: int = 0
    distributions: int = 0
    logarithms: int = 0
    sums: Ends = Ends()
    padding: Pile = Pile()
    floor: Pile = Pile()
    ceiling: Pile = Pile()
    crossed: frozenset[int] = frozenset()
    repeated: Seen = Seen()
    earlier: Gain = Gain()
    later: Gain = Gain()
    less: Gain = Gain()
    more: Gain = Gain()
    swapped: Gain = Gain()
    grid: Grid = Grid()
    labels: Counter[int] = field(default_factory=Counter)
    tails: Counter[int] = field(default_factory=Counter)
    sequences: int = 0
    one_hot: int = 0
    off_one: Seen = Seen()

    def __add__(self, other: Traits) -> Traits:
        sums = {each.name: _added(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)}
        return Traits(**sums)


def _added(left: Any, right: Any) -> Any:
    return left | right if isinstance(left, frozenset) else left + right
