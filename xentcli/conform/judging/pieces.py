"""The gradient with respect to the logits, in float64 and by proof.

With p = softmax(x), a_c the coefficients of a sample's loss Σ_c a_c·(−log p_c), Q = Σ_c a_c and A = Σ_c |a_c|,

    dL/dx_c = s·(Q·p_c − a_c) = s·((Q − a_c)·p_c − a_c·(1 − p_c)),    s = the upstream gradient of the sample's loss,
                                                                          over the denominator of a mean

The second form loses nothing next to a plain label: there Q = a_y, and 1 − p_c is a sum of the other masses.  With
E, u, n, T and a as in `losses.reference`, h the additions that a term passes and d_c the gaps, the two products err
by these relative errors, and by 2⁻¹⁰²⁰·C·A where exp is below the normal range:

    κ = 2(h + E + ln n + 3) + 16
    u(κ + d_c) of (Q − a_c)·p_c        u(κ + [c = a]·max(0, −ln T)) of a_c·(1 − p_c)

h + E + ln n + 3 is from S = 1 + T, twice where S less a mass is taken, d_c from the rounded shift of one mass, −ln T
from those in T, and 16 from products, coefficients and s.  Where more than one class has a coefficient, Q − a_c errs by
(h + 16)·u·A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.library import log_probability_error
from xentcli.bounds.model import KERNEL
from xentcli.conform.judging.precise import precise_rows
from xentcli.losses.additions import height
from xentcli.losses.reference import KERNEL as E
from xentcli.losses.reference import UNIT
from xentcli.losses.truth import terms_of
from xentcli.records.conformance import GRADES

if TYPE_CHECKING:
    from xentcli.bounds.model import PathModel
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Certified, Floats
    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms

    Slope = tuple[Floats, Floats, dict[str, Floats]]  # value, radius, allowed

ROUNDINGS = 6.0  # products with weights, upstream and denominator, and the sum of the coefficients
PRECISE = 512  # float64 logits whose gradient is computed beyond float64, as its last digits are judged
OUTWARD = 1.0 + 2.0**-20
BOTTOM = 2.0**-1020
DEEPEST = 745.0  # −ln of the smallest number; where T is 0 the absolute error is all there is


@dataclass(frozen=True, eq=False)
class Pieces:
    """What a gradient is made of, [rows, classes]; zeros in the rows that do not count."""

    probability: Floats
    others: Floats  # 1 − p_c
    coefficient: Floats
    gap: Floats  # d_c
    lost: Floats  # max(0, −ln T) at the maximum, where 1 − p_c is T alone

    @property
    def weight(self) -> Floats:
        """A, [rows, 1]."""
        weight: Floats = np.abs(self.coefficient).sum(axis=1, keepdims=True)
        return weight

    @property
    def is_single(self) -> bool:
        """Whether one class of a row has a coefficient, which then is a factor of the whole gradient."""
        return bool((np.count_nonzero(self.coefficient, axis=1) <= 1).all())

    @property
    def total_less_own(self) -> Floats:
        """Q − a_c."""
        total: Floats = self.coefficient.sum(axis=1, keepdims=True) - self.coefficient
        return total

    def slope(self) -> Floats:
        """The gradient for s = 1."""
        with np.errstate(invalid="ignore"):
            slope: Floats = self.total_less_own * self.probability - self.coefficient * self.others
        return slope

    def radius(self) -> Floats:
        """How far the truth may be from `slope`."""
        classes = self.gap.shape[1]
        fixed = 2.0 * (_height(classes) + E + math.log(max(classes - 1, 1)) + 3.0) + 16.0
        errors = (fixed + self.gap) * np.abs(self.total_less_own) * self.probability
        errors += (fixed + self.lost) * np.abs(self.coefficient) * self.others
        if not self.is_single:
            errors += (_height(classes) + 16.0) * self.weight * self.probability
        radius: Floats = OUTWARD * (UNIT * errors + BOTTOM * classes * self.weight)
        return radius


def certify_logits(case: Case, inputs: Inputs, certified: Certified, scale: Floats) -> Slope:
    """Value, radius and allowances, [rows, classes], with the gradient of each row times its `scale`."""
    pieces = pieces_of(terms_of(inputs.block, case.options), certified.rows)
    slope, factor = pieces.slope(), np.abs(scale)[:, None]
    value, radius = scale[:, None] * slope, factor * pieces.radius()
    if inputs.dtype == "float64" and inputs.logits.numel() <= PRECISE:
        for row, digits in precise_rows(case, inputs):
            value[row] = [float(each) for each in digits]
            radius[row] = 2.0 * UNIT * np.abs(value[row])
    counts = pieces.coefficient.any(axis=1, keepdims=True) & (factor > 0.0)
    allowed = {
        grade: np.where(counts, factor * _allowance(grade, certified, pieces, slope) + _bottom(model), 0.0)
        for grade, model in certified.models.items()
    }
    return value, radius, allowed


def pieces_of(terms: Terms, rows: Rows) -> Pieces:
    """The pieces in float64."""
    logits = terms.logits.astype(np.float64)
    top = logits.argmax(axis=1)[:, None]
    is_top = np.arange(logits.shape[1]) == top
    total = 1.0 + rows.excess[:, None]
    with np.errstate(all="ignore"):
        gap = np.take_along_axis(logits, top, 1) - logits
        mass = np.exp(-gap)
        probability = mass / total
        others = np.where(is_top, rows.excess[:, None], total - mass) / total
        lost = np.where(is_top, np.clip(-np.log(rows.excess), 0.0, DEEPEST)[:, None], 0.0)
    gap = np.where(np.isfinite(gap), gap, 0.0)
    ignored = rows.ignored[:, None]
    arrays = probability, others, coefficients_of(terms), gap, lost
    return Pieces(*(np.where(ignored, 0.0, each) for each in arrays))


def coefficients_of(terms: Terms) -> Floats:
    """a_c, [rows, classes]; anything in the rows that do not count."""
    coefficient = np.zeros(terms.logits.shape)
    if terms.coefficients is not None:
        coefficient += terms.coefficients
    if terms.labels is not None:
        rows = np.arange(len(coefficient))
        coefficient[rows, np.maximum(terms.labels, 0)] += 1.0 if terms.scale is None else terms.scale
    return coefficient


def log_probability_allowance(grade: str, certified: Certified, gap: Floats) -> Floats:
    """How far a computation of this grade may be from −log p_c, [rows, classes]."""
    rows, model = certified.rows, certified.models[grade]
    slope, offset = log_probability_error(model, rows)
    error: Floats = slope * gap + offset[:, None]
    if grade == GRADES[-1]:
        unit = max(2.0 * model.unit, model.storage_unit)
        error = error + unit * (gap.max(axis=1, initial=0.0) + rows.log_sum)[:, None]
    return error


def _allowance(grade: str, certified: Certified, pieces: Pieces, slope: Floats) -> Floats:
    """For s = 1: exp of a log-probability that errs, and roundings next to Q·p_c and a_c.

    Where one class has a coefficient it is a factor of the gradient, which a good kernel stores in 16 bits once.
    """
    model = certified.models[grade]
    unit, terms = model.precision.unit_roundoff, pieces.weight * pieces.probability + np.abs(pieces.coefficient)
    with np.errstate(all="ignore"):
        error = np.expm1(log_probability_allowance(grade, certified, pieces.gap) + KERNEL * model.unit)
        moved = pieces.weight * (_product(pieces.probability, error) + model.arithmetic.smallest)
    if pieces.is_single and grade != GRADES[-1]:
        rounded: Floats = moved + ROUNDINGS * np.maximum(model.unit * terms, unit * np.abs(slope))
    else:
        rounded = moved + ROUNDINGS * unit * terms
    return rounded


def _product(probability: Floats, error: Floats) -> Floats:
    """A probability of 0 has an exponent that no relative error of it makes small."""
    return np.where(probability == 0.0, 0.0, probability * error)


def _bottom(model: PathModel) -> float:
    return 2.0 * model.precision.smallest


def _height(classes: int) -> int:
    return max(height(classes), 1) + 1
