"""The true gradient of a case with respect to its logits, and how far each grade of computation may be from it.

With p = softmax(x), a_c the coefficients of a sample's loss Σ_c a_c·(−log p_c) and Q = Σ_c a_c,

    dL/dx_c = s·(Q·p_c − a_c),    s = the upstream gradient of the sample's loss, over the denominator of a mean
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.library import log_probability_error
from xentcli.bounds.model import KERNEL
from xentcli.losses.truth import exact_rows
from xentcli.measuring.case import Case as Samples
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.bounds.model import PathModel
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Certified, Floats
    from xentcli.losses.digits import Coefficients

# Decimal's exp is correctly rounded; 1 − p of a float64 row may begin 320 digits down
CONTEXT = Context(prec=400, Emin=MIN_EMIN, Emax=MAX_EMAX)
ROUNDINGS = 6.0  # products with weights, upstream and denominator, and the sum of the coefficients
FINEST = 2.0**-50  # radius of the gradients below, relative: their digits come from CONTEXT, the last step is float64


@dataclass(frozen=True, eq=False)
class CertifiedSlope:
    """The true gradient, and the allowances of the grades; both [rows, classes]."""

    value: Floats
    digits: list[list[Decimal]]  # the same to 60 digits and more, of the rows that count
    allowed: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What a gradient is made of, [rows, classes]; zeros in the rows that do not count."""

    probability: Floats
    coefficient: Floats
    gap: Floats


def certify_slope(case: Case, inputs: Inputs, certified: Certified) -> CertifiedSlope:
    """The true gradient of a small case."""
    samples = Samples(inputs.block, case.options)
    scale = _scales(samples, inputs, reduced=case.reduction != "none")
    shape = len(scale), inputs.block.classes
    value, pieces, digits = np.zeros(shape), _Pieces(np.zeros(shape), np.zeros(shape), np.zeros(shape)), []
    for row, (logits, coefficients) in exact_rows(inputs.block, case.options):
        exact = [_coefficient(coefficients, index) for index in range(len(logits))]
        chances, total = _softmax(logits), sum(exact, Fraction(0))
        slopes = [_slope(*pair, total, scale[row]) for pair in zip(chances, exact, strict=True)]
        digits.append(slopes)
        value[row] = [float(each) for each in slopes]
        pieces.probability[row] = [float(each) for each in chances]
        pieces.coefficient[row] = [float(each) for each in exact]
        pieces.gap[row] = [max(logits) - each for each in logits]
    factor = np.abs(np.array([float(each) for each in scale]))[:, None]
    allowed = {
        grade: _scaled(factor, _allowance(grade, certified, pieces), value, model, pieces)
        for grade, model in certified.models.items()
    }
    return CertifiedSlope(value, digits, allowed)


def _scaled(factor: Floats, allowed: Floats, value: Floats, model: PathModel, pieces: _Pieces) -> Floats:
    """The allowance for s; none for a row that does not count, whose gradient is 0 exactly."""
    rounded = factor * allowed + 2.0 * model.precision.smallest + FINEST * np.abs(value)
    counted = pieces.coefficient.any(axis=1, keepdims=True) & (factor > 0.0)
    return np.where(counted, rounded, 0.0)


def _coefficient(coefficients: Coefficients, index: int) -> Fraction:
    """a_c; a mapping has those that are not 0."""
    return coefficients.get(index, Fraction(0)) if isinstance(coefficients, Mapping) else coefficients[index]


def _scales(samples: Samples, inputs: Inputs, *, reduced: bool) -> list[Fraction]:
    """s of each sample."""
    rows = samples.block.samples
    upstream = [1.0] if inputs.upstream is None else floats(inputs.upstream).tolist()
    spread = upstream * rows if reduced or inputs.upstream is None else upstream
    return [Fraction(each) / samples.denominator if samples.denominator else Fraction(0) for each in spread]


def _softmax(logits: Sequence[float]) -> list[Decimal]:
    greatest = Decimal(max(logits))
    masses = [CONTEXT.exp(CONTEXT.subtract(Decimal(each), greatest)) for each in logits]
    total = Decimal(0)
    for mass in masses:
        total = CONTEXT.add(total, mass)
    return [CONTEXT.divide(mass, total) for mass in masses]


def _slope(chance: Decimal, coefficient: Fraction, total: Fraction, scale: Fraction) -> Decimal:
    inner = CONTEXT.subtract(CONTEXT.multiply(_decimal(total), chance), _decimal(coefficient))
    return CONTEXT.multiply(_decimal(scale), inner)


def _decimal(number: Fraction) -> Decimal:
    return CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _allowance(grade: str, certified: Certified, pieces: _Pieces) -> Floats:
    """For s = 1: exp of a log-probability that errs by α·d + β, and roundings next to Q·p_c and a_c."""
    rows, model = certified.rows, certified.models[grade]
    slope, offset = log_probability_error(model, rows)
    gap = np.where(np.isfinite(pieces.gap), pieces.gap, 0.0)
    error = slope * gap + offset[:, None]
    if grade == "logsumexp - x[y]":
        unit = max(2.0 * model.unit, model.storage_unit)
        error = error + unit * (gap.max(1) + rows.log_sum)[:, None]
    weight = np.abs(pieces.coefficient).sum(1)[:, None]
    mass = weight * pieces.probability
    moved = mass * np.expm1(error + KERNEL * model.unit) + weight * model.arithmetic.smallest
    allowed: Floats = moved + ROUNDINGS * model.precision.unit_roundoff * (mass + np.abs(pieces.coefficient))
    return allowed
