"""The true loss of given log-probabilities or probabilities, enclosed by proof.

Nothing is normalised: the row's λ and T are 0, and the gap d_c of a class is its −log p_c itself,

    d_c = −x_c    of log-probabilities, exactly
    d_c = −log x_c    of probabilities
    L   = s·d_y + Σ_c a_c·d_c

Each d_c errs by at most κ·u·|d_c|, with κ = 0 and κ = E = 8: numpy's float64 log is tested as its exp and log1p are.
So a plain loss of log-probabilities is exact, and otherwise, in the symbols of `reference`,

    |L̂ − L| ≤ (1 + 2⁻²⁰) [ κu·(|s·d| + A₁) + u(h+8)·A₁ + 5u·M ] + 2⁻¹⁰⁷⁰ + η·(C + 4)·(1 + 4·max|d|)

where all but κu·|d| falls away for plain labels.  Proof: a product s·d or a_c·d_c rounds once, its coefficient up to
four times, each addend passes h additions whose partial sums are at most A₁, and the last sum rounds once, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.losses.class_sums import WORKING_SET, fold
from xentcli.losses.reference import KERNEL, LEAST, STATISTICS, UNIT, Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.losses.class_sums import Floats, Integers, Logits
    from xentcli.numbers.given import Form


def _negated(numbers: Logits) -> Floats:
    gaps: Floats = np.subtract(0.0, numbers, dtype=np.float64)  # no −0
    return gaps


def _minus_log(numbers: Logits) -> Floats:
    gaps: Floats = np.subtract(0.0, np.log(numbers, dtype=np.float64))
    return gaps


def _below_top(logits: Logits) -> Floats:
    wide = logits.astype(np.float64)
    gaps: Floats = wide.max(axis=1, keepdims=True) - wide
    return gaps


GAPS: dict[Form, Callable[[Logits], Floats]] = {
    "logits": _below_top,
    "binary": _below_top,
    "log-probabilities": _negated,
    "probabilities": _minus_log,
}
ERRORS: dict[Form, float] = {"log-probabilities": 0.0, "probabilities": KERNEL}  # κ


def enclose_given(
    given: Form,
    numbers: Logits,
    labels: Integers | None = None,
    coefficients: Floats | None = None,
    scale: Floats | None = None,
) -> Rows:
    """Enclose the losses s·d_y + Σ_c a_c·d_c of all rows; arguments and what is not finite as for `reference.enclose`.

    >>> import numpy as np
    >>> rows = enclose_given("log-probabilities", np.array([[-0.25, -1.5]]), np.array([1]))
    >>> rows.loss.item(), rows.radius.item()
    (1.5, 0.0)
    """
    ignored = np.zeros(len(numbers), bool) if labels is None else labels < 0
    zeros: dict[str, Any] = {name: np.zeros(len(numbers)) for name in STATISTICS}
    rows = Rows(**zeros, ignored=ignored, classes=numbers.shape[1])
    with np.errstate(all="ignore"):  # NaN and infinity are answers here, not accidents
        if labels is not None:
            own = numbers[np.arange(len(labels)), np.maximum(labels, 0)]
            rows.gap[:] = GAPS[given](own)
            rows.scale[:] = 1.0 if scale is None else scale
            np.multiply(rows.gap, rows.scale, out=rows.loss)
        if coefficients is not None:
            _add_classes(rows, given, numbers, coefficients)
        rows.radius[:] = _radius(rows, ERRORS[given], formed=coefficients is not None or scale is not None)
        _settle_non_finite(rows, coefficients)
    rows.clear_ignored()
    return rows


def _add_classes(rows: Rows, given: Form, numbers: Logits, coefficients: Floats) -> None:
    """The sums over the classes, in place; few rows at a time, in one fixed order of addition."""
    step = max(1, WORKING_SET // max(1, numbers.shape[1]))
    for start in range(0, len(numbers), step):
        block = slice(start, start + step)
        part = np.atleast_2d(coefficients if coefficients.ndim == 1 else coefficients[block])
        gaps = GAPS[given](numbers[block])
        sums = rows.rows(block)
        sums.spread[:] = np.abs(gaps).max(axis=1)
        sums.coefficient_sum[:] = fold(part.copy())
        sums.coefficient_total[:] = fold(np.abs(part))
        products = gaps * part
        sums.coefficient_gap_total[:] = fold(np.abs(products))
        sums.coefficient_gap_sum[:] = fold(products)
        sums.loss[:] += sums.coefficient_gap_sum


def _radius(rows: Rows, kernel: float, *, formed: bool) -> Floats:
    """The bound of |L̂ − L| proved at the head of this file; `formed`: coefficients were rounded when they were made."""
    error: Floats = kernel * UNIT * np.abs(rows.gap)
    if formed:
        fold_error = UNIT * ((rows.classes - 1).bit_length() + 8)
        error = kernel * UNIT * (np.abs(rows.scale * rows.gap) + rows.coefficient_gap_total)
        error += fold_error * rows.coefficient_gap_total + 5.0 * UNIT * rows.magnitude
        error += LEAST * (rows.classes + 4.0) * (1.0 + 4.0 * (np.abs(rows.gap) + rows.spread))
    error *= 1.0 + 2.0**-20
    if formed or kernel:
        error += 2.0**-1070
    return error


def _settle_non_finite(rows: Rows, coefficients: Floats | None) -> None:
    """Tell infinities of the loss itself (probabilities of 0) from overflows of float64, in place."""
    strange = np.flatnonzero(~np.isfinite(rows.loss + rows.radius))
    rows.radius[strange] = 0.0
    finite = np.isfinite(rows.gap[strange]) & np.isfinite(rows.scale[strange])
    if coefficients is not None:
        part = coefficients if coefficients.ndim == 1 else coefficients[strange]
        finite &= np.isfinite(rows.spread[strange]) & np.isfinite(part).all(axis=-1)
    overflowed = strange[finite]
    rows.loss[overflowed], rows.radius[overflowed] = 0.0, np.inf
