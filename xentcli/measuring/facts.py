"""What is known of samples: facts of a block, and their exact addition to the facts of all blocks."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xentcli.measuring.addends import LabelSums
from xentcli.measuring.each_row import EachRow  # noqa: TC001 (the codec reads the types of the fields)
from xentcli.measuring.predictions import Predictions
from xentcli.measuring.row_sums import RowSums
from xentcli.measuring.scores import Scores
from xentcli.measuring.traits import Traits
from xentcli.numbers.checksum import Checksum, Checksums
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.report import STATUSES, Range, Sample, Status, Worst, WorstPair
from xentcli.records.samples import Rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Interval = tuple[Fraction, Fraction]

NAMED_ROWS = 10  # a message names so many of the rows it is about


@dataclass(frozen=True)
class Reduced:
    """A path's own sum or mean of a whole input, as torch computed it."""

    value: float
    slack: float = 0.0  # what that reduction may differ from the exact one of the same samples' losses
    overflow: str = ""  # what the dtype could not hold on the way
    reproduced: bool = False  # torch's order of additions, taken again, gave the very value


@dataclass(frozen=True)
class PathRows:
    """The losses one path gives some samples, and how each compares with the truth; [rows]."""

    values: Floats
    allowed: Floats | None = None  # None without a reference
    status: NDArray[np.uint8] | None = None  # index into STATUSES
    magnitude: Floats | None = None  # what the rounding of their sum scales with
    probable: Floats | None = None  # what random rounding makes, [rows]; None where it is not asked


@dataclass(frozen=True)
class Unlikely:
    """Rows whose error is within the proven bound, and beyond what random rounding makes."""

    count: int = 0
    rows: tuple[int, ...] = ()  # the first of them
    times: float = 0.0  # the greatest error, in what random rounding makes

    def __add__(self, other: Unlikely) -> Unlikely:
        rows = (self.rows + other.rows)[:NAMED_ROWS]
        return Unlikely(self.count + other.count, rows, max(self.times, other.times))


@dataclass(frozen=True)
class PathFacts:
    """What is known of one path over some samples."""

    total: ExactSum
    allowed: ExactSum
    statuses: Counter[Status]
    named: dict[Status, tuple[int, ...]]  # the first rows of each status that is not `within`
    worst: Worst | None
    magnitude: ExactSum  # what the rounding of torch's own reduction scales with
    greatest: float = 0.0  # of what is allowed to a row
    unlikely: Unlikely = Unlikely()
    reduced: Reduced | None = None  # of a whole input, once all its blocks are added

    def __add__(self, other: PathFacts) -> PathFacts:
        return PathFacts(
            total=self.total + other.total,
            allowed=self.allowed + other.allowed,
            statuses=Counter({status: count for status in STATUSES if (count := self._with(status, other))}),
            named={
                status: (self.named.get(status, ()) + other.named.get(status, ()))[:NAMED_ROWS]
                for status in STATUSES
                if status in self.named or status in other.named
            },
            worst=max(filter(None, (self.worst, other.worst)), key=_severity, default=None),
            magnitude=self.magnitude + other.magnitude,
            greatest=max(self.greatest, other.greatest),
            unlikely=self.unlikely + other.unlikely,
        )

    def _with(self, status: Status, other: PathFacts) -> int:
        """How many rows of both have this status."""
        return self.statuses[status] + other.statuses[status]


@dataclass(frozen=True)
class TruthFacts:
    """The sum of the true losses of some samples, in two parts that add up."""

    middle: ExactSum  # of the enclosures in float64
    radius: ExactSum
    exact: Interval | None = None  # of the losses that were enclosed by exact arithmetic; None where there are none
    unbounded: int = 0  # rows that have no upper end

    def __add__(self, other: TruthFacts) -> TruthFacts:
        parts = [part for part in (self.exact, other.exact) if part]
        zero = Fraction(0)
        exact = (sum((low for low, _ in parts), zero), sum((high for _, high in parts), zero)) if parts else None
        unbounded = self.unbounded + other.unbounded
        return TruthFacts(self.middle + other.middle, self.radius + other.radius, exact, unbounded)

    @property
    def is_exact(self) -> bool:
        """Whether each loss was enclosed by exact arithmetic."""
        return self.exact is not None and not self.middle.units and not self.radius.units

    @property
    def is_known(self) -> bool:
        """Whether an enclosure of the sum, or the infinity or NaN that it is, is known."""
        return self.radius.is_finite or not self.middle.is_finite

    @property
    def is_closed(self) -> bool:
        """Whether both ends of every loss are known."""
        return self.is_known and not self.unbounded

    def interval(self) -> Interval | None:
        """The sum, enclosed; None when it is infinite or NaN, which `middle` says, or not known.

        Of rows without an upper end the lower one is taken.
        """
        if not (self.middle.is_finite and self.radius.is_finite):
            return None
        middle, radius = self.middle.fraction(), self.radius.fraction()
        lower, upper = self.exact or (Fraction(0), Fraction(0))
        return lower + middle - radius, upper + middle + radius


@dataclass(frozen=True)
class StoredFacts:
    """The truth of the numbers as they are stored."""

    truth: TruthFacts
    divisor: ExactSum

    def __add__(self, other: StoredFacts) -> StoredFacts:
        return StoredFacts(self.truth + other.truth, self.divisor + other.divisor)


Facts = TypeVar("Facts", TruthFacts, StoredFacts, Traits, LabelSums, RowSums, Scores, Predictions, Checksums, Checksum)


@dataclass(frozen=True)
class RangeFacts:
    """The values of some numbers: extremes of the finite ones, and counts of the others."""

    minimum: float = math.inf
    maximum: float = -math.inf
    nan: int = 0
    infinite: int = 0

    def __add__(self, other: RangeFacts) -> RangeFacts:
        return RangeFacts(
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.nan + other.nan,
            self.infinite + other.infinite,
        )

    def record(self) -> Range:
        if self.minimum > self.maximum:
            return Range(None, None, self.nan, self.infinite)
        return Range(self.minimum, self.maximum, self.nan, self.infinite)


@dataclass(frozen=True)
class Measured:
    """All facts of some samples."""

    samples: int
    ignored: int
    divisor: ExactSum  # what the mean divides by: labels that count, or their weights; samples with probabilities
    divisor_size: ExactSum  # the same of the weights' absolute values
    logits: RangeFacts
    target: RangeFacts
    library: PathFacts
    manual: PathFacts
    truth: TruthFacts | None
    stored: StoredFacts | None  # before --dtype; None when that loses nothing
    pair: WorstPair | None
    traits: Traits | None = None  # None without a reference
    label_sums: LabelSums | None = None  # what torch's own sums of the labels' losses are made of
    row_sums: RowSums | None = None  # of given probabilities; None of logits, and without a reference
    scores: Scores | None = None  # None without labels, and without a reference
    predictions: Predictions | None = None  # only with --metrics
    kept: Checksum | None = None  # of the bytes of `ordered`; None where nobody saves them
    shown: tuple[Sample, ...] = ()
    checksums: Checksums | None = None  # of what was read of them; None where nobody compares it
    # of every sample, in the blocks' order; none with a reduction
    tables: tuple[Rows, ...] = field(default=(), metadata={"saved": False})
    # what metrics ask of every sample that counts, in the blocks' order: columns, or rows of `predictions.COLUMNS`
    each_row: tuple[EachRow, ...] = field(default=(), metadata={"saved": False})
    ordered: tuple[Rows, ...] = field(default=(), metadata={"saved": False})
    # what `torch.sum` adds of every sample, in the blocks' order; none where it is not kept
    addends: tuple[NDArray[Any], ...] = field(default=(), metadata={"saved": False})
    # what rounding allows the library in every sample, in the blocks' order; none where nobody asks
    allowances: tuple[Floats, ...] = field(default=(), metadata={"saved": False})

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            samples=self.samples + other.samples,
            ignored=self.ignored + other.ignored,
            divisor=self.divisor + other.divisor,
            divisor_size=self.divisor_size + other.divisor_size,
            logits=self.logits + other.logits,
            target=self.target + other.target,
            library=self.library + other.library,
            manual=self.manual + other.manual,
            truth=_both(self.truth, other.truth),
            stored=_both(self.stored, other.stored),
            pair=max(filter(None, (self.pair, other.pair)), key=_distance, default=None),
            traits=_both(self.traits, other.traits),
            label_sums=_both(self.label_sums, other.label_sums),
            row_sums=_both(self.row_sums, other.row_sums),
            scores=_both(self.scores, other.scores),
            predictions=_both(self.predictions, other.predictions),
            kept=_both(self.kept, other.kept),
            shown=self.shown + other.shown,
            checksums=_both(self.checksums, other.checksums),
            tables=self.tables + other.tables,
            each_row=self.each_row + other.each_row,
            ordered=self.ordered + other.ordered,
            addends=self.addends + other.addends,
            allowances=self.allowances + other.allowances,
        )

    @property
    def read(self) -> tuple[Checksums, ...]:
        """Of what was read of each side, of which there is one."""
        return (self.checksums or Checksums(),)

    @property
    def counted(self) -> int:
        """Samples whose label is not ignored."""
        return self.samples - self.ignored

    def worst_rows(self) -> list[int]:
        """The rows that a table must not leave out, the most telling first."""
        hardest = self.scores.worst[:1] if self.scores else ()
        candidates = (*hardest, self.library.worst, self.manual.worst, self.pair)
        return list(dict.fromkeys(worst.row for worst in candidates if worst is not None))

    def bounded(self) -> Measured:
        """Without sums of which too many values wait for the rows before these."""
        is_long = self.label_sums is not None and self.label_sums.is_long
        return replace(self, label_sums=None) if is_long else self

    def candidates(self, count: int) -> Measured:
        """Without the shown samples that can no more be among the `count` to show, whatever is added."""
        worst = self.worst_rows()
        return replace(self, shown=tuple(sample for sample in self.shown if sample.row < count or sample.row in worst))

    def chosen(self, count: int) -> Measured:
        """Only `count` shown samples: the worst ones, and the first ones beside them."""
        worst = self.worst_rows()[:count]
        first = [sample.row for sample in self.shown if sample.row not in worst][: count - len(worst)]
        kept = {*worst, *first}
        return replace(self, shown=tuple(sample for sample in self.shown if sample.row in kept))


def distance(left: Floats, right: Floats) -> Floats:
    """|left − right|, 0 between equal infinities; NaN where either is NaN.  [rows]."""
    with np.errstate(invalid="ignore"):
        apart: Floats = np.abs(left - right)
        return np.where(left == right, 0.0, apart) if np.isnan(apart.max(initial=0.0)) else apart


def ratio(error: Floats, allowed: Floats) -> Floats:
    """Error over allowance: 0 for no error, infinite for one that nothing allows or that is no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        times: Floats = error / allowed
        return infinite_where_nan(np.where(error == 0.0, 0.0, times)) if np.isnan(times.max(initial=0.0)) else times


def infinite_where_nan(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values) if np.isnan(values.max(initial=0.0)) else values


def _severity(worst: Worst) -> float:
    return float(ratio(np.array([worst.error]), np.array([worst.allowed or 0.0]))[0])


def _distance(pair: WorstPair) -> float:
    return float(infinite_where_nan(distance(np.array([pair.library]), np.array([pair.manual])))[0])


def _both(left: Facts | None, right: Facts | None) -> Facts | None:
    return None if left is None or right is None else left + right
