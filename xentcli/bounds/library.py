"""Rounding-error bounds of `torch.nn.functional.cross_entropy`: log_softmax, then nll_loss or a sum over the classes.

Read from the kernels of torch 2.13 for the CPU and confirmed by emulating them bit for bit, which
`losses.kernels.check_kernels` does again where it runs: t is the format, a the
arithmetic (float32 for 16 bits), and "stored" means rounded to t.

    last axis    max, Σ exp in a; in 16 bits the sum is stored and its logarithm is stored; fl((x − max) − log)
    other axes   the same with sum and logarithm in a, and so all axes on a CUDA device
    labels       −log p gathered, times w_y                                          stored
    smoothing    (1 − e)·nll + (e/C)·ret,  ret = −Σ_c w_c log p_c                    products, ret stored
    probabilities −Σ_c (log p_c · q̃_c) · w_c,  q̃ = q(1 − e) + e/C stored             products, sum stored
    given        log p_c as given, or fl(log p_c) of given p_c, in place of the first two

Assumed: q ≥ 0, so that q̃ is a sum without cancellation (`question.problem` refuses others); weights may have any sign.
What is stored below the normal range errs absolutely, by half the smallest number: e/C, q̃ and each product.

Probabilities and their weights may be of other formats than the logits: q̃ is stored in its own, a product in the one
that torch promotes both to, and what follows in that or in a wider one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.exponentials import SumErrors, log_sum_error
from xentcli.bounds.model import KERNEL, OUTWARD, Bools, Bound, Floats, LossForm, PathModel, gamma

if TYPE_CHECKING:
    from xentcli.losses.reference import Rows


def library_bound(model: PathModel, rows: Rows, form: LossForm, *, sums: SumErrors | None = None) -> Bound:
    """The bound of each row's loss with reduction "none".

    `rows` are enclosures of the same loss: scale (1 − e)·w_y and coefficients (e/C)·w_c for labels (none of them for
    plain ones), coefficients w_c·(q_c(1 − e) + e/C) for probabilities.  `sums` are `SumErrors` of the rows, if known.
    """
    with np.errstate(all="ignore"):
        sums = sums or SumErrors.of(model, rows.excess, rows.classes)
        slope, offset = log_probability_error(model, rows, sums)
        if form.is_plain and model.given == "logits" and not model.flush:
            plain = OUTWARD * (slope * rows.gap + offset)
            if _are_ordinary(model, rows, plain):
                return _ordinary_bound(rows, plain).without(rows.ignored)
        label, total, magnitude = np.abs(rows.scale), rows.coefficient_total, rows.magnitude
        error = slope * (label * np.abs(rows.gap) + rows.coefficient_gap_total) + offset * (label + total)
        rounding = _rounding(model, form, rows.classes)
        if rounding.relative:
            error = error + rounding.relative * (magnitude + error)
        error = error + rounding.absolute
        if model.flush:  # logits below the normal range are read as 0
            error = error + 4.0 * model.arithmetic.smallest_normal * (label + total)
        if lost_shares := share_error(model, form, rows.classes):
            error = error + lost_shares * _all_terms(rows, form)
        error = np.where(np.isfinite(rows.loss), OUTWARD * error, 0.0)
        greatest = np.maximum(rows.gap, rows.spread) + rows.log_sum  # of all −log p_c that take part
        greatest = greatest + slope * greatest + offset  # and no less, as d is at most −log p
        if model.of_terms.overflow > model.overflow:  # a wider sum, which may still be of logarithms that overflow
            greatest = np.where(greatest >= model.overflow, np.inf, 0.0)
        products = np.fmax(greatest, form.target_peak * greatest)  # before weights that may be small
        overflow, never_finite = _overflow(model, rows, form, error, np.fmax(magnitude + error, products), sums)
        lost = loses_coefficients(model, rows, form)
        bound = Bound(
            below=error,
            above=error,
            underflow=lost,
            overflow=overflow,
            nan=overflow & (not form.is_plain) | lost,
            never_finite=never_finite,
            magnitude=magnitude + error,
        ).free(form.is_beyond(model.precision, rows) | may_be_flushed(model, np.fmax(rows.gap, rows.spread)))
    return bound.without(rows.ignored)


def _are_ordinary(model: PathModel, rows: Rows, error: Floats) -> bool:
    """Whether all losses are known and so small that no intermediate, in any row, can be beyond the path's format."""
    known = float(rows.radius.max(initial=0.0)) < np.inf
    reach = sum(float(each.max(initial=0.0)) for each in (rows.loss, rows.log_sum, rows.gap, rows.spread, error))
    return known and not model.stores_sum and reach < min(ORDINARY, model.overflow / 4.0)  # NaN is not less


def _ordinary_bound(rows: Rows, error: Floats) -> Bound:
    """Of labels' −log p: as below, where nothing overflows and no loss is infinite."""
    never = np.zeros(len(error), bool)
    return Bound(error, error, never, never, never, never, rows.log_sum + rows.gap + error)


def log_probability_error(model: PathModel, rows: Rows, sums: SumErrors | None = None) -> tuple[float, Floats]:
    """α and β, [rows]: every stored −log p_c errs by at most α·d_c + β.

    d is rounded once, the difference of d and the logarithm once more in a, and once in t in 16 bits.  Of given
    log-probabilities there is no error, and of probabilities that of a logarithm and its storing.
    """
    if model.given == "log-probabilities":
        return 0.0, np.zeros(len(rows.gap))
    if model.given == "probabilities":
        logarithm = (1.0 + KERNEL * model.unit) * (1.0 + model.storage_unit) - 1.0
        return logarithm, np.full(len(rows.gap), model.storage_error)
    unit, storage = model.unit, model.storage_unit
    error = log_sum_error(model, rows.excess, rows.log_sum, sums or SumErrors.of(model, rows.excess, rows.classes))
    slope = (2.0 * unit + unit**2) * (1.0 + storage) + storage
    offset = (error + unit * (rows.log_sum + error)) * (1.0 + storage) + storage * rows.log_sum + model.storage_error
    return slope, offset


def may_be_flushed(model: PathModel, depth: Floats) -> Bools:
    """Where a given probability e^−depth may be read as 0, or a processor that flushes may make it 0."""
    if not model.flush or model.given == "logits":
        return np.zeros(depth.shape, bool)
    flushed: Bools = depth > -math.log(model.arithmetic.smallest_normal) - 0.01
    return flushed


ORDINARY = 2.0**100  # all formats but float16 hold many times as much
FEWEST = 2.0**-960  # a share from which on terms of float64 keep their digits


@dataclass(frozen=True)
class _Rounding:
    """What is added to log p once it is stored: an error relative to all terms, and an absolute one."""

    relative: float
    absolute: float


def _rounding(model: PathModel, form: LossForm, classes: int) -> _Rounding:
    if form.probabilities:
        model = model.of_terms
    unit, smallest = model.precision.unit_roundoff, model.precision.smallest
    summation = 1.0 + gamma(model.class_sum_height(classes), model.unit)  # torch.sum over the classes, in a
    if form.probabilities:
        products = 1 if form.weight is None else 2
        stored = (1.0 + unit) ** products * (1.0 + model.storage_unit) * coefficient_error(model, form)
        absolute = (form.weight_total(classes) + products * classes + 1) * model.subnormal_error
        return _Rounding(stored * summation - 1.0, absolute)
    if form.smoothing:  # product with w, sum, factor e/C, its product, addition
        return _Rounding((1.0 + unit) ** 5 * summation - 1.0, (classes + 4) * smallest)
    if form.weight is not None:
        return _Rounding(unit, model.subnormal_error)
    return _Rounding(0.0, 0.0)


def coefficient_error(model: PathModel, form: LossForm) -> float:
    """1 + relative error of a stored q̃_c = q_c(1 − e) + e/C in the normal range: three roundings; of 1 − y one."""
    roundings = 3 if form.smoothing else int(form.binary)  # 1 − y
    return (1.0 + model.of_shares.precision.unit_roundoff) ** roundings


def share_error(model: PathModel, form: LossForm, classes: int) -> float:
    """Absolute error of what each class counts for, w_c apart, where e/C, q̃_c or w_c is below the normal range."""
    read = 0.0 if form.is_plain or not model.flush else 2.0 * model.arithmetic.smallest_normal  # as 0
    if not form.smoothing:
        return read
    if form.probabilities:  # q_c(1 − e), and its sum with e/C
        return read + 3.0 * model.of_shares.subnormal_error
    normal = form.smoothing / classes >= 2.0 * model.arithmetic.smallest_normal
    return read if normal else read + 2.0 * max(model.arithmetic.subnormal_error, model.subnormal_error)


def _all_terms(rows: Rows, form: LossForm) -> Floats:
    """No less than Σ_c (|w_c| + 1)·(−log p_c), which coefficients' errors are multiplied with; 0 with masked ones."""
    terms: Floats = (form.weight_total(rows.classes) + rows.classes) * (
        np.maximum(rows.spread, rows.gap) + rows.log_sum
    )
    return np.where(np.isfinite(terms), terms, 0.0)


def loses_coefficients(model: PathModel, rows: Rows, form: LossForm) -> Bools:
    """Rows whose true loss is infinite, but NaN where a masked class meets a coefficient e/C that is stored as zero."""
    share = form.smoothing / rows.classes
    stored = model.of_shares.precision if form.probabilities else model.arithmetic
    lost: Bools = np.isinf(rows.loss) & (form.smoothing > 0.0) & (share <= 2.0 * stored.smallest)
    return lost


def _overflow(  # noqa: PLR0917 - what a row is made of
    model: PathModel, rows: Rows, form: LossForm, error: Floats, greatest: Floats, sums: SumErrors
) -> tuple[Bools, Bools]:  # fmt: skip
    """Where an intermediate may, and where one must, be too large for t; `greatest` is the greatest of most of them.

    A finite value of a loss that itself overflows is outside [L − error, L + error] and needs no flag.
    """
    limit = model.overflow
    may = greatest >= model.of_terms.overflow
    may |= rows.radius == np.inf  # the float64 logits of this row span more than float64 can
    must = np.zeros(len(error), bool)
    if model.stores_sum:
        total, slack = 1.0 + rows.excess, sums.absolute
        may |= total + slack >= limit
        must |= total - slack >= limit
    if form.smoothing and not form.probabilities:  # summed before the factor e/C
        share = form.smoothing / rows.classes
        terms = rows.coefficient_gap_total + rows.coefficient_total * rows.log_sum
        if share >= FEWEST:
            may |= (terms + error) / share >= limit
            must |= (rows.coefficient_sum == rows.coefficient_total) & ((terms - error) / share >= limit * OUTWARD)
        else:  # the terms may have lost their digits in float64
            may |= OUTWARD * _all_terms(rows, form) >= limit
    counted = np.isfinite(rows.loss)
    return may & counted | (rows.radius == np.inf), must & counted
