"""What the samples look like: what the statistics of all rows say, and a close look at the first of them.

The close look takes more than a glance at each row, so it is at as many rows as cost nothing beside the losses, and
always at the same ones: what it finds must not depend on how the input was cut into blocks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.losses.truth import terms_of
from xentcli.measuring.traits import NAMED, Ends, Gain, Grid, Pile, Seen, Traits
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.precision import FLOAT32
from xentcli.numbers.tensors import precision_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms
    from xentcli.measuring.case import Case
    from xentcli.measuring.facts import RangeFacts

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

ELEMENTS = 1 << 20  # logits that are all looked at
GRID_VALUES = 4096  # logits whose bits are looked at, of so many
GRID_ENTRIES = 64  # entries of the batch axis at most
ALIKE = 8  # rows, or values, that are no chance
CUT_OFF, NEXT = 0.01, 0.02  # share of the values at one end, and of their range to the next one
ADDS_UP = 1e-3  # what rounding may move a row of probabilities from 1


@dataclass(frozen=True, eq=False)
class Inspected:
    """A block with its row statistics."""

    case: Case
    terms: Terms
    rows: Rows
    values: RangeFacts  # of the logits

    @cached_property
    def dense(self) -> slice:
        """The rows all of whose logits are looked at."""
        return slice(0, max(1, ELEMENTS // self.case.block.classes))

    @cached_property
    def logits(self) -> NDArray[np.floating]:
        """The logits of the dense rows, [rows, classes]."""
        return self.terms.logits[self.dense]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The labels, [rows]; negative where they do not count."""
        return self.terms.labels

    @cached_property
    def counted(self) -> Bools:
        """Which rows count, of all."""
        return ~self.rows.ignored

    @property
    def first_row(self) -> int:
        return self.case.block.first_row

    def entry(self, labels: NDArray[np.int64]) -> Floats:
        """The logit of a class of each row; [rows]."""
        chosen = self.terms.logits[np.arange(len(labels)), labels].astype(np.float64)
        logits: Floats = np.log(chosen) if self.case.block.given == "probabilities" else chosen
        return logits


def inspect(case: Case, terms: Terms, rows: Rows, values: RangeFacts, total: ExactSum | None) -> Traits:
    """The traits of a block that all its samples show, given the statistics of its rows and the range of its logits.

    total  the sum of the rows' losses; None where it is not known
    """
    seen = Inspected(case, terms, rows, values)
    with np.errstate(all="ignore"):
        traits = _of_losses(seen, total)
        if terms.labels is None:
            traits += _of_shares(seen)
        if values.nan or values.infinite:
            traits += _not_finite(seen)
        return traits


def look_closely(case: Case, values: RangeFacts) -> Traits:
    """The traits that only the first samples of an input are asked for, given the range of their logits."""
    terms = terms_of(case.block, case.options)
    seen = Inspected(case, terms, terms.enclose(), values)
    with np.errstate(all="ignore"):
        return _of_logits(seen) + _of_values(seen) + _of_labels(seen) + _of_axes(seen)


def _of_losses(seen: Inspected, total: ExactSum | None) -> Traits:
    """What the statistics of all rows say."""
    rows, counted = seen.rows, seen.counted
    traits = Traits(
        counted=int(np.count_nonzero(counted)),
        equal=Seen.where((rows.excess == rows.classes - 1) & counted & (rows.classes > 1), seen.first_row),
    )
    if seen.terms.labels is None:
        return traits
    nats = rows.log_sum + rows.gap  # 0 of rows that do not count
    return traits + Traits(
        nats=total if total is not None and np.array_equal(nats, rows.loss) else ExactSum.of(nats),
        off_top=int(np.count_nonzero(rows.gap)),
        lost=int(np.count_nonzero((nats > 0.0) & (nats < FLOAT32.unit_roundoff))),
    )


def _of_logits(seen: Inspected) -> Traits:
    """What the logits look like."""
    logits, values, stored = seen.logits, seen.values, seen.case.block.stored or seen.case.block
    if seen.case.block.given != "logits":
        return Traits(looked_at=len(logits), grid=grid_of(stored.logits))
    traits = Traits(looked_at=len(logits), repeated=_repeated(seen), grid=grid_of(stored.logits))
    if values.minimum >= 0.0 and values.maximum <= 1.0 + ADDS_UP:
        sums = logits.sum(axis=1, dtype=np.float64)
        traits += Traits(distributions=int(np.count_nonzero(np.abs(sums - 1.0) <= ADDS_UP)))
    if values.maximum <= ADDS_UP:
        log_sums = logits.max(axis=1) + seen.rows.log_sum[seen.dense]
        traits += Traits(logarithms=int(np.count_nonzero(np.abs(log_sums) <= ADDS_UP)))
    return traits


def _of_values(seen: Inspected) -> Traits:
    """Values that a network alone would not give: fractions of 1, constant classes, many at one end."""
    logits, values = seen.logits, seen.values
    padding = _padding(seen)
    if values.minimum >= 0.0 and values.maximum <= 1.0:
        fractions = bool((logits != np.floor(logits)).any())
        sums = logits.sum(axis=1, dtype=np.float64)
        return Traits(padding=padding, sums=Ends(len(sums), sums.min(), sums.max()) if fractions else Ends())
    others = logits[:, : logits.shape[1] - padding.count]
    finite = others[np.isfinite(others)].astype(np.float64)
    floor, ceiling = _pile(finite), _pile(-finite)
    return Traits(padding=padding, floor=floor, ceiling=Pile(ceiling.count, -ceiling.value))


def _padding(seen: Inspected) -> Pile:
    """Classes at the end whose logits are the same in all rows, if other classes' are not and none is a label."""
    same = (seen.logits == seen.logits[:1]).all(axis=0)
    count = int(np.argmin(same[::-1])) if len(seen.logits) >= ALIKE else 0
    known = seen.labels is not None and seen.labels.max(initial=0) < len(same) - count
    return Pile(count, float(seen.logits[0, -1])) if count and known else Pile()


def _pile(values: Floats) -> Pile:
    """Those at the lower end, where they are many, the next greater value is near, and has few."""
    if values.size < ALIKE:
        return Pile()
    least = values.min()
    above = values[values > least]
    count = values.size - above.size
    if not above.size or count < max(ALIKE, CUT_OFF * values.size):
        return Pile()
    following = above.min()
    near = following - least <= NEXT * (above.max() - least)
    return Pile(count, float(least)) if near and ALIKE * np.count_nonzero(above == following) <= count else Pile()


def _of_axes(seen: Inspected) -> Traits:
    """Axes along which target probabilities add up to 1, where over the classes they do so in no row."""
    case = seen.case
    shares = (case.block.stored or case.block).target
    if case.block.has_labels or shares.ndim < 2:
        return Traits()
    if ((shares.sum(1, dtype=torch.float64) - 1.0).abs() <= ADDS_UP).all():
        return Traits()
    fits = (
        axis
        for axis in range(shares.ndim)
        if axis != 1 and ((shares.sum(axis, dtype=torch.float64) - 1.0).abs() <= ADDS_UP).all()
    )
    classes = (1 if case.options.class_axis is None else case.options.class_axis) % shares.ndim
    stored = [axis for axis in range(shares.ndim) if axis != classes]
    return Traits(crossed=frozenset(stored[max(axis - 1, 0)] for axis in fits))


def _not_finite(seen: Inspected) -> Traits:
    logits = seen.terms.logits
    masked: Bools = np.isneginf(logits) & seen.counted[:, None]
    strange: Bools = ~np.isfinite(logits) & ~masked & seen.counted[:, None]
    columns = np.flatnonzero((masked | strange).any(axis=0))
    return Traits(
        strange=Seen.where(_any_class(strange), seen.first_row),
        masked=Seen.where(_any_class(masked), seen.first_row),
        columns=frozenset(columns[: NAMED + 1].tolist()),
    )


def _any_class(mask: Bools) -> Bools:
    """[rows, classes] -> [rows]."""
    rows: Bools = np.asarray(mask.any(axis=1))
    return rows


def _repeated(seen: Inspected) -> Seen:
    """Rows equal to an earlier one: only where Σ exp is the same are the logits compared."""
    excess = seen.rows.excess[seen.dense]
    _, first, which = np.unique(excess, return_index=True, return_inverse=True)
    earlier = first[which]
    again = np.flatnonzero(earlier != np.arange(len(excess)))
    same = np.zeros(len(excess), bool)
    same[again] = (seen.logits[again] == seen.logits[earlier[again]]).all(axis=1)
    return Seen.where(same & seen.counted[seen.dense] & (excess != seen.rows.classes - 1), seen.first_row)


def grid_of(logits: torch.Tensor) -> Grid:
    """Whether some float32 logits are numbers of a 16-bit format."""
    if logits.dtype != torch.float32:
        return Grid(bfloat16=False, float16=False)
    some = logits.flatten() if logits.numel() <= GRID_VALUES else logits[:GRID_ENTRIES].flatten()[:GRID_VALUES]
    values = some.detach().cpu().numpy()
    bits = values.view(np.uint32)
    telling = np.isfinite(values) & (bits & 0x3FFFF != 0)  # the significand has more than six bits
    return Grid(
        telling=int(np.count_nonzero(telling)),
        bfloat16=not (bits & 0xFFFF).any(where=telling),
        float16=bool((values.astype(np.float16) == values).all(where=telling)),
    )


def _of_labels(seen: Inspected) -> Traits:
    """How the labels fit, and how they would fit otherwise."""
    labels = seen.labels
    if labels is None:
        return Traits()
    known, classes = np.maximum(labels, 0), seen.rows.classes
    own, counted = seen.entry(known), labels >= 0
    grid = _sequences(labels, seen.case)
    return Traits(
        earlier=_gain(seen, own, counted, _moved(grid, 1)),
        later=_gain(seen, own, counted, _moved(grid, -1)),
        less=_gain(seen, own, counted, np.where(counted, known - 1, -1)),
        more=_gain(seen, own, counted, np.where(known + 1 < classes, known + 1, -1)),
        swapped=_swapped(seen.case),
        labels=Counter(dict(zip(*map(np.ndarray.tolist, np.unique(labels[counted], return_counts=True)), strict=True))),
        tails=_tails(grid),
        sequences=len(grid),
        one_hot=int(np.count_nonzero(((grid == 0) | (grid == 1)).all(axis=1) & (grid.sum(axis=1) == 1))),
    )


def _gain(seen: Inspected, own: Floats, counted: Bools, other: NDArray[np.int64]) -> Gain:
    """What other labels would save, where both count; [rows], negative where there is none."""
    return Gain.of((seen.entry(np.maximum(other, 0)) - own)[counted & (other >= 0)])


def _sequences(labels: NDArray[np.int64], case: Case) -> NDArray[np.int64]:
    """The labels by their last axis, [sequences, positions]; of one axis, all samples are one sequence."""
    shape = case.block.sample_shape
    return labels.reshape(-1, shape[-1] if len(shape) > 1 and shape[-1] else max(1, len(labels)))


def _moved(grid: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Each sample's neighbour's label, the one before for 1; −1 at the end of the sequence.  [samples]."""
    moved = np.full_like(grid, -1)
    if step > 0:
        moved[:, step:] = grid[:, :-step]
    else:
        moved[:, :step] = grid[:, -step:]
    return moved.reshape(-1)


def _tails(grid: NDArray[np.int64]) -> Counter[int]:
    """How many samples of each label stand in a run of it that ends a sequence, if there are two or more."""
    if not grid.size:
        return Counter()
    ends = grid[:, -1:]
    lengths = np.cumprod(grid[:, ::-1] == ends, axis=1).sum(axis=1)
    tails: Counter[int] = Counter()
    for label, length in zip(ends[:, 0].tolist(), lengths.tolist(), strict=True):
        if length > 1 and label >= 0 and length < grid.shape[1]:
            tails[label] += length
    return tails


def _swapped(case: Case) -> Gain:
    """What taking the classes from another axis as long as theirs would save."""
    block = case.block
    if block.given != "logits" or block.logits.ndim < 2 or not 0 < block.logits.numel() <= ELEMENTS:
        return Gain()
    is_square = block.logits.ndim == 2 and block.logits.shape[0] == block.classes and block.first_row == 0
    if not is_square and (block.logits.ndim < 3 or block.logits.shape[-1] != block.classes):
        return Gain()
    logits = block.logits.double().log_softmax(1), block.logits.double().transpose(1 - is_square, -1).log_softmax(1)
    labels = block.target.masked_fill(~case.counted, 0).unsqueeze(1)
    own, other = (chances.gather(1, labels).squeeze(1) for chances in logits)
    return Gain.of((other - own)[case.counted].cpu().numpy())


def _of_shares(seen: Inspected) -> Traits:
    """Target probabilities that do not add up to 1; Problem refuses negative ones."""
    block = seen.case.block
    shares = (block.stored or block).target
    roundoff = precision_of(shares).unit_roundoff
    sums = shares.sum(block.class_dim, dtype=torch.float64)
    off = (sums - 1.0).abs() > max(ADDS_UP, 4.0 * roundoff)
    return Traits(off_one=Seen.where(off.reshape(-1).cpu().numpy(), block.first_row))
