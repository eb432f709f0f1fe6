"""Sums over the classes of each row, in one float64 pass through cache-sized blocks and one fixed order of addition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Logits = NDArray[np.float32] | NDArray[np.float64]

WORKING_SET = 131_072  # float64 elements of a work array: 1 MiB stays in the cache
NARROW = 1024  # up to this many classes the inner loops run along the rows


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


def block_rows(logits: Logits) -> int:
    """Rows of one working block: as many as stay in the cache, and never none."""
    rows, classes = logits.shape
    return int(max(1, min(rows, WORKING_SET // max(classes, 1))))


def working_memory(logits: Logits, coefficients: Floats | None) -> Floats:
    """Two work arrays, one if there are no coefficients; made once, because fresh pages cost more than sums."""
    return np.empty((1 if coefficients is None else 2, block_rows(logits) * logits.shape[1]))


def sum_over_classes(
    logits: Logits, labels: Integers | None, coefficients: Floats | None, memory: Floats, sums: ClassSums
) -> None:
    """Fill `sums`, block by block; what labels or coefficients are needed for is left alone without them.

    logits [rows, classes], labels [rows], coefficients [classes] or [rows, classes]; memory as `working_memory` makes
    it.  Raises nothing: NaN and infinity go where IEEE arithmetic takes them.
    """
    step = block_rows(logits)
    shared = coefficients is None or coefficients.ndim == 1
    for start in range(0, len(logits), step):
        block = slice(start, start + step)
        block_labels = None if labels is None else labels[block]
        block_coefficients = coefficients if shared or coefficients is None else coefficients[block]
        _sum_block(logits[block], block_labels, block_coefficients, memory, sums.rows(block))


def _sum_block(
    logits: Logits, labels: Integers | None, coefficients: Floats | None, memory: Floats, sums: ClassSums
) -> None:
    grid = _Grid.of(memory[0], logits)
    gaps = grid.array
    top = grid.position(logits.argmax(axis=1))  # on the source: half the bytes of float64
    greatest = grid.memory[top]
    np.subtract(gaps, greatest[:, None], out=gaps)  # −d
    if labels is not None:
        np.subtract(0.0, grid.memory[grid.position(labels)], out=sums.gap)
    if coefficients is not None:
        _sum_coefficients(gaps, np.atleast_2d(coefficients), memory[1], sums)
    np.exp(gaps, out=gaps)
    grid.memory[top] = 0.0
    sums.excess[:] = np.where(np.isfinite(greatest), fold(gaps), np.nan)


@dataclass(frozen=True)
class _Grid:
    """A float64 work array, laid out in flat memory so that numpy's inner loops are long."""

    memory: Floats  # [rows × classes]
    array: Floats  # [rows, classes], a view of it

    @staticmethod
    def of(memory: Floats, source: Logits) -> _Grid:
        rows, classes = source.shape
        flat = memory[: rows * classes]
        array = flat.reshape(classes, rows).T if classes <= NARROW else flat.reshape(rows, classes)
        np.copyto(array, source)
        return _Grid(flat, array)

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


def _sum_coefficients(gaps: Floats, coefficients: Floats, memory: Floats, sums: ClassSums) -> None:
    """The sums that involve coefficients, [1 or rows, classes]; `gaps` holds −d."""
    sums.spread[:] = 0.0 - gaps.min(axis=1)
    sums.signed[:] = sums.total[:] = fold(_Grid.of(memory, coefficients).array)
    sums.signed_gap[:] = sums.total_gap[:] = _sum_products(gaps, coefficients, memory)
    if coefficients.min() < 0:
        absolute = np.abs(coefficients)
        sums.total_gap[:] = _sum_products(gaps, absolute, memory)
        sums.total[:] = fold(absolute)


def _sum_products(gaps: Floats, coefficients: Floats, memory: Floats) -> Floats:
    """Σ a_c·d_c, [rows]."""
    products = _Grid.of(memory, gaps).array
    np.multiply(products, coefficients, out=products)
    sums: Floats = 0.0 - fold(products)
    return sums
