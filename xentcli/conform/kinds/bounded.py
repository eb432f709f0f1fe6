"""Numbers with how far a computation of them may be off, step by step: running error analysis.

A `Bounded` is |computed − exact| ≤ error for every computation that does these steps with the roundings that `how`
tells, in any order of its additions. With the roundings of float64 it encloses the truth; with those of another
format it says what an honest computation in that format may return. To first order each step adds

    a ± b      e_a + e_b + u·|a ± b|
    a·b        |a|·e_b + |b|·e_a + e_a·e_b + u·|a·b|
    f(a)       |f'|·e_a, taken over the whole interval where f bends, + K·u·|f(a)|
    Σ_n        Σ e + γ_{n−1}·Σ|a|, γ_n = n·u/(1 − n·u), whatever the order
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xentcli.bounds.model import KERNEL, gamma
from xentcli.numbers.precision import FLOAT64, PRECISIONS
from xentcli.records.conformance import GRADES

Floats = NDArray[np.float64]

RESCALINGS = 256  # an online sum over blocks of classes may be rescaled so often, at four roundings each
NUMPY_KERNEL = 8.0  # exp, log1p and tanh of float64 in NumPy: 4 ulp
CARRIED = 8  # additions of samples whose running sum may be stored in 16 bits
FEW = 4.0  # roundings of scale factors: upstream, divisor, weights
OUTWARD = 1.0 + 2.0**-20  # terms of second order, and the float64 evaluation of the errors themselves


@dataclass(frozen=True)
class Rounding:
    """What is assumed of a computation.

    step       unit roundoff of the numbers between the steps
    inner      of the arithmetic inside of sums and kernels
    kernel     exp, log and tanh err by so many units of `inner`
    least      the greatest error of a result that underflows
    near_one   the logarithm of the sum of exponentials is log1p of what exceeds 1
    unshifted  a log-probability is x_y − logsumexp, rounded next to the logits
    """

    step: float
    inner: float
    kernel: float
    least: float
    near_one: bool = False
    unshifted: bool = False

    def over_classes(self, classes: int) -> float:
        """γ of a sum over the classes: by blocks, shards or one by one."""
        online = 0 if self.near_one else 4 * min(classes - 1, RESCALINGS) + 8
        return gamma(max(classes - 1, 0) + online, self.inner)

    def over_rows(self, rows: int) -> float:
        """γ of a sum over the samples: pairs or blocks of them; few may be added up in what is stored."""
        carried = min(max(rows - 1, 0), CARRIED) if self.step > self.inner else 0
        height = max(rows - 1, 0) if self.near_one else min(max(rows - 1, 0), 2 * max(rows, 1).bit_length() + 8)
        return gamma(height, self.inner) + gamma(carried, self.step)


TRUTH = Rounding(
    FLOAT64.unit_roundoff, FLOAT64.unit_roundoff, NUMPY_KERNEL, FLOAT64.smallest_normal, near_one=True
)  # below the normal numbers NumPy may flush to zero


def roundings(dtype: str) -> dict[str, Rounding]:
    """The grades of a computation in a format: at best in its arithmetic, with one rounding at the end."""
    precision = PRECISIONS[dtype]
    inner = PRECISIONS[precision.arithmetic]
    best = Rounding(inner.unit_roundoff, inner.unit_roundoff, KERNEL, inner.smallest_normal)
    stored = replace(best, step=precision.unit_roundoff, least=max(best.least, precision.smallest))
    return dict(zip(GRADES, (best, stored, replace(stored, unshifted=True)), strict=True))


@dataclass(frozen=True, eq=False)
class Bounded:
    """Values, and the greatest errors of a computation of them; where a value is not finite, it must come out so."""

    value: Floats
    error: Floats
    how: Rounding

    def made(self, value: Floats, error: Floats, steps: float = 1.0) -> Bounded:
        """The result of a step that is rounded so often."""
        with np.errstate(all="ignore"):
            spent = (error + steps * self.how.step * (np.abs(value) + error)) * OUTWARD
            spent = np.where(np.isfinite(value), np.where(np.isnan(spent), np.inf, spent), 0.0)
        return Bounded(value, spent, self.how)

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error, self.how)

    def __add__(self, other: Bounded) -> Bounded:
        with np.errstate(all="ignore"):
            return self.made(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Bounded) -> Bounded:
        return self + -other

    def __mul__(self, other: Bounded) -> Bounded:
        with np.errstate(all="ignore"):
            crossed = np.abs(self.value) * other.error + np.abs(other.value) * self.error
            return self.made(self.value * other.value, crossed + self.error * other.error + self.how.least)

    def __truediv__(self, other: Bounded) -> Bounded:
        with np.errstate(all="ignore"):
            value = self.value / other.value
            room = np.abs(other.value) - other.error
            spent = np.where(room > 0.0, (self.error + np.abs(value) * other.error) / room, np.inf)
            return self.made(value, spent + self.how.least)

    def times(self, factor: float) -> Bounded:
        """By a number that is exact in every format."""
        return Bounded(self.value * factor, self.error * abs(factor) + self.how.least, self.how)

    def exp(self) -> Bounded:
        with np.errstate(all="ignore"):
            value = np.exp(self.value)
            relative = np.expm1(self.error + self.how.kernel * self.how.inner)
            return self.made(value, np.where(value > 0.0, value * relative, 0.0) + self.how.least)

    def log(self) -> Bounded:
        with np.errstate(all="ignore"):
            value = np.log(self.value)
            share = self.error / self.value
            moved = np.where(share < 1.0, -np.log1p(-share), np.inf)
            return self.made(value, moved + self.how.kernel * self.how.inner * np.abs(value))

    def tanh(self) -> Bounded:
        """Its slope is at most 1, and at most 1 − tanh² of the near end of the interval."""
        value = np.tanh(self.value)
        near = np.maximum(np.abs(self.value) - self.error, 0.0)
        slope = 1.0 - np.tanh(near) ** 2 + 4.0 * NUMPY_KERNEL * FLOAT64.unit_roundoff
        own = self.how.kernel * self.how.inner * np.abs(value) + self.how.least
        return self.made(value, self.error * np.minimum(slope, 1.0) + own)

    def softplus(self) -> Bounded:
        """log(1 + e^x) as max(x, 0) + log1p(e^−|x|); its slope is the sigmoid, below 1."""
        with np.errstate(all="ignore"):
            tail = np.log1p(np.exp(-np.abs(self.value)))
            value = np.maximum(self.value, 0.0) + tail
            slope = np.minimum(1.0, np.exp(np.minimum(self.value + self.error, 0.0)))
            own = 2.0 * self.how.kernel * self.how.inner * tail + self.how.least
            if self.how.unshifted:  # log of a rounded 1 + e^−|x|
                own = own + self.how.step
            return self.made(value, self.error * slope + own, 2.0)

    def sigmoid(self) -> Bounded:
        """1/(1 + e^−x), whose relative slope is below 1; a cheap one is rounded next to 1."""
        with np.errstate(all="ignore"):
            tail = np.exp(-np.abs(self.value))
            value = np.where(self.value >= 0.0, 1.0, tail) / (1.0 + tail)
            relative = np.expm1(self.error + (2.0 * self.how.kernel + 2.0) * self.how.inner)
            near_one = self.how.step if self.how.unshifted else 0.0
            return self.made(value, value * relative + self.how.least + near_one)

    def power(self, exponent: float) -> Bounded:
        """Of what is not negative, for an exponent of at least 1 or of 0."""
        if exponent == 0.0:
            return exactly(np.ones_like(self.value), self.how)
        with np.errstate(all="ignore"):
            value = self.value**exponent
            far = (self.value + self.error) ** (exponent - 1.0) * exponent
            own = (2.0 * self.how.kernel * (1.0 + exponent)) * self.how.inner * value + self.how.least
            logarithm = exponent * np.abs(np.log(np.maximum(self.value, 1e-300))) * self.how.inner * self.how.kernel
            return self.made(value, self.error * far + own + value * logarithm)

    def where(self, kept: NDArray[np.bool_], other: float = 0.0) -> Bounded:
        """Exactly `other` elsewhere."""
        return Bounded(np.where(kept, self.value, other), np.where(kept, self.error, 0.0), self.how)

    def over_rows(self) -> Bounded:
        """The sum of all along the first axis."""
        growth = self.how.over_rows(len(self.value))
        with np.errstate(all="ignore"):
            spent = self.error.sum(0)
            return self.made(self.value.sum(0), spent + growth * (np.abs(self.value).sum(0) + spent))

    def over_classes(self) -> Bounded:
        """The sum of all along the last axis; zeros take no part."""
        most = int((self.value != 0.0).sum(-1).max(initial=0))
        growth = self.how.over_classes(max(most, 1)) if most > 1 else 0.0
        with np.errstate(all="ignore"):
            spent = self.error.sum(-1)
            return self.made(self.value.sum(-1), spent + growth * (np.abs(self.value).sum(-1) + spent))

    def at(self, *index: NDArray[np.int64]) -> Bounded:
        """Some of them."""
        return Bounded(self.value[index], self.error[index], self.how)

    def shaped(self, shape: tuple[int, ...]) -> Bounded:
        """In another shape."""
        return Bounded(self.value.reshape(shape), self.error.reshape(shape), self.how)

    def column(self) -> Bounded:
        """With an axis of one at the end."""
        return Bounded(self.value[..., None], self.error[..., None], self.how)

    def again(self, steps: float = FEW) -> Bounded:
        """Rounded a few times more."""
        return self.made(self.value, self.error, steps)


def constant(number: float, how: Rounding) -> Bounded:
    """A number that every format holds."""
    return exactly(np.array(number), how)


def exactly(values: Floats, how: Rounding) -> Bounded:
    """Numbers that are given."""
    return Bounded(values, np.zeros_like(values), how)


def product(left: Bounded, right: Bounded, growth: float) -> Bounded:
    """The matrix product, whose γ is given."""
    with np.errstate(all="ignore"):
        sizes = np.abs(left.value), np.abs(right.value)
        spent = left.error @ (sizes[1] + right.error) + sizes[0] @ right.error
        mass = (sizes[0] + left.error) @ (sizes[1] + right.error)
        inner = gamma(left.value.shape[-1], FLOAT64.unit_roundoff)  # of the float64 product here
        return left.made(left.value @ right.value, spent + (growth + inner) * mass + left.how.least)


def normalised(logits: Bounded) -> tuple[Bounded, Bounded]:
    """log p [rows, classes] and log Σ exp [rows] of logits that may be off themselves.

    Of logits that are off by δ_c each, log Σ exp is off by at most log Σ p_c·e^δ_c, and log p by δ_c more.
    """
    how, value = logits.how, logits.value
    stored = how.step if how.step > how.inner else 0.0
    with np.errstate(all="ignore"):
        top = value.max(-1, keepdims=True)
        steps = value - top
        gaps = np.where(np.isfinite(steps), -steps, 0.0)
        masses = np.exp(steps)
        excess = _excess(masses, value)
        log_sum = np.log1p(excess)
        moved = np.log1p((masses * np.expm1(logits.error)).sum(-1, where=masses > 0.0) / (1.0 + excess))
        share = _mass_error(masses, gaps, excess, how) / (1.0 + excess)
        own = np.where(share < 1.0, -np.log1p(-share), np.inf) + (how.kernel * how.inner + stored) * log_sum
        rounded = own[..., None] + how.step * gaps
        if how.unshifted:
            rounded = rounded + 2.0 * how.step * (np.abs(top) + log_sum[..., None])
        error = rounded + logits.error + moved[..., None]
        return logits.made(steps - log_sum[..., None], error), logits.made(top[..., 0] + log_sum, own + moved)


def _excess(masses: Floats, logits: Floats) -> Floats:
    """T = Σ exp(−d) without one greatest logit, whose 1 is exact."""
    rest = masses.copy()
    np.put_along_axis(rest, logits.argmax(-1)[..., None], 0.0, -1)
    excess: Floats = rest.sum(-1)
    return excess


def _mass_error(masses: Floats, gaps: Floats, excess: Floats, how: Rounding) -> Floats:
    """How far Σ exp(−d) may be off; log1p takes T alone, another logarithm the rounded 1 + T."""
    stored = how.step if how.step > how.inner else 0.0
    relative = np.expm1(how.step * gaps + how.kernel * how.inner + stored)
    count = masses.shape[-1]
    off = (masses * relative).sum(-1, where=gaps > 0.0) + count * how.least
    summed = excess if how.near_one else 1.0 + excess
    rounded = 0.0 if how.near_one else (how.step + how.inner) * summed
    error: Floats = off + how.over_classes(count) * (summed + off) + rounded
    return error
