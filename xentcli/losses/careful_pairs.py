"""The sums over the classes of two softmaxes, with all their digits, for pairs of rows that `quick_pairs` leaves open.

In the symbols of `pair_radii`: φ is its series where |s| < 2⁻⁶, and expm1(s) − s elsewhere; e^s (s − 1) + 1 = s² + (s −
1)φ; and with t = s/2 the terms of JS are sqrt(pq)·k(t), k(t) = t sinh t − cosh t log cosh t, by its series where |s| <
2⁻⁶, and elsewhere ½p·(s e^s − (1 + e^s)·log1p(expm1(s)/2)).  Where p has underflowed, p φ is q and p (1 + e^s (s − 1))
is q (s − 1).

What a sum is off by, v, given p and s as they were computed, is a relative error of terms that are not negative, h·u of
the additions and those of the functions of s.  A series errs by 8u.  Where |s| ≥ 2⁻⁶, expm1 errs by E·u·|expm1(s)|, and
|expm1(s)|/φ(s) is at most 2/|s| + 1 ≤ 129: φ errs by (E + 1)·129u ≤ 2¹¹u.  s² + (s − 1)φ errs by at most 3u·s² + |s −
1|·φ·2¹¹u.  For s > −1 both s² and φ|s − 1| are at most 6 times the sum; below, the sum is at least ¼ and φ|s − 1| at
most 2s²: 2¹⁴u·(1 + s²).  The parts of a term of JS are at most 2|s|(1 + e^s), each erring by (E + 4)u, and the term is
at least ⅛s²(1 + e^s)/(1 + |s|): 2¹⁴u·(1 + |s|).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.class_sums import Floats, Grid, Integers, Logits, fold
from xentcli.losses.pair_radii import Evaluation, Found, enclose_pairs
from xentcli.losses.reference import UNIT

if TYPE_CHECKING:
    from xentcli.losses.enclosed import Bools, Divergences

ELEMENTS = 1 << 16  # of a work array, of which there are some: 512 KiB each stay in the cache
SMALL = 2.0**-6  # |s| up to which the series are taken
LEAST_CHANCE = 2.0**-900  # what is less has underflowed, or is about to
LEAST_STEP = 500.0  # where no step is as large, no chance that matters underflows
PHI = [1.0 / math.factorial(power) for power in range(2, 9)]  # of s², s³, …; the next is below 2^-59 of the first
K_SERIES = (1 / 144, -1 / 720)  # of t⁶ and t⁸; the next is below 2^-65 of t²/2


def enclose_carefully(base: Logits, other: Logits, labels: Integers) -> Divergences:
    """The divergences of all rows; [rows, classes] and [rows]."""
    rows, classes = base.shape
    found = Found.nothing(rows)
    step = max(1, ELEMENTS // classes)
    memory = np.empty((7, min(rows, step) * classes))
    for start in range(0, rows, step):
        block = slice(start, start + step)
        _fill(base[block], other[block], labels[block], memory, found.rows(block))
    return enclose_pairs(found, _evaluation(found, classes.bit_length() + 1), classes)


def _evaluation(found: Found, height: int) -> Evaluation:
    """What is proved at the head of this file."""
    near, greatest = found.greatest < SMALL, np.minimum(found.greatest, LEAST_STEP)

    def off(value: Floats, far: float | Floats) -> Floats:
        """Of a sum of terms that err by so many u where |s| is not small everywhere."""
        error: Floats = UNIT * (np.where(near, 32.0, far) + height) * value
        return error

    return Evaluation(
        height=height,
        kl=off(found.kl, 2.0**11),
        reverse=off(found.reverse, 2.0**14 * (1.0 + greatest**2)),
        js=off(found.js, 2.0**14 * (1.0 + greatest)),
        tv=UNIT * (16.0 + height) * found.tv,
    )


def _fill(base: Logits, other: Logits, labels: Integers, memory: Floats, found: Found) -> None:
    """Find it, in some rows that stay in the cache."""
    a, p, b, q, steps, first, second = (Grid.of(work, base).array for work in memory)
    label = np.arange(len(labels)), labels
    found.top_base[:], found.excess_base[:] = _shares(base, a, p, first)
    found.top_other[:], found.excess_other[:] = _shares(other, b, q, first)
    np.subtract(other, base, out=steps, dtype=np.float64)
    for gaps, spread, gap in ((a, found.spread_base, found.gap_base), (b, found.spread_other, found.gap_other)):
        np.subtract(0.0, gaps.min(axis=1), out=spread)
        np.subtract(0.0, gaps[label], out=gap)
    for chances, own in ((p, found.chance_base), (q, found.chance_other)):
        own[:] = chances[label]
    masked = None
    found.step[:] = steps[label]
    if max(found.spread_base.max(initial=0.0), found.spread_other.max(initial=0.0)) == np.inf:
        masked = _note_masks((a, b), (p, q), found)
        steps[masked] = 0.0
    for gaps, chances, weighed in ((a, p, found.weighed_base), (b, q, found.weighed_other)):
        np.multiply(chances, gaps, out=first)
        np.subtract(0.0, fold(first), out=weighed)
    note_ends(steps, masked, found)
    if masked is not None:
        p[masked] = q[masked] = 0.0
    np.multiply(steps, steps, out=first)
    found.squares[:] = fold(first)
    _note_line(base, steps, masked, (first, second), found)
    found.same[:] = is_constant(base, other, steps, found.low, found.high) & ~(found.cut_base | found.cut_other)
    found.offset[:] = (found.top_other - found.top_base) + (np.log1p(found.excess_other) - np.log1p(found.excess_base))
    np.subtract(steps, found.offset[:, None], out=steps)
    if masked is not None:
        steps[masked] = 0.0
    np.subtract(found.step, found.offset, out=found.step)
    _sum_over_classes(p, q, steps, (a, b, first, second), found)  # nothing more is asked of the gaps


def _note_line(base: Logits, steps: Floats, masked: Bools | None, memory: tuple[Floats, Floats], found: Found) -> None:
    """The sums that tell how far y is a straight line of x, with two arrays to work in."""
    logits, scratch = memory
    np.copyto(logits, base)
    found.counted[:] = base.shape[1]
    if masked is not None:
        found.counted[:] -= np.count_nonzero(masked, axis=1)
        logits[masked] = 0.0
    for one, two, total in ((logits, logits, found.norm_base), (logits, steps, found.cross)):
        np.multiply(one, two, out=scratch)
        total[:] = fold(scratch)
    np.copyto(scratch, steps)
    found.sum_steps[:] = fold(scratch)
    found.sum_base[:] = fold(logits)


def _shares(logits: Logits, gaps: Floats, chances: Floats, scratch: Floats) -> tuple[Floats, Floats]:
    """Fill in a_c and the softmax of one side; the greatest logit and T."""
    np.copyto(gaps, logits)
    greatest = np.arange(len(logits)), logits.argmax(axis=1)
    top = gaps[greatest]
    np.subtract(gaps, top[:, None], out=gaps)
    np.exp(gaps, out=chances)
    chances[greatest] = 0.0
    np.copyto(scratch, chances)
    excess = fold(scratch).copy()
    chances[greatest] = 1.0
    np.multiply(chances, (1.0 / (1.0 + excess))[:, None], out=chances)
    return top, excess


def _note_masks(gaps: tuple[Floats, Floats], chances: tuple[Floats, Floats], found: Found) -> Bools:
    """Note what mass one side has in classes that the other masks; the gaps of masked classes become 0.

    Returns the classes that either side masks, [rows, classes].
    """
    cut_base, cut_other = (np.isneginf(each) for each in gaps)
    only_base, only_other = cut_base & ~cut_other, cut_other & ~cut_base
    only_base.any(axis=1, out=found.cut_base)
    only_other.any(axis=1, out=found.cut_other)
    found.lost_base[:] = fold(np.where(only_base, chances[1], 0.0))
    found.lost_other[:] = fold(np.where(only_other, chances[0], 0.0))
    gaps[0][cut_base] = gaps[1][cut_other] = 0.0
    masked: Bools = cut_base | cut_other
    return masked


def note_ends(steps: Floats, masked: Bools | None, found: Found) -> None:
    """The least and the greatest y − x of the classes that neither side masks; [rows, classes]."""
    if masked is None:
        steps.min(axis=1, out=found.low)
        steps.max(axis=1, out=found.high)
    else:
        steps.min(axis=1, where=~masked, initial=np.inf, out=found.low)
        steps.max(axis=1, where=~masked, initial=-np.inf, out=found.high)


def _sum_over_classes(p: Floats, q: Floats, steps: Floats, memory: tuple[Floats, ...], found: Found) -> None:
    """The four sums, of chances and s [rows, classes], with four arrays to work in."""
    phi, growth, term, squares = memory
    np.multiply(steps, steps, out=squares)
    _phi_series(steps, squares, phi)
    np.add(phi, steps, out=growth)
    np.abs(steps, out=term)
    far = term >= SMALL  # of each number alone, as neighbours must not be seen in the bits
    is_far = bool(far.any())
    if is_far:
        np.expm1(steps, out=term)
        np.copyto(growth, term, where=far)
        np.copyto(phi, np.subtract(term, steps, out=term), where=far)
    lost = (p < LEAST_CHANCE) & (steps > LEAST_STEP) if is_far and steps.max() > LEAST_STEP else None

    def total(instead: Floats | float) -> Floats:
        """The sum of the terms; where p has underflowed, they are q times this."""
        if lost is not None:
            np.copyto(term, q * instead, where=lost)
        return fold(term)

    np.multiply(p, phi, out=term)
    found.kl[:] = total(1.0)
    np.multiply(p, growth, out=term)
    np.abs(term, out=term)
    np.multiply(total(1.0), 0.5, out=found.tv)
    np.subtract(steps, 1.0, out=term)
    np.multiply(term, phi, out=term)
    np.add(term, squares, out=term)
    np.multiply(term, p, out=term)
    found.reverse[:] = total(steps - 1.0 if lost is not None else 1.0)
    np.multiply(p, q, out=phi)
    np.sqrt(phi, out=phi)
    np.multiply(_k_series(squares, term), phi, out=term)
    if is_far:
        np.copyto(term, _js_terms(p, steps, growth, phi), where=far)
    found.js[:] = total(0.5 * math.log(2.0))


def _phi_series(steps: Floats, squares: Floats, total: Floats) -> None:
    """φ(s) by its series, for |s| < 2⁻⁶."""
    np.multiply(steps, PHI[-1], out=total)
    for coefficient in reversed(PHI[1:-1]):
        np.add(total, coefficient, out=total)
        np.multiply(total, steps, out=total)
    np.add(total, PHI[0], out=total)
    np.multiply(total, squares, out=total)


def _k_series(squares: Floats, total: Floats) -> Floats:
    """k(s/2) of s² by its series; `squares` becomes (s/2)²."""
    np.multiply(squares, 0.25, out=squares)
    np.multiply(squares, K_SERIES[1], out=total)
    np.add(total, K_SERIES[0], out=total)
    np.multiply(total, squares, out=total)
    np.multiply(total, squares, out=total)
    np.add(total, 0.5, out=total)
    np.multiply(total, squares, out=total)
    return total


def _js_terms(p: Floats, steps: Floats, growth: Floats, terms: Floats) -> Floats:
    """½p·(s e^s − (1 + e^s)ℓ), ℓ = log1p(expm1(s)/2), as ½p·((s − ℓ)(1 + e^s) − s); `growth` is used up."""
    np.multiply(growth, 0.5, out=terms)
    np.log1p(terms, out=terms)
    np.subtract(steps, terms, out=terms)
    np.add(growth, 2.0, out=growth)
    np.multiply(terms, growth, out=terms)
    np.subtract(terms, steps, out=terms)
    np.multiply(terms, p, out=terms)
    np.multiply(terms, 0.5, out=terms)
    return terms


def is_constant(base: Logits, other: Logits, steps: Floats, low: Floats, high: Floats) -> Bools:
    """Rows whose y − x is one number, exactly: none of the differences was rounded."""
    same: Bools = (low == high) & np.isfinite(low)
    chosen = np.flatnonzero(same & (low != 0.0))
    if chosen.size:
        x, y, step = base[chosen].astype(np.float64), other[chosen], steps[chosen]
        total = x + step
        back = total - x
        rest = (x - (total - back)) + (step - back)  # what this addition rounded off: Knuth's TwoSum
        same[chosen] = ((rest == 0.0) & (total == y) | np.isneginf(x)).all(axis=1)
    return same
