"""Sums over the classes of each row, in one float64 pass through cache-sized blocks and one fixed order of addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xentcli.losses.class_chances import ClassChances

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Logits = NDArray[np.float32] | NDArray[np.float64]

WORKING_SET = 131_072  # float64 elements of a work array: 1 MiB stays in the cache
NARROW = 1024  # up to this many classes the inner loops run along the rows
FEW = 64  # up to this many classes the first of the greatest is found along the rows, too


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
    first, greatest = _first_greatest(grid, logits, by_place=moments is not None)
    top = grid.position(first)
    if moments is not None:
        moments.top[:] = first
        if labels is not None:
            _rank(grid, logits, labels, greatest, moments)
    np.subtract(gaps, greatest[:, None], out=gaps)  # −d
    if labels is not None:
        np.subtract(0.0, grid.memory[grid.position(labels)], out=sums.gap)
    if coefficients is not None:
        _sum_coefficients(gaps, np.atleast_2d(coefficients), memory[1], sums)
    if moments is None:
        np.exp(gaps, out=gaps)
    else:
        gaps = _sum_moments(grid, memory, moments)
        grid = Grid(memory[1], gaps)
    grid.memory[top] = 0.0
    total = fold(gaps) if chances is None else _folded(gaps, Grid.blank(memory[0], gaps).array)
    sums.excess[:] = np.where(np.isfinite(greatest), total, np.nan)
    if chances is not None and labels is not None:
        grid.memory[top] = 1.0
        chances.add(gaps, sums.excess, labels, memory[0])


def _first_greatest(grid: Grid, logits: Logits, *, by_place: bool) -> tuple[Integers, Floats]:
    """The first class of each row at the greatest logit, and that; [rows].

    by_place  whether a NaN stands where it is, as its row's greatest; else such a row's class is any
    """
    if by_place or logits.shape[1] > FEW:
        first: Integers = logits.argmax(axis=1)  # on the source: half the bytes of float64
        return first, grid.memory[grid.position(first)]
    greatest = grid.array.max(axis=1)
    ranks = np.arange(logits.shape[1], 0, -1, dtype=np.uint8)  # the first class has the greatest
    is_greatest = np.equal(grid.array, greatest[:, None]).view(np.uint8)
    found = np.maximum.reduce(np.multiply(is_greatest, ranks, out=is_greatest), axis=1)
    return logits.shape[1] - np.maximum(found, 1).astype(np.int64), greatest


def _rank(grid: Grid, logits: Logits, labels: Integers, greatest: Floats, moments: Moments) -> None:
    """Where each label stands among its row's logits, which the grid holds as they are."""
    place = grid.position(labels)
    own = grid.memory[place]
    if grid.is_by_class:
        moments.above[:] = np.add.reduce(grid.array > own[:, None], axis=1, dtype=np.int32)
        moments.equal[:] = np.add.reduce(grid.array == own[:, None], axis=1, dtype=np.int32)
    else:  # long rows, one by one: half the bytes, and no bytes widened
        for row, value in enumerate(logits[np.arange(len(labels)), labels]):
            moments.above[row] = np.count_nonzero(logits[row] > value)
            moments.equal[row] = np.count_nonzero(logits[row] == value)
    grid.memory[place] = -np.inf
    np.subtract(greatest, grid.array.max(axis=1), out=moments.rival)
    grid.memory[place] = own


def _sum_moments(grid: Grid, memory: Floats, moments: Moments) -> Floats:
    """Σ exp(−d)·d and Σ exp(−2d) of a grid of −d, which are lost; what is returned holds exp(−d), in memory[1].

    A masked class, exp(−d) = 0, adds nothing, though 0·∞ is no number.
    """
    gaps, shares = grid.array, Grid.blank(memory[1], grid.array).array
    np.exp(gaps, out=shares)
    if not np.isfinite(gaps.min()):
        np.copyto(gaps, 0.0, where=shares == 0.0)
    np.multiply(gaps, shares, out=gaps)
    np.subtract(0.0, fold(gaps), out=moments.gap_sum)
    np.multiply(shares, shares, out=gaps)
    moments.square_sum[:] = fold(gaps)
    return shares


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
        terms[:, :half] += terms[:, width - half : width]
        width -= half
    return terms[:, 0]


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
