"""How far two softmaxes are from each other, enclosed by proof: one float64 pass over both, values and radii.

Symbols, one row of C logits x (base) and y (other), p and q their softmaxes:

    a_c = x_c − max x ≤ 0      T = Σ exp(a_c) over all classes but one at the maximum      λ = log1p(T)
    D = (max y + λ_y) − (max x + λ_x)         s_c = (y_c − x_c) − D = log q_c − log p_c
    φ(s) = e^s − 1 − s ≥ 0         KL(p‖q) = Σ p φ(s)          KL(q‖p) = Σ q φ(−s) = Σ p (1 + e^s (s − 1))
    TV = ½ Σ |q − p|               JS = ½ Σ [p log(p/m) + q log(q/m)],  m = ½ (p + q)

Σ p φ(s) is the textbook's Σ p (log p − log q), as Σ p = Σ q = 1, and no term of it is negative: nothing cancels.
φ is its series where |s| < 2⁻⁶, and expm1(s) − s elsewhere; e^s (s − 1) + 1 = s² + (s − 1)φ; and with t = s/2 the terms
of JS are sqrt(pq)·k(t), k(t) = t sinh t − cosh t log cosh t, by its series where |s| < 2⁻⁶, and elsewhere
½p·(s e^s − (1 + e^s)·log1p(expm1(s)/2)).  Where p has underflowed, p φ is q and p (1 + e^s (s − 1)) is q (s − 1).

Assumptions: those of `reference`, for numpy's expm1 and negative arguments of log1p, too; u = 2⁻⁵³, E = 8, h the height
of the tree of additions.

Radii.  e is the error of D, the same for all classes, and ε_c what roundings of s_c differ by from class to class:

    |e| ≤ δ_x + δ_y + u(|max y − max x| + |λ_y − λ_x| + |D|)          |ε_c| ≤ u(2|s_c| + |D|) ≤ ε, its maximum
    θ = u(E + 3 + max|a|) + σ: the relative error of p and q, σ that of 1 + T                J = KL(p‖q) + KL(q‖p)
    KL   rel·KL + u(2J + 2|D|TV) + e² + ε² + |e|·Q         Q the mass of the classes that only one side masks
    TV   rel·TV + ½(|e| + ε)
    JS   rel·JS + |e|·JS + e² + ½ε(2·JS + TV) + ε²

Proof.  Σ p φ(s + e) = KL + φ(e) exactly, as Σ p e^s = 1 and Σ p s = −KL, and φ(e) ≤ e²: an error of D is of second
order.  (Of classes that x masks, Q is missing in Σ p e^s, whence |e|·Q.)  φ' = e^s − 1, so that ε moves the sum by at
most Σ p |ε_c||e^s − 1| ≤ u Σ p (2|s| + |D|)|e^s − 1| and ε² Σ q e^ε; Σ p s(e^s − 1) = J, Σ p|e^s − 1| = 2 TV.  The same
holds with p and q exchanged.  TV has the derivative ½ Σ ±q in e.  For JS it is ½ Σ q log(q/m) = ½ KL(q‖m) ≤ JS, the
second derivative is at most 1, and Σ q |log(q/m)| ≤ KL(q‖m) + TV.

All other errors are relative ones of sums of terms that are not negative: θ of p, h·u of the additions, and those of
the functions of s.  A series errs by 8u.  Where |s| ≥ 2⁻⁶, expm1 errs by E·u·|expm1(s)|, and |expm1(s)|/φ(s) is at most
2/|s| + 1 ≤ 129: φ errs by (E + 1)·129u ≤ 2¹¹u.  s² + (s − 1)φ errs by at most 3u·s² + |s − 1|·φ·2¹¹u.  For s > −1 both
s² and φ|s − 1| are at most 6 times the sum; below, the sum is at least ¼ and φ|s − 1| at most 2s²: 2¹⁴u·(1 + s²).  The
parts of a term of JS are at most 2|s|(1 + e^s), each erring by (E + 4)u, and the term is at least
⅛s²(1 + e^s)/(1 + |s|): 2¹⁴u·(1 + |s|).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from xentcli.losses.class_sums import Floats, Grid, Integers, Logits, fold
from xentcli.losses.reference import KERNEL, TINY, UNIT, Bools

CHUNK = 8192  # rows whose radii are made together, in the cache
ELEMENTS = 1 << 16  # of a work array, of which there are some: 512 KiB each stay in the cache
SMALL = 2.0**-6  # |s| up to which the series are taken
LEAST_CHANCE = 2.0**-900  # what is less has underflowed, or is about to
LEAST_STEP = 500.0  # where no step is as large, no chance that matters underflows
LARGEST_EXPONENT = 745.0  # beyond it an exponential is 0
COARSE = 2.0**-10  # errors of s from which on nothing is claimed
UNDERFLOW = 2.0**-500  # what products of two probabilities that have underflowed may lose, and more
ENDS = ("value", "radius")
MARGIN = 1.0 + 2.0**-10  # products of errors
PHI = [1.0 / math.factorial(power) for power in range(2, 9)]  # of s², s³, …; the next is below 2^-59 of the first
K_SERIES = (1 / 144, -1 / 720)  # of t⁶ and t⁸; the next is below 2^-65 of t²/2


@dataclass(frozen=True)
class Enclosed:
    """The true values lie in value ± radius; [rows].  An infinite radius says that nothing is known."""

    value: Floats
    radius: Floats

    @property
    def lower(self) -> Floats:
        """Lower ends, rounded outwards."""
        return np.where(self.radius > 0.0, np.nextafter(self.value - self.radius, -np.inf), self.value)

    @property
    def upper(self) -> Floats:
        """Upper ends, rounded outwards."""
        return np.where(self.radius > 0.0, np.nextafter(self.value + self.radius, np.inf), self.value)


@dataclass(frozen=True)
class Divergences:
    """What two sets of logits differ by in each row; all arrays are [rows].

    kl          KL(p‖q) in nats, p the base's softmax; inf where the other side masks a class that the base does not
    kl_reverse  KL(q‖p)
    js          Jensen-Shannon divergence, in nats: at most ln 2
    tv          total variation, 0 to 1
    entropy_base, entropy_other   in nats
    loss_base, loss_other         −log of the label's probability, that of class 0 without labels
    loss_difference               the other's loss less the base's
    delta_p     the label's probability in the other less that in the base
    chance_base, chance_other     the label's probability
    confidence_base               the greatest probability
    greatest    max |y − x|
    squares     Σ (y − x)² over the classes
    same        bool: rows whose logits are equal, or differ by one constant, exactly

    NaN where a row has NaN or +inf, or masks every class.
    """

    kl: Enclosed
    kl_reverse: Enclosed
    js: Enclosed
    tv: Enclosed
    entropy_base: Enclosed
    entropy_other: Enclosed
    loss_base: Enclosed
    loss_other: Enclosed
    loss_difference: Enclosed
    delta_p: Enclosed
    chance_base: Floats
    chance_other: Floats
    confidence_base: Floats
    greatest: Floats
    squares: Floats
    same: Bools


def diverge(base: Logits, other: Logits, labels: Integers | None = None) -> Divergences:
    """Enclose all divergences of all rows.

    base, other  [rows, classes], the exact stored values; 16-bit formats come widened to float32
    labels       [rows], each a class; None takes class 0, for nobody to look at
    """
    labels = np.zeros(len(base), np.int64) if labels is None else labels
    memory = np.empty((7, max(1, min(CHUNK, len(base), ELEMENTS // base.shape[1])) * base.shape[1]))
    chunks = [slice(start, start + CHUNK) for start in range(0, max(1, len(base)), CHUNK)]
    with np.errstate(all="ignore"):  # NaN and infinity are answers here, not accidents
        return _joined([_diverge(base[chunk], other[chunk], labels[chunk], memory) for chunk in chunks])


def _diverge(base: Logits, other: Logits, labels: Integers, memory: Floats) -> Divergences:
    rows, classes = base.shape
    found = _Found(**{each.name: np.zeros(rows, each.metadata.get("kind", np.float64)) for each in fields(_Found)})
    step = max(1, ELEMENTS // classes)
    for start in range(0, rows, step):
        block = slice(start, start + step)
        _fill(base[block], other[block], labels[block], memory, found.rows(block))
    return found.enclosed(classes)


@dataclass(frozen=True)
class _Found:
    """What one pass over the classes of both sides finds; float64 and [rows] where nothing else is said."""

    top_base: Floats  # the greatest logit
    top_other: Floats
    excess_base: Floats  # T
    excess_other: Floats
    spread_base: Floats  # max |a_c|
    spread_other: Floats
    gap_base: Floats  # |a| of the label
    gap_other: Floats
    weighed_base: Floats  # Σ p |a|
    weighed_other: Floats
    chance_base: Floats  # p of the label
    chance_other: Floats
    offset: Floats  # D
    low: Floats  # the least y − x
    high: Floats  # the greatest
    squares: Floats  # Σ (y − x)²
    step: Floats  # s of the label
    kl: Floats  # the sums over the classes that neither side masks
    reverse: Floats
    js: Floats
    tv: Floats
    lost_base: Floats  # the other side's mass in classes that the base alone masks
    lost_other: Floats
    cut_base: Bools = field(metadata={"kind": np.bool_})  # whether the base alone masks a class
    cut_other: Bools = field(metadata={"kind": np.bool_})
    same: Bools = field(metadata={"kind": np.bool_})  # whether all y − x are one number, exactly

    def rows(self, chosen: slice) -> _Found:
        """Views of some rows."""
        return _Found(**{name: values[chosen] for name, values in vars(self).items()})

    def enclosed(self, classes: int) -> Divergences:
        """With the radii."""
        x = _Side(self.top_base, self.excess_base, self.spread_base, classes)
        y = _Side(self.top_other, self.excess_other, self.spread_other, classes)
        errors = _Errors.of(x, y, self)
        tv = self.tv + 0.5 * (self.lost_base + self.lost_other)
        js = self.js + 0.5 * math.log(2.0) * (self.lost_base + self.lost_other)
        kl = np.where(self.cut_other, np.inf, self.kl + self.lost_base)
        reverse = np.where(self.cut_base, np.inf, self.reverse + self.lost_other)
        both, chances = self.kl + self.reverse, (self.chance_base, self.chance_other)
        delta = np.where(np.abs(self.step) < 1.0, chances[0] * np.expm1(self.step), chances[1] - chances[0])
        pair = {
            "kl": errors.kl(kl, both, tv, self.lost_base),
            "kl_reverse": errors.reverse(reverse, both, tv, self.lost_other),
            "js": errors.js(js, tv),
            "tv": errors.tv(tv),
            "loss_difference": errors.difference(0.0 - self.step),
            "delta_p": errors.delta(delta, self.step, chances),
        }
        return Divergences(
            **{name: _zero_where(self.same, each) for name, each in pair.items()},
            entropy_base=x.entropy(self.weighed_base),
            entropy_other=y.entropy(self.weighed_other),
            loss_base=x.loss(self.gap_base),
            loss_other=y.loss(self.gap_other),
            chance_base=self.chance_base,
            chance_other=self.chance_other,
            confidence_base=1.0 / (1.0 + self.excess_base),
            greatest=np.maximum(np.abs(self.low), np.abs(self.high)),
            squares=self.squares,
            same=self.same,
        )


@dataclass(frozen=True)
class _Side:
    """One side's sums, and their errors; all arrays are [rows]."""

    top: Floats
    excess: Floats
    spread: Floats
    classes: int

    @cached_property
    def log_sum(self) -> Floats:
        """λ."""
        return np.log1p(self.excess)

    @cached_property
    def sum_error(self) -> Floats:
        """σ, the relative error of 1 + T: what `reference` proves of λ but for log1p's own."""
        others = max(self.classes - 1, 1)
        entropy = math.log(others) - np.log(np.maximum(self.excess, TINY))
        share = self.excess / (1.0 + self.excess)
        error: Floats = (UNIT * share * (others.bit_length() + KERNEL + entropy) + others * TINY) * MARGIN
        return error

    @cached_property
    def log_sum_error(self) -> Floats:
        """δ, the error of λ."""
        error: Floats = self.sum_error + UNIT * KERNEL * self.log_sum * MARGIN
        return error

    @property
    def chance_error(self) -> Floats:
        """θ, the relative error of each p that has not underflowed."""
        error: Floats = UNIT * (KERNEL + 3.0 + np.minimum(self.spread, LARGEST_EXPONENT)) + self.sum_error
        return error * MARGIN

    def entropy(self, weighed: Floats) -> Enclosed:
        """λ + Σ p |a|, of which neither part is negative."""
        value = self.log_sum + weighed
        relative = self.chance_error + UNIT * (self.classes.bit_length() + 4.0)
        return Enclosed(value, (self.log_sum_error + weighed * relative + UNIT * value) * MARGIN + TINY)

    def loss(self, gap: Floats) -> Enclosed:
        """λ + |a| of the label, as `reference` encloses it."""
        value = self.log_sum + gap
        radius = (self.log_sum_error + UNIT * (2.0 * gap + 3.0 * self.log_sum)) * MARGIN + TINY
        return Enclosed(value, np.where(np.isfinite(value), radius, 0.0))


def _fill(base: Logits, other: Logits, labels: Integers, memory: Floats, found: _Found) -> None:
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
    if masked is None:
        steps.min(axis=1, out=found.low)
        steps.max(axis=1, out=found.high)
    else:
        steps.min(axis=1, where=~masked, initial=np.inf, out=found.low)
        steps.max(axis=1, where=~masked, initial=-np.inf, out=found.high)
        p[masked] = q[masked] = 0.0
    np.multiply(steps, steps, out=first)
    found.squares[:] = fold(first)
    found.same[:] = _is_constant(base, other, steps, found.low, found.high) & ~(found.cut_base | found.cut_other)
    found.offset[:] = (found.top_other - found.top_base) + (np.log1p(found.excess_other) - np.log1p(found.excess_base))
    np.subtract(steps, found.offset[:, None], out=steps)
    if masked is not None:
        steps[masked] = 0.0
    np.subtract(found.step, found.offset, out=found.step)
    _sum_over_classes(p, q, steps, (a, b, first, second), found)  # nothing more is asked of the gaps


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


def _note_masks(gaps: tuple[Floats, Floats], chances: tuple[Floats, Floats], found: _Found) -> Bools:
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


def _sum_over_classes(p: Floats, q: Floats, steps: Floats, memory: tuple[Floats, ...], found: _Found) -> None:
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


@dataclass(frozen=True)
class _Errors:
    """The radii that are proved at the head of this file; all arrays are [rows]."""

    chance: Floats  # θ
    offset: Floats  # |e|
    size: Floats  # |D|
    greatest: Floats  # max |s|
    classes: int
    known: Bools  # rows that have a softmax on both sides

    @classmethod
    def of(cls, x: _Side, y: _Side, found: _Found) -> _Errors:
        size = np.abs(found.offset)
        apart = np.abs(y.top - x.top) + np.abs(y.log_sum - x.log_sum) + size
        greatest = np.maximum(np.abs(found.low - found.offset), np.abs(found.high - found.offset))
        return cls(
            chance=np.maximum(x.chance_error, y.chance_error),
            offset=(x.log_sum_error + y.log_sum_error + UNIT * apart) * MARGIN,
            size=size,
            greatest=np.where(np.isinf(found.low), 0.0, greatest),
            classes=x.classes,
            known=np.isfinite(x.top) & np.isfinite(y.top),
        )

    @property
    def uneven(self) -> Floats:
        """ε, the greatest |ε_c|."""
        return UNIT * (2.0 * self.greatest + self.size) * MARGIN

    def _relative(self, near: float, far: float | Floats) -> Floats:
        """Of a sum of terms that err by so many u where |s| is small everywhere, and else."""
        return self.chance + UNIT * (np.where(self.greatest < SMALL, near, far) + self.classes.bit_length())

    def kl(self, value: Floats, both: Floats, tv: Floats, missing: Floats, far: float | Floats = 2.0**11) -> Enclosed:
        """Of KL one way; `both` is J, and `missing` Q."""
        radius = self._relative(32.0, far) * value + UNIT * (2.0 * both + 2.0 * self.size * tv)
        radius += self.offset**2 + 2.0 * self.uneven**2 + self.offset * missing
        return self._enclosed(value, np.where(np.isposinf(value), 0.0, radius))

    def reverse(self, value: Floats, both: Floats, tv: Floats, missing: Floats) -> Enclosed:
        """Of KL the other way, whose terms are sums of two that cancel."""
        return self.kl(value, both, tv, missing, 2.0**14 * (1.0 + np.minimum(self.greatest, LEAST_STEP) ** 2))

    def js(self, value: Floats, tv: Floats) -> Enclosed:
        far = 2.0**14 * (1.0 + np.minimum(self.greatest, LEAST_STEP))
        radius = (self._relative(32.0, far) + self.offset) * value + self.offset**2
        return self._enclosed(value, radius + 0.5 * self.uneven * (2.0 * value + tv) + 2.0 * self.uneven**2)

    def tv(self, value: Floats) -> Enclosed:
        return self._enclosed(value, self._relative(16.0, 16.0) * value + 0.5 * (self.offset + self.uneven))

    def difference(self, value: Floats) -> Enclosed:
        return self._enclosed(value, self.offset + UNIT * (2.0 * np.abs(value) + self.size))

    def delta(self, value: Floats, step: Floats, chances: tuple[Floats, Floats]) -> Enclosed:
        small = np.abs(value) * (self.chance + 16.0 * UNIT) + chances[1] * (self.offset + self.uneven)
        large = (chances[0] + chances[1]) * (self.chance + 2.0 * UNIT)
        return self._enclosed(value, np.where(np.abs(step) < 1.0, small, large))

    def _enclosed(self, value: Floats, radius: Floats) -> Enclosed:
        """With the underflows; nothing is known where float64 is too coarse or too small, NaN where there is none."""
        radius = radius * MARGIN + self.classes * UNDERFLOW
        fine = (np.maximum(self.offset, self.uneven) < COARSE) & (np.isfinite(radius) | np.isposinf(value))
        radius, value = np.where(fine, radius, np.inf), np.where(fine, value, 0.0)
        return Enclosed(np.where(self.known, value, np.nan), np.where(self.known & ~np.isposinf(value), radius, 0.0))


def _is_constant(base: Logits, other: Logits, steps: Floats, low: Floats, high: Floats) -> Bools:
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


def _zero_where(same: Bools, each: Enclosed) -> Enclosed:
    return Enclosed(np.where(same, 0.0, each.value), np.where(same, 0.0, each.radius))


def _joined(parts: list[Divergences]) -> Divergences:
    """The rows of one after those of the other."""
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for name in vars(parts[0]):
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], Enclosed):
            joined[name] = Enclosed(*(np.concatenate([getattr(each, end) for each in values]) for end in ENDS))
        else:
            joined[name] = np.concatenate(values)
    return Divergences(**joined)
