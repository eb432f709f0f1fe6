"""Sums over the classes of each row, in one float64 pass through cache-sized blocks and one fixed order of addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xentcli.losses.additions import NARROW, SLABS

if TYPE_CHECKING:
    from xentcli.losses.class_chances import ClassChances

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Logits = NDArray[np.float32] | NDArray[np.float64]

WORKING_SET = 262_144  # float64 elements of a work array: 2 MiB stay in the cache
FEW = 64  # up to this many classes the first of the greatest is found along the rows, too
LONG = 4096  # from so many classes on, labels are ranked in one row after the other


@dataclass(frozen=True)
class ClassSums:
    """With d_c = max x − x_c of the row; float64, [rows]."""

    excess: Floats  # T = Σ exp(−d_c) over all classes but one at the maximum
    gap: Floats  # d of the label
    signed: Floats  # Σ a_c, over the coefficients
    signed_gap: Floats  # Σ a_c·d_c
    total: Floats  # Σ |a_c|
    total_gap: Floats  # Σ |a_c|·d_c
    spread: Floats  # greatest d_c

    def rows(self, chosen: slice) -> ClassSums:
        """Views of some rows, to be filled."""
        return ClassSums(*(array[chosen] for array in vars(self).values()))


@dataclass(frozen=True)
class Moments:
    """What metrics ask of the classes besides, with d_c as above and y the label; [rows]."""

    gap_sum: Floats  # G = Σ exp(−d_c)·d_c
    square_sum: Floats  # Q = Σ exp(−2·d_c)
    rival: Floats  # least d_c of c ≠ y; infinite where there is no other class
    above: Integers  # classes with a greater logit than y
    equal: Integers  # classes with the same one as y, y among them
    top: Integers  # the first of the greatest

    @classmethod
    def empty(cls, rows: int) -> Moments:
        """Zeros, to be filled."""
        one, two, three = (np.zeros(rows, np.int64) for _ in range(3))
        return cls(np.zeros(rows), np.zeros(rows), np.zeros(rows), above=one, equal=two, top=three)

    def rows(self, chosen: slice | list[int] | Integers) -> Moments:
        """Those of some rows; views, to be filled, if they are a slice."""
        return Moments(*(array[chosen] for array in vars(self).values()))


def block_rows(logits: Logits) -> int:
    """Rows of one working block: as many as stay in the cache, and never none."""
    rows, classes = logits.shape
    return int(max(1, min(rows, WORKING_SET // max(classes, 1))))


def working_memory(logits: Logits, *, two: bool) -> Floats:
    """A work array, or two for coefficients or moments; made once, because fresh pages cost more than sums."""
    return np.empty((2 if two else 1, block_rows(logits) * logits.shape[1]))


def sum_over_classes(  # noqa: PLR0917 - one pass, and what it fills
    logits: Logits,
    labels: Integers | None,
    coefficients: Floats | None,
    memory: Floats,
    sums: ClassSums,
    moments: Moments | None = None,
    chances: ClassChances | None = None,
) -> None:
    """Fill `sums`, `moments` and `chances`, block by block, without labels or coefficients all but what needs them.

    Moments are those of labels, and chances stand beside moments alone.
    logits [rows, classes], labels [rows], coefficients [classes] or [rows, classes]; memory as `working_memory` makes
    it.  Raises nothing: NaN and infinity go where IEEE arithmetic takes them.
    """
    step = block_rows(logits)
    shared = coefficients is None or coefficients.ndim == 1
    for start in range(0, len(logits), step):
        block = slice(start, start + step)
        block_labels = None if labels is None else labels[block]
        block_coefficients = coefficients if shared or coefficients is None else coefficients[block]
        block_moments = None if moments is None else moments.rows(block)
        block_chances = None if chances is None else chances.rows(block)
        _sum_block(
            logits[block], block_labels, block_coefficients, memory, sums.rows(block), block_moments, block_chances
        )


def _sum_block(  # noqa: PLR0917 - as above
    logits: Logits,
    labels: Integers | None,
    coefficients: Floats | None,
    memory: Floats,
    sums: ClassSums,
    moments: Moments | None,
    chances: ClassChances | None,
) -> None:
    grid = Grid.of(memory[0], logits)
    gaps = grid.array
    first, greatest = _first_greatest(grid, logits)
    top = grid.position(first)
    if labels is not None:
        place = grid.position(labels)
        own = grid.memory[place]
        np.subtract(greatest, own, out=sums.gap)
        if moments is not None:
            moments.top[:] = first
            if logits.shape[1] < LONG:
                _rank(grid, place, own, greatest, moments)
            else:
                _rank_long(logits, labels, greatest, moments)
    np.subtract(gaps, greatest[:, None], out=gaps)  # −d
    if coefficients is not None:
        _sum_coefficients(gaps, np.atleast_2d(coefficients), memory[1], sums)
    if moments is None:
        np.exp(gaps, out=gaps)
        grid.memory[top] = 0.0
        total = fold(gaps) if grid.is_by_class else _in_slabs(gaps)
    else:
        shares = Grid.blank(memory[1], gaps)
        total = (_sum_moments if grid.is_by_class else _sum_long_moments)(gaps, shares, top, moments)
    sums.excess[:] = np.where(np.isfinite(greatest), total, np.nan)
    if chances is not None and labels is not None:
        shares.memory[top] = 1.0
        chances.add(shares.array, sums.excess, labels, place)


def _first_greatest(grid: Grid, logits: Logits) -> tuple[Integers, Floats]:
    """The first class of each row at the greatest logit, and that, a NaN if there is one; [rows]."""
    classes = logits.shape[1]
    if classes > FEW:
        first: Integers = logits.argmax(axis=1)  # on the source: half the bytes of float64
        return first, grid.memory[grid.position(first)]
    greatest = grid.array.max(axis=1)
    ranks = np.arange(classes, 0, -1, dtype=np.uint8)  # the first class has the greatest
    is_greatest = np.equal(grid.array, greatest[:, None]).view(np.uint8)
    found = np.maximum.reduce(np.multiply(is_greatest, ranks, out=is_greatest), axis=1)
    first = np.subtract(classes, found, dtype=np.int64)
    if not found.all():  # a NaN is not equal to itself
        lost = np.flatnonzero(found == 0)
        first[lost] = logits[lost].argmax(axis=1)
    return first, greatest


def _rank(grid: Grid, place: Integers, own: Floats, greatest: Floats, moments: Moments) -> None:
    """Where each label, of this place and logit, stands among its row's logits, which the grid holds as they are."""
    moments.above[:] = _count(grid.array > own[:, None])
    moments.equal[:] = _count(grid.array == own[:, None])
    grid.memory[place] = -np.inf
    np.subtract(greatest, grid.array.max(axis=1), out=moments.rival)
    grid.memory[place] = own


def _count(flags: Bools) -> NDArray[np.integer[Any]]:
    """The true ones of each row, [rows, classes], in as few bytes as hold them: widening takes longer than adding."""
    dtype = np.min_scalar_type(flags.shape[1])
    counts: NDArray[np.integer[Any]] = np.add.reduce(flags.view(np.uint8), axis=1, dtype=dtype)
    return counts


def _rank_long(logits: Logits, labels: Integers, greatest: Floats, moments: Moments) -> None:
    """The same of long rows, one by one, where they are stored: half the bytes, and no bytes widened.

    Nothing is above a label that is the first of the greatest; beside any other, the rival is that one.
    """
    np.subtract(greatest, greatest, out=moments.rival)  # no number where there is none
    for number, (label, top) in enumerate(zip(labels.tolist(), moments.top.tolist(), strict=True)):
        row = logits[number]
        moments.equal[number] = np.count_nonzero(row == row[label])
        if label == top:
            rival = max(part.max(initial=-np.inf) for part in (row[:label], row[label + 1 :]))
            moments.rival[number] = greatest[number] - rival
        else:
            moments.above[number] = np.count_nonzero(row > row[label])


def _sum_moments(gaps: Floats, shares: Grid, top: Integers, moments: Moments) -> Floats:
    """T, and Σ exp(−d)·d and Σ exp(−2d) into `moments`, of −d, which are lost; `shares` becomes exp(−d), 0 at the top.

    A masked class, exp(−d) = 0, adds nothing, though 0·∞ is no number.
    """
    terms = shares.array
    np.exp(gaps, out=terms)
    if not np.isfinite(gaps.min()):
        np.copyto(gaps, 0.0, where=terms == 0.0)
    np.subtract(0.0, fold(np.multiply(gaps, terms, out=gaps)), out=moments.gap_sum)
    moments.square_sum[:] = fold(np.multiply(terms, terms, out=gaps))
    shares.memory[top] = 0.0
    return _folded(terms, gaps)


def _sum_long_moments(gaps: Floats, shares: Grid, top: Integers, moments: Moments) -> Floats:
    """The same of long rows: products are added as they are made, and what is left of all three sums goes on as one.

    Where −d is infinite, a product of two numbers is none, so that nobody needs to look for one before.
    """
    terms = shares.array
    np.exp(gaps, out=terms)
    products = _slabs(gaps, terms)
    if np.isnan(products).any():
        np.copyto(gaps, 0.0, where=terms == 0.0)
        products = _slabs(gaps, terms)
    squares = _slabs(terms, terms)
    shares.memory[top] = 0.0
    gap_sum, square_sum, total = np.split(_in_slabs(np.concatenate((products, squares, _slabs(terms)))), 3)
    np.subtract(0.0, gap_sum, out=moments.gap_sum)
    moments.square_sum[:] = square_sum
    return total


@dataclass(frozen=True)
class Grid:
    """A float64 work array, laid out in flat memory so that numpy's inner loops are long."""

    memory: Floats  # [rows × classes]
    array: Floats  # [rows, classes], a view of it

    @staticmethod
    def of(memory: Floats, source: Logits) -> Grid:
        grid = Grid.blank(memory, source)
        np.copyto(grid.array, source)
        return grid

    @staticmethod
    def blank(memory: Floats, source: Logits) -> Grid:
        """One of the source's shape, with anything in it."""
        rows, classes = source.shape
        flat = memory[: rows * classes]
        array = flat.reshape(classes, rows).T if classes <= NARROW else flat.reshape(rows, classes)
        return Grid(flat, array)

    @property
    def is_by_class(self) -> bool:
        """Whether the classes follow each other, each with all of its rows."""
        return bool(self.array.shape[1] <= NARROW)

    def position(self, classes: Integers) -> Integers:
        """Where one class of each row lies in the flat memory: indexing that is five times as fast."""
        row_stride, class_stride = (stride // self.memory.itemsize for stride in self.array.strides)
        positions: Integers = classes * class_stride + np.arange(len(classes)) * row_stride
        return positions


def fold(terms: Floats) -> Floats:
    """Row sums by one fixed binary tree, in place: the same bits for every block size.  [rows, classes] -> [rows]."""
    width = terms.shape[1]
    while width > 1:
        half = width // 2
        left = terms[:, :half]
        np.add(left, terms[:, width - half : width], out=left)
        width -= half
    return terms[:, 0]


def _in_slabs(terms: Floats) -> Floats:
    """Row sums of wide rows by one fixed order, of terms that are kept: slab on slab, until few terms are left.

    A tree reads and writes the far cache at each of its first levels: it takes half as long again.
    """
    while terms.shape[1] > SLABS:
        terms = _slabs(terms)
    return fold(terms)


def _slabs(terms: Floats, factors: Floats | None = None) -> Floats:
    """The sum of a row's slabs, SLABS at most; of products, which are then rounded before they are added, or not.

    Each element of the sum passes through the slabs in order, whatever rows are beside it: einsum adds to all of them
    at once, and never to one of them twice in a step.
    """
    rows, classes = terms.shape
    width = -(-classes // SLABS)
    whole = classes // width * width
    first, rest = terms[:, :whole].reshape(rows, -1, width), terms[:, whole:]
    if factors is None:
        sums: Floats = np.add.reduce(first, axis=1)
    else:
        sums = np.einsum("rsc,rsc->rc", first, factors[:, :whole].reshape(rows, -1, width))
        rest = rest * factors[:, whole:]
    sums[:, : classes - whole] += rest
    return sums


def _folded(terms: Floats, work: Floats) -> Floats:
    """What `fold` gives, by the same tree, of terms that are kept."""
    half, width = terms.shape[1] // 2, (terms.shape[1] + 1) // 2
    np.add(terms[:, :half], terms[:, width:], out=work[:, :half])
    work[:, half:width] = terms[:, half:width]
    return fold(work[:, :width])


def _sum_coefficients(gaps: Floats, coefficients: Floats, memory: Floats, sums: ClassSums) -> None:
    """The sums that involve coefficients, [1 or rows, classes]; `gaps` holds −d."""
    sums.spread[:] = 0.0 - gaps.min(axis=1)
    sums.signed[:] = sums.total[:] = fold(Grid.of(memory, coefficients).array)
    sums.signed_gap[:] = sums.total_gap[:] = _sum_products(gaps, coefficients, memory)
    if coefficients.min() < 0:
        absolute = np.abs(coefficients)
        sums.total_gap[:] = _sum_products(gaps, absolute, memory)
        sums.total[:] = fold(absolute)


def _sum_products(gaps: Floats, coefficients: Floats, memory: Floats) -> Floats:
    """Σ a_c·d_c, [rows]."""
    products = Grid.of(memory, gaps).array
    np.multiply(products, coefficients, out=products)
    sums: Floats = 0.0 - fold(products)
    return sums
