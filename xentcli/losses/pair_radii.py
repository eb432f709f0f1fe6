"""How sure the sums over the classes of two softmaxes are: radii, and their proof.

Symbols, one row of C logits x (base) and y (other), p and q their softmaxes:

    a_c = x_c − max x ≤ 0      T = Σ exp(a_c) over all classes but one at the maximum      λ = log1p(T)
    D = (max y + λ_y) − (max x + λ_x)         s_c = (y_c − x_c) − D = log q_c − log p_c
    φ(s) = e^s − 1 − s ≥ 0         KL(p‖q) = Σ p φ(s)          KL(q‖p) = Σ q φ(−s) = Σ p (1 + e^s (s − 1))
    TV = ½ Σ |q − p|               JS = ½ Σ [p log(p/m) + q log(q/m)],  m = ½ (p + q)

Σ p φ(s) is the textbook's Σ p (log p − log q), as Σ p = Σ q = 1, and no term of it is negative: nothing cancels.

Assumptions: those of `reference`, for numpy's expm1 and negative arguments of log1p, too; u = 2⁻⁵³, E = 8, h the height
of the tree of additions and one for the rounding of a product.

Radii.  e is the error of D, the same for all classes, and ε_c what roundings of s_c differ by from class to class:

    |e| ≤ δ_x + δ_y + u(|max y − max x| + |λ_y − λ_x| + |D|)          |ε_c| ≤ u(2|s_c| + |D|) ≤ ε, its maximum
    θ = u(E + 3 + max|a|) + σ: the relative error of p and q, σ that of 1 + T                J = KL(p‖q) + KL(q‖p)
    KL(p‖q)   θ·KL + v + u(2J + 2|D|TV) + e² + ε² + |e|·Q         Q the mass of the classes that only one side masks
    KL(q‖p)   the same, and |e|·KL
    TV        θ·TV + v + ½(|e| + ε)
    JS        θ·JS + v + |e|·JS + e² + ½ε(2·JS + TV) + ε²

v is what the sum is off by, given p and s as they were computed: `quick_pairs` and `careful_pairs` each have their own.

Proof.  Σ p φ(s + e) = KL + φ(e) exactly, as Σ p e^s = 1 and Σ p s = −KL, and φ(e) ≤ e²: an error of D is of second
order.  (Of classes that x masks, Q is missing in Σ p e^s, whence |e|·Q.)  φ' = e^s − 1, so that ε moves the sum by at
most Σ p |ε_c||e^s − 1| ≤ u Σ p (2|s| + |D|)|e^s − 1| and ε² Σ q e^ε; Σ p s(e^s − 1) = J, Σ p|e^s − 1| = 2 TV.  The same
holds with p and q exchanged, but that the weights are then q = p e^s, which e makes e^e times as great.  TV has the
derivative ½ Σ ±q in e.  For JS it is ½ Σ q log(q/m) = ½ KL(q‖m) ≤ JS, the second derivative is at most 1, and
Σ q |log(q/m)| ≤ KL(q‖m) + TV.  The terms are not negative, so that θ is a relative error of each sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.enclosed import Bools, Divergences, Enclosed
from xentcli.losses.reference import KERNEL, TINY, UNIT

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Floats

LARGEST_EXPONENT = 745.0  # beyond it an exponential is 0
COARSE = 2.0**-10  # errors of s from which on nothing is claimed
UNDERFLOW = 2.0**-500  # what products of two probabilities that have underflowed may lose, and more
MARGIN = 1.0 + 2.0**-10  # products of errors


@dataclass(frozen=True)
class Found:
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
    sum_base: Floats  # Σ x
    sum_steps: Floats  # Σ (y − x)
    norm_base: Floats  # Σ x²
    cross: Floats  # Σ x (y − x)
    counted: Floats  # the classes that neither side masks, of which these five are
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

    @classmethod
    def nothing(cls, rows: int) -> Found:
        """Zeros, to be filled."""
        return cls(**{each.name: np.zeros(rows, each.metadata.get("kind", np.float64)) for each in fields(cls)})

    def rows(self, chosen: slice) -> Found:
        """Views of some rows."""
        return Found(**{name: values[chosen] for name, values in vars(self).items()})

    @property
    def greatest(self) -> Floats:
        """max |s|."""
        greatest: Floats = np.maximum(np.abs(self.low - self.offset), np.abs(self.high - self.offset))
        return np.where(np.isinf(self.low), 0.0, greatest)


@dataclass(frozen=True)
class Evaluation:
    """What the four sums are off by, given p and s as they were computed: v; [rows]."""

    height: int  # h, of all sums of the pass
    kl: Floats
    reverse: Floats
    js: Floats
    tv: Floats


def enclose_pairs(found: Found, off: Evaluation, classes: int) -> Divergences:
    """With the radii."""
    x = _Side(found.top_base, found.excess_base, found.spread_base, classes, off.height)
    y = _Side(found.top_other, found.excess_other, found.spread_other, classes, off.height)
    errors = _Errors.of(x, y, found)
    tv = found.tv + 0.5 * (found.lost_base + found.lost_other)
    js = found.js + 0.5 * math.log(2.0) * (found.lost_base + found.lost_other)
    kl = np.where(found.cut_other, np.inf, found.kl + found.lost_base)
    reverse = np.where(found.cut_base, np.inf, found.reverse + found.lost_other)
    uneven, chances = errors.second_order(found.kl + found.reverse, tv), (found.chance_base, found.chance_other)
    delta = np.where(np.abs(found.step) < 1.0, chances[0] * np.expm1(found.step), chances[1] - chances[0])
    pair = {
        "kl": errors.kl(kl, off.kl + uneven + errors.offset * found.lost_base),
        "kl_reverse": errors.kl(reverse, off.reverse + uneven + errors.offset * (reverse + found.lost_other)),
        "js": errors.js(js, off.js, tv),
        "tv": errors.tv(tv, off.tv),
        "loss_difference": errors.difference(0.0 - found.step),
        "delta_p": errors.delta(delta, found.step, chances),
    }
    return Divergences(
        **{name: _zero_where(found.same, each) for name, each in pair.items()},
        entropy_base=x.entropy(found.weighed_base),
        entropy_other=y.entropy(found.weighed_other),
        loss_base=x.loss(found.gap_base),
        loss_other=y.loss(found.gap_other),
        chance_base=found.chance_base,
        chance_other=found.chance_other,
        confidence_base=1.0 / (1.0 + found.excess_base),
        greatest=np.maximum(np.abs(found.low), np.abs(found.high)),
        squares=found.squares,
        sum_base=found.sum_base,
        sum_steps=found.sum_steps,
        norm_base=found.norm_base,
        cross=found.cross,
        counted=found.counted,
        same=found.same,
    )


@dataclass(frozen=True)
class _Side:
    """One side's sums, and their errors; all arrays are [rows]."""

    top: Floats
    excess: Floats
    spread: Floats
    classes: int
    height: int

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
        error: Floats = (UNIT * share * (self.height + KERNEL + entropy) + others * TINY) * MARGIN
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
        """λ + Σ p |a|, of which neither part is negative; each p that underflows may lose TINY."""
        value = self.log_sum + weighed
        relative = self.chance_error + UNIT * (self.height + 4.0)
        lost = LARGEST_EXPONENT * self.classes * TINY
        return Enclosed(value, (self.log_sum_error + weighed * relative + UNIT * value + lost) * MARGIN)

    def loss(self, gap: Floats) -> Enclosed:
        """λ + |a| of the label, as `reference` encloses it."""
        value = self.log_sum + gap
        radius = (self.log_sum_error + UNIT * (2.0 * gap + 3.0 * self.log_sum)) * MARGIN + TINY
        return Enclosed(value, np.where(np.isfinite(value), radius, 0.0))


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
    def of(cls, x: _Side, y: _Side, found: Found) -> _Errors:
        size = np.abs(found.offset)
        apart = np.abs(y.top - x.top) + np.abs(y.log_sum - x.log_sum) + size
        return cls(
            chance=np.maximum(x.chance_error, y.chance_error),
            offset=(x.log_sum_error + y.log_sum_error + UNIT * apart) * MARGIN,
            size=size,
            greatest=found.greatest,
            classes=x.classes,
            known=np.isfinite(x.top) & np.isfinite(y.top),
        )

    @property
    def uneven(self) -> Floats:
        """ε, the greatest |ε_c|."""
        return UNIT * (2.0 * self.greatest + self.size) * MARGIN

    def second_order(self, both: Floats, tv: Floats) -> Floats:
        """Of KL, one way or the other, what e and ε do; `both` is J."""
        return UNIT * (2.0 * both + 2.0 * self.size * tv) + self.offset**2 + 2.0 * self.uneven**2

    def kl(self, value: Floats, off: Floats) -> Enclosed:
        """Of KL one way, that is off by so much beside θ."""
        return self._enclosed(value, np.where(np.isposinf(value), 0.0, self.chance * value + off))

    def js(self, value: Floats, off: Floats, tv: Floats) -> Enclosed:
        radius = (self.chance + self.offset) * value + off + self.offset**2
        return self._enclosed(value, radius + 0.5 * self.uneven * (2.0 * value + tv) + 2.0 * self.uneven**2)

    def tv(self, value: Floats, off: Floats) -> Enclosed:
        return self._enclosed(value, self.chance * value + off + 0.5 * (self.offset + self.uneven))

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


def _zero_where(same: Bools, each: Enclosed) -> Enclosed:
    return Enclosed(np.where(same, 0.0, each.value), np.where(same, 0.0, each.radius))
