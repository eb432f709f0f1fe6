"""Rounding-error bounds of the manual path: softmax, gather or weigh, −log, sum.

The computed probability is p̂ = p·r.  With d the gap of the class, L = −ln p = λ + d, u the unit roundoff of the
arithmetic a, σ the relative error of S, half = η_a/2 (all of a subnormal if they are flushed, ¾ η_a on a CUDA device):

    r ≤ hi = (1 + 4u)·exp(d·u')·(1 + u)² / (1 − σ) + Z        exp of a rounded gap, 1/S, the product
    r ≥ lo = (1 − 4u)·exp(−d·u)·(1 − u)² / (1 + σ) − Z        4u falls away at d = 0: exp(0) = 1
    Z      = half·e^d where exp(−d) may be subnormal, + half·e^L where p may be
    16 bits: r is widened by u_t, or (η_t/2)·e^L in the subnormals, as p is stored; and so with e^d before, as the
             CPU's "inner" kernel stores exp(−d) first in the elements that fill no vector

−log p̂ lies in [L − ln hi, L − ln lo]; the logarithm errs by 4u, its storing by u_t.  p̂ may be 0 where lo ≤ 0, and is
0 where all that can be left is at most half of the smallest number.  What is not 0 is at least η_t, so that no finite
value exceeds −ln η_t: a finite loss beyond it is wrong, however large the tolerance.

Given log-probabilities are the case S = 1, without the shift: p̂ = fl(exp(x)), d = L = −x, whatever the sign, σ = 0.
Of given probabilities p̂ = p, and the logarithm alone errs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.exponentials import SumErrors
from xentcli.bounds.library import coefficient_error, loses_coefficients, may_be_flushed, share_error
from xentcli.bounds.model import KERNEL, LN2, OUTWARD, Bools, Bound, Floats, LossForm, PathModel, gamma
from xentcli.losses.given import GAPS

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Logits
    from xentcli.losses.reference import Rows

WORKING_SET = 32_768  # float64 elements of a block: a dozen of such arrays stay in the cache
NEAR = 2.0**-30  # a ratio so small may be 0; also the slack of conditions on logarithms


@dataclass(frozen=True)
class LogError:
    """How far each −log p̂ may be from −log p, [rows] or [rows, classes]."""

    down: Floats
    up: Floats  # of a finite value: never beyond the greatest one there is
    vanishing: Bools  # p̂ may be 0
    vanished: Bools  # p̂ is 0

    @property
    def widest(self) -> Floats:
        return np.maximum(np.abs(self.down), np.abs(self.up))


def manual_bound(
    model: PathModel,
    rows: Rows,
    form: LossForm,
    logits: Logits | None = None,
    coefficients: Floats | None = None,
    *,
    sums: SumErrors | None = None,
) -> Bound:
    """The bound of each row's loss with reduction "none".

    `rows` as for `library_bound`.  Smoothing and probabilities need the logits, [rows, classes], and probabilities
    their coefficients w_c·(q_c(1 − e) + e/C), [rows, classes], as given to `enclose`.  `sums` are `SumErrors` of the
    rows, if they are known.
    """
    with np.errstate(all="ignore"):
        if form.probabilities:
            assert logits is not None
            assert coefficients is not None
            return _class_sum(model, rows, form, logits, coefficients).bound(model.of_terms, rows, form)
        label = _label_sum(model, rows, form, sums)
        if form.smoothing:
            assert logits is not None
            label = label.plus(_smooth_sum(model, rows, form, logits), model)
        return label.bound(model, rows, form)


def log_error(model: PathModel, rows: Rows, gap: Floats, sums: SumErrors | None = None) -> LogError:
    """The errors of −log p̂ at gaps d, [rows] or [rows, classes]."""
    if model.given == "probabilities":
        none, never = np.zeros(gap.shape), np.zeros(gap.shape, bool)
        return _after_log(model, gap, LogError(none, none, never, never))
    shape = (-1,) + (1,) * (gap.ndim - 1)
    sums = sums or SumErrors.of(model, rows.excess, rows.classes)
    loss = gap + rows.log_sum.reshape(shape)
    depth = np.abs(gap)  # a log-probability may be above 0 by a rounding
    spread, at_top = KERNEL * model.unit, depth == 0.0
    high, low = depth * (model.unit / (1.0 - model.unit)), depth * -model.unit
    high += np.where(at_top, 0.0, math.log1p(spread)) + (2.0 * math.log1p(model.unit) + sums.log_down).reshape(shape)
    low += np.where(at_top, 0.0, math.log1p(-spread))
    low += (2.0 * math.log1p(-model.unit) - np.log1p(sums.relative)).reshape(shape)
    stores = 1 + model.stores_exponentials
    down = high + stores * math.log1p(model.storage_unit)
    up = -(low + stores * math.log1p(-model.storage_unit))
    vanishing = np.zeros(gap.shape, bool)
    vanished = np.zeros(gap.shape, bool)
    least = -math.log(model.precision.smallest_normal) - 0.01  # only from here on can a subnormal come about
    if not loss.max(initial=0.0) <= least:
        tail = loss > least
        high, low, before = _tail_ratios(model, high[tail], low[tail], gap[tail], loss[tail])
        down[tail], up[tail] = np.log(high), np.where(low > NEAR, -np.log(np.maximum(low, NEAR)), np.inf)
        vanishing[tail] = ~(low > NEAR)
        vanished[tail] = _is_zero(model, gap[tail], loss[tail] - np.log(before))
    if model.given == "binary":  # exp(|z|) may be infinite where the sigmoid itself is representable
        overflowed = gap > math.log(float(model.arithmetic.largest)) - 0.01
        up, vanishing = np.where(overflowed, np.inf, up), vanishing | overflowed
    return _after_log(model, loss, LogError(down, up, vanishing | vanished, vanished))


def _tail_ratios(
    model: PathModel, high: Floats, low: Floats, gap: Floats, loss: Floats
) -> tuple[Floats, Floats, Floats]:
    """hi, lo and hi before the last rounding, from their logarithms without subnormals."""
    least_log = math.log(model.arithmetic.smallest_normal) + 0.01
    after_exp = np.where(-gap < least_log, np.exp(gap + model.log_bottom), 0.0)
    after_product = np.where(-loss < least_log, np.exp(loss + model.log_bottom), 0.0)
    high, low = np.exp(high) + after_exp, np.exp(low) - after_exp
    if not model.precision.is_half:
        return high + after_product, low - after_product, high
    high, low = high + after_product, low - after_product
    if model.stores_exponentials:
        high, low = _stored(model, high, low, gap)
    return (*_stored(model, high, low, loss), high)


def _stored(model: PathModel, high: Floats, low: Floats, depth: Floats) -> tuple[Floats, Floats]:
    """The ratios after e^−depth was stored in 16 bits."""
    least_log = math.log(model.precision.smallest_normal) + 0.01
    subnormal = np.where(-depth < least_log, np.exp(depth + _log_half(model)), 0.0)
    unit = model.storage_unit
    return high + np.maximum(unit * high, subnormal), low - np.maximum(unit * np.abs(low), subnormal)


def _is_zero(model: PathModel, gap: Floats, least_loss: Floats) -> Bools:
    """Where the exponential is too small for any probability, or the probability for being stored.

    Flushing is not counted on: torch sets it thread by thread, so that some rows may keep their subnormals.
    """
    margin = 2.0**-14 if model.precision.is_half else 0.0  # of the exponential's own rounding, subnormal in bfloat16
    by_exponential = gap * (1.0 - model.unit) - 8.0 * model.unit - NEAR > margin - model.log_nothing
    return by_exponential | (least_loss - NEAR > -_log_half(model))


def _log_half(model: PathModel) -> float:
    """ln(η_t/2)."""
    return (model.precision.least_exponent - 1) * LN2


def _after_log(model: PathModel, loss: Floats, error: LogError) -> LogError:
    """The errors with those of the logarithm and its storing, and the greatest finite value as a lid."""
    relative = (1.0 + KERNEL * model.unit) * (1.0 + model.storage_unit) - 1.0
    greatest = -model.precision.least_exponent * LN2 * (1.0 + relative) + model.storage_error
    read = 4.0 * model.arithmetic.smallest_normal if model.flush else 0.0  # logits below the normal range, as 0
    up = error.up + (np.abs(loss) + error.up) * relative + model.storage_error + read
    down = error.down + np.abs(loss - error.down) * relative + model.storage_error + read
    exact = np.isfinite(loss)  # a masked class has p̂ = 0 and −log p̂ = inf, as it should
    if exact.all():
        up, down = np.minimum(OUTWARD * up, OUTWARD * greatest - loss), OUTWARD * down
        return LogError(down, up, error.vanishing, error.vanished)
    return LogError(
        down=np.where(exact, OUTWARD * down, 0.0),
        up=np.where(exact, np.minimum(OUTWARD * up, OUTWARD * greatest - loss), 0.0),
        vanishing=error.vanishing,
        vanished=error.vanished,
    )


@dataclass(frozen=True)
class _Sum:
    """A computed sum of terms a_c·(−log p̂_c) against the true one; [rows]."""

    down: Floats
    up: Floats
    size: Floats  # greatest Σ of the absolute computed terms
    reach: Floats  # greatest intermediate on the way
    underflow: Bools
    nan: Bools
    never_finite: Bools

    def plus(self, other: _Sum, model: PathModel) -> _Sum:
        """The rounded sum of both."""
        size = self.size + other.size
        rounding = model.precision.unit_roundoff * size
        return _Sum(
            down=self.down + other.down + rounding,
            up=self.up + other.up + rounding,
            size=size + rounding,
            reach=np.maximum(np.maximum(self.reach, other.reach), size + rounding),
            underflow=self.underflow | other.underflow,
            nan=self.nan | other.nan,
            never_finite=self.never_finite | other.never_finite,
        )

    def times(self, factor: float, model: PathModel) -> _Sum:
        """The rounded product with a scalar that torch rounds to the arithmetic first; `factor` ≥ 0."""
        relative = (1.0 + model.precision.unit_roundoff) * (1.0 + 2.0 * model.unit) - 1.0
        error = relative * factor
        if factor < 2.0 * model.arithmetic.smallest_normal:
            error += 2.0 * model.arithmetic.subnormal_error
        rounding = error * self.size + model.subnormal_error
        return _Sum(
            down=factor * self.down + rounding,
            up=factor * self.up + rounding,
            size=factor * self.size + rounding,
            reach=self.reach,
            underflow=self.underflow,
            nan=self.nan | (self.underflow & (factor <= 2.0 * model.arithmetic.smallest)),
            never_finite=self.never_finite,
        )

    def bound(self, model: PathModel, rows: Rows, form: LossForm) -> Bound:
        counted = np.isfinite(rows.loss)
        lost = loses_coefficients(model, rows, form)
        unknown = rows.radius == np.inf
        overflow = ~(self.reach * OUTWARD < model.overflow) & counted | unknown
        bound = Bound(
            below=np.where(counted, OUTWARD * self.down, 0.0),
            above=np.where(counted, self.up + (OUTWARD - 1.0) * np.abs(self.up), 0.0),
            underflow=self.underflow & counted | lost,
            overflow=overflow,
            nan=self.nan & counted | overflow & (not form.is_plain) | unknown | lost,
            never_finite=self.never_finite & counted,
            magnitude=self.size,
        )
        flushed = may_be_flushed(model, np.fmax(rows.gap, rows.spread))
        return bound.free(form.is_beyond(model.precision, rows) | flushed).without(rows.ignored)


def _label_sum(model: PathModel, rows: Rows, form: LossForm, sums: SumErrors | None) -> _Sum:
    """(1 − e)·fl(w_y·(−log p̂_y)), each factor only where it is there."""
    keep = 1.0 - form.smoothing
    error = log_error(model, rows, rows.gap, sums)
    size = rows.log_sum + np.abs(rows.gap) + error.widest
    term = _Sum(error.down, error.up, size, size, error.vanishing, np.zeros(len(size), bool), error.vanished)
    if form.weight is not None:
        term = _weighted(term, rows.scale / keep if keep else rows.scale, model)
        if not keep:  # the weights are not told by the scale: any of them
            term = replace(term, reach=np.maximum(term.reach, float(np.abs(form.weight).max()) * size))
    return term.times(keep, model) if form.smoothing else term


def _weighted(term: _Sum, weight: Floats, model: PathModel) -> _Sum:
    """The rounded product with each row's exact weight, of either sign."""
    size = np.abs(weight) * term.size
    rounding = model.precision.unit_roundoff * size + model.subnormal_error
    return _Sum(
        down=np.where(weight < 0, -weight * term.up, weight * term.down) + rounding,
        up=np.where(weight < 0, -weight * term.down, weight * term.up) + rounding,
        size=size + rounding,
        reach=np.maximum(term.reach, size + rounding),
        underflow=term.underflow,
        nan=term.underflow & (weight <= 0),
        never_finite=term.never_finite,
    )


def _smooth_sum(model: PathModel, rows: Rows, form: LossForm, logits: Logits) -> _Sum:
    """(e/C)·Σ_c w_c·(−log p̂_c)."""
    weight = np.ones(rows.classes) if form.weight is None else form.weight
    unsmoothed = LossForm(weight=form.weight)
    return _class_sum(model, rows, unsmoothed, logits, weight).times(form.smoothing / rows.classes, model)


def _class_sum(model: PathModel, rows: Rows, form: LossForm, logits: Logits, coefficients: Floats) -> _Sum:
    """fl Σ_c a_c·(−log p̂_c), block by block; coefficients [classes] or [rows, classes]."""
    step = max(1, WORKING_SET // rows.classes)
    parts = []
    for start in range(0, max(len(logits), 1), step):
        block = slice(start, start + step)
        part = coefficients if coefficients.ndim == 1 else coefficients[block]
        parts.append(_block_sum(model, rows.rows(block), form, logits[block], np.atleast_2d(part)))
    return _Sum(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def _block_sum(model: PathModel, rows: Rows, form: LossForm, logits: Logits, coefficients: Floats) -> _Sum:
    """Each product is rounded, up to two of them a class; the sum is rounded γ_h in a and once more when stored.

    q·w may be subnormal before it is multiplied with log p, and log p·q before it is with w: η_t/2 each time.
    """
    gap = GAPS[model.given](logits)
    error = log_error(model, rows, gap)
    size = np.abs(coefficients)
    greatest = np.where(np.isfinite(gap), np.abs(gap) + rows.log_sum[:, None] + error.widest, 0.0)
    peak = greatest.max(axis=1)
    total = (size * greatest).sum(axis=1)
    terms = model.of_terms if form.probabilities else model
    relative, absolute = _sum_rounding(terms, form, rows.classes)
    half = terms.subnormal_error
    rounding = relative * total + absolute + half * (greatest * (size > 0)).sum(axis=1)
    if form.probabilities:
        counted = form.weight_total(rows.classes) + rows.classes
        rounding = rounding + share_error(model, form, rows.classes) * counted * peak
    negative = coefficients < 0
    vanishing = error.vanishing & (np.isfinite(gap) | (size == 0))
    return _Sum(
        down=(size * np.where(negative, error.up, error.down)).sum(axis=1) + rounding,
        up=(size * np.where(negative, error.down, error.up)).sum(axis=1) + rounding,
        size=total + rounding,
        reach=np.where(peak * OUTWARD >= model.overflow, np.inf, np.maximum(total, form.target_peak * peak) + rounding),
        underflow=np.logical_or.reduce(vanishing, axis=1),
        nan=np.logical_or.reduce(vanishing & (coefficients <= model.of_shares.precision.smallest), axis=1),
        never_finite=np.logical_or.reduce(error.vanished, axis=1),
    )


def _sum_rounding(model: PathModel, form: LossForm, classes: int) -> tuple[float, float]:
    """Relative and absolute error of the products and their sum."""
    products = int(form.probabilities) + int(form.weight is not None)
    stored = (1.0 + model.precision.unit_roundoff) ** products * (1.0 + model.storage_unit)
    growth = 1.0 + gamma(model.class_sum_height(classes), model.unit)
    relative = stored * coefficient_error(model, form) * growth - 1.0
    return relative, (form.weight_total(classes) + classes + 1) * model.subnormal_error
