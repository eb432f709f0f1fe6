"""The sums over the classes of two softmaxes, quickly: three exponentials and a logarithm a class, and no series.

With γ_c = expm1(s_c) = q_c/p_c − 1 and g_c = log1p(γ_c/2) = log(m_c/p_c), in the symbols of `pair_radii`:

    K = Σ p (γ − s) = KL(p‖q)           J = Σ (pγ) s              KL(q‖p) = J − K           TV = ½ Σ |pγ|
    JS = ½ (J − K) + B − ½ G            B = Σ p (γ/2 − g)         G = Σ (pγ) g

where nothing cancels that is of first order in s: J, K, B and G are sums of terms that are not negative, and of second
order.  The terms themselves, γ − s and γ/2 − g, do cancel, which costs rows that are nearly equal some of their digits.

What each is off by, v, given p and s as they were computed, with TV, J and K as they come out:

    K        u·h·K + 2E·u·TV + 2u·K             KL(q‖p)    u·(h + E + 4)·(J + K) + 2E·u·TV
    TV       u·(h + E + 2)·TV                   JS         u·(h + 4E + 4)·(3J + JS) + 6E·u·TV

Proof.  expm1 errs by E·u·|γ|, and Σ p|γ| = 2 TV; the subtraction errs by u of what it leaves; additions and products of
terms that are not negative err by h·u relatively.  So they do for J, whose γ errs by E·u, and pγ by u more.  As p is
the same in J and K, what it errs by is a relative error of J − K, too.  g errs by E·u|g|, and by E·u·|γ/2|/(1 + γ/2) as
γ does, which is at most 2E·u·|γ/2|, and |g| ≤ 1.4·|γ/2|: γ/2 − g errs by less than 5E·u·|γ/2|, and Σ p|γ/2| = TV.  In
pγ·g both are relative errors, at most (1 + 1.5)·E·u of g.  Last, G ≤ J, as |g| ≤ |s|, and B = JS − ½(J − K) + ½G ≤ JS +
½K + ½J, so that ½(J + K + G) + B ≤ 3J + JS where K ≤ J.

Sums of rows of many classes are made in pieces by BLAS, in whichever order it likes: a sum of n terms has a height of n
at most.  The pieces are short, so that BLAS makes no threads, and aligned in memory, so that it does the same in each
row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.careful_pairs import is_constant, note_ends
from xentcli.losses.class_sums import Floats, Integers, Logits, fold
from xentcli.losses.pair_radii import Evaluation, Found, enclose_pairs
from xentcli.losses.reference import KERNEL, UNIT

if TYPE_CHECKING:
    from xentcli.losses.enclosed import Bools, Divergences

ELEMENTS = 1 << 17  # of a work array, of which there are some: 1 MiB each, and calls that take a while
NARROW = 48  # up to this many classes the inner loops run along the rows
PIECE = 256  # classes that BLAS sums at once, at most
ALIGNED = 8  # float64 numbers in 64 bytes
ARRAYS = 5
GAPS, OTHER, STEPS, CHANCES, SCRATCH = range(ARRAYS)  # the work arrays, which hold other things later
LARGEST_SPREAD = 600.0  # up to which no probability underflows, and no ratio of two overflows


@dataclass(frozen=True)
class Board:
    """Work arrays for some rows, laid out so that numpy's inner loops are long; rows of many classes are aligned."""

    flat: tuple[Floats, ...]
    arrays: tuple[Floats, ...]  # [rows, width], views of it
    rows: int
    classes: int

    @staticmethod
    def memory(rows: int, classes: int) -> Floats:
        """For boards of up to so many rows; made once, because fresh pages cost more than sums."""
        size = max(1, min(rows, ELEMENTS // classes)) * _width(classes)
        size += -size % ALIGNED
        space = np.empty(ARRAYS * size + ALIGNED)
        first = -(space.ctypes.data // space.itemsize) % ALIGNED
        return space[first : first + ARRAYS * size].reshape(ARRAYS, size)

    @classmethod
    def of(cls, memory: Floats, rows: int, classes: int) -> Board:
        width = _width(classes)
        flat = tuple(each[: rows * width] for each in memory)
        narrow = classes <= NARROW
        arrays = (each.reshape(width, rows).T if narrow else each.reshape(rows, width) for each in flat)
        return cls(flat, tuple(arrays), rows, classes)

    def copy(self, values: Logits, place: int) -> Floats:
        """One array with these values, and 0 beside them."""
        array = self.arrays[place]
        np.copyto(array[:, : self.classes], values)
        self.clear_rest(array)
        return array

    def clear_rest(self, array: Floats) -> None:
        """0 in the columns that stand for no class."""
        if self.classes < array.shape[1]:
            array[:, self.classes :] = 0.0

    def position(self, classes: Integers) -> Integers:
        """Where one class of each row lies in the flat memory."""
        row_stride, class_stride = (stride // self.flat[0].itemsize for stride in self.arrays[0].strides)
        positions: Integers = classes * class_stride + np.arange(self.rows) * row_stride
        return positions

    def weigh(self, weights: Floats, values: Floats) -> Floats:
        """Σ weights · values of each row, [rows]; the scratch array is used up."""
        if self.classes <= NARROW:
            return fold(np.multiply(weights, values, out=self.arrays[SCRATCH])).copy()
        left = weights.reshape(self.rows, -(-self.classes // PIECE), 1, -1)
        return _sum_products(left, values.reshape(*left.shape[:2], -1, 1))

    def total(self, values: Floats) -> Floats:
        """Σ values of each row, [rows]; the scratch array is used up."""
        if self.classes <= NARROW:
            np.copyto(self.arrays[SCRATCH], values)
            return fold(self.arrays[SCRATCH]).copy()
        pieces = values.reshape(self.rows, -(-self.classes // PIECE), 1, -1)
        return _sum_products(pieces, np.ones((pieces.shape[-1], 1)))


def _sum_products(left: Floats, right: Floats) -> Floats:
    """Of [rows, pieces, 1, n] and [rows, pieces, n, 1], or [n, 1], each piece a product of two vectors: [rows].

    A product of matrix and vector would be made by as many threads as BLAS likes, whose number would be seen.
    """
    sums: Floats = np.matmul(left, right).sum(axis=(1, 2, 3))
    return sums


def _width(classes: int) -> int:
    """Columns of a row: its classes, and as many as make equal, aligned pieces of it."""
    if classes <= NARROW:
        return classes
    pieces = -(-classes // PIECE)
    return -(-classes // (pieces * ALIGNED)) * pieces * ALIGNED


def _height(classes: int) -> int:
    """h."""
    if classes <= NARROW:
        return classes.bit_length() + 1
    pieces = -(-classes // PIECE)
    return _width(classes) // pieces + pieces + 1


def enclose_quickly(base: Logits, other: Logits, labels: Integers, memory: Floats) -> tuple[Divergences, Bools]:
    """The divergences of all rows, and of which rows they hold; memory as `Board.memory` makes it."""
    rows, classes = base.shape
    found = Found.nothing(rows)
    step = max(1, ELEMENTS // classes)
    for start in range(0, rows, step):
        block = slice(start, start + step)
        board = Board.of(memory, len(labels[block]), classes)
        _fill(base[block], other[block], labels[block], board, found.rows(block))
    known = (found.spread_base < LARGEST_SPREAD) & (found.spread_other < LARGEST_SPREAD)
    return enclose_pairs(found, _evaluation(found, _height(classes)), classes), known


def _evaluation(found: Found, height: int) -> Evaluation:
    """What is proved at the head of this file."""
    both = 2.0 * found.kl + found.reverse  # J + K
    return Evaluation(
        height=height,
        kl=UNIT * ((height + 2.0) * found.kl + 2.0 * KERNEL * found.tv),
        reverse=UNIT * ((height + KERNEL + 4.0) * both + 2.0 * KERNEL * found.tv),
        js=UNIT * ((height + 4.0 * KERNEL + 4.0) * (3.0 * both + found.js) + 6.0 * KERNEL * found.tv),
        tv=UNIT * (height + KERNEL + 2.0) * found.tv,
    )


def _fill(base: Logits, other: Logits, labels: Integers, board: Board, found: Found) -> None:
    """Find it, in some rows that stay in the cache."""
    steps = np.subtract(board.copy(other, OTHER), board.copy(base, GAPS), out=board.arrays[STEPS])
    label = board.position(labels)
    found.step[:] = board.flat[STEPS][label]
    lows = base.min(axis=1), other.min(axis=1)
    is_cut = bool(np.isneginf(lows).any())
    cut = (np.isneginf(base), np.isneginf(other)) if is_cut else None
    masked = None if cut is None else cut[0] | cut[1]
    own = steps[:, : board.classes]
    if masked is not None:
        own[masked] = 0.0
    note_ends(own, masked, found)
    found.squares[:] = board.weigh(steps, steps)
    _note_line(board, masked, found)
    _Side(board, "base", GAPS, CHANCES).fill(base, lows[0], label, cut, found)
    _Side(board, "other", OTHER, GAPS).fill(
        other, lows[1], label, cut and cut[::-1], found
    )  # the base's gaps are used up
    found.same[:] = is_constant(base, other, own, found.low, found.high) & ~(found.cut_base | found.cut_other)
    found.offset[:] = (found.top_other - found.top_base) + (np.log1p(found.excess_other) - np.log1p(found.excess_base))
    np.subtract(found.step, found.offset, out=found.step)
    if found.same.all():
        return
    np.subtract(steps, found.offset[:, None], out=steps)
    board.clear_rest(steps)
    if masked is not None:
        own[masked] = 0.0
    _sum_over_classes(board, 1.0 / (1.0 + found.excess_base), found)


def _note_line(board: Board, masked: Bools | None, found: Found) -> None:
    """The sums that tell how far y is a straight line of x; the base's logits stand where its gaps will."""
    logits, steps = board.arrays[GAPS], board.arrays[STEPS]
    found.counted[:] = board.classes
    if masked is not None:
        found.counted[:] -= np.count_nonzero(masked, axis=1)
        np.copyto(board.arrays[CHANCES], logits)
        logits = board.arrays[CHANCES]  # not in use yet
        logits[:, : board.classes][masked] = 0.0
    found.sum_base[:], found.sum_steps[:] = board.total(logits), board.total(steps)
    found.norm_base[:], found.cross[:] = board.weigh(logits, logits), board.weigh(logits, steps)


@dataclass(frozen=True)
class _Side:
    """One side's logits, which the array `gaps` of the board holds, and where its exp(a_c) are to be."""

    board: Board
    name: str
    gaps: int
    chances: int

    def fill(self, logits: Logits, low: Logits, label: Integers, cut: tuple[Bools, Bools] | None, found: Found) -> None:
        """Find what concerns this side, of which `low` are the least logits; `cut` is what it masks, and the other."""
        gaps, chances = self.board.arrays[self.gaps], self.board.arrays[self.chances]
        flat_gaps, flat_chances = self.board.flat[self.gaps], self.board.flat[self.chances]
        greatest = self.board.position(logits.argmax(axis=1))  # on the source: half the bytes of float64
        top = flat_gaps[greatest]
        np.subtract(gaps, top[:, None], out=gaps)
        self.board.clear_rest(np.exp(gaps, out=chances))
        flat_chances[greatest] = 0.0
        excess = self.board.total(chances)
        flat_chances[greatest] = 1.0
        scale = 1.0 / (1.0 + excess)
        self._note(found, top=top, excess=excess, chance=flat_chances[label] * scale, gap=0.0 - flat_gaps[label])
        spread = top - low if cut is None else self._note_cuts(cut, scale, found)
        self._note(found, spread=spread, weighed=0.0 - self.board.weigh(chances, gaps) * scale)

    def _note_cuts(self, cut: tuple[Bools, Bools], scale: Floats, found: Found) -> Floats:
        """What mass this side has where the other one alone masks a class; the greatest gap of no masked class."""
        gaps, chances = (self.board.arrays[each][:, : self.board.classes] for each in (self.gaps, self.chances))
        theirs = cut[1] & ~cut[0]
        name = "other" if self.name == "base" else "base"
        getattr(found, f"lost_{name}")[:] = fold(np.where(theirs, chances, 0.0)) * scale
        theirs.any(axis=1, out=getattr(found, f"cut_{name}"))
        gaps[cut[0]] = 0.0
        spread: Floats = 0.0 - gaps.min(axis=1)
        return spread

    def _note(self, found: Found, **values: Floats) -> None:
        for name, value in values.items():
            getattr(found, f"{name}_{self.name}")[:] = value


def _sum_over_classes(board: Board, scale: Floats, found: Found) -> None:
    """K, J, B and G of s and exp(a), whose sum is 1/scale; what is not asked for any more is used up."""
    first, second, steps, chances = (board.arrays[each] for each in (GAPS, OTHER, STEPS, CHANCES))
    growth = np.expm1(steps, out=first)
    found.kl[:] = board.weigh(chances, np.subtract(growth, steps, out=second)) * scale
    moved = np.multiply(chances, growth, out=second)
    np.subtract(board.weigh(moved, steps) * scale, found.kl, out=found.reverse)
    found.tv[:] = board.total(np.abs(moved, out=steps)) * (0.5 * scale)
    np.multiply(growth, 0.5, out=growth)
    logs = np.log1p(growth, out=steps)
    cross = board.weigh(moved, logs)
    rest = board.weigh(chances, np.subtract(growth, logs, out=first))
    found.js[:] = 0.5 * found.reverse + (rest - 0.5 * cross) * scale
