"""The true value of a case, enclosed, and how far each grade of computation may be from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.library import library_bound
from xentcli.bounds.model import PathModel, gamma
from xentcli.losses.machine import flushes_subnormals
from xentcli.losses.reference import STATISTICS, Rows
from xentcli.losses.truth import sharpen, terms_of
from xentcli.measuring.case import Case as Samples
from xentcli.numbers.exactsum import ExactSum, nearest_float
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.block import Block
from xentcli.records.conformance import GRADES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.bounds.model import LossForm
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.losses.digits import Interval

    Floats = NDArray[np.float64]

EXACT_INPUT = 16_384  # logits of which every loss is enclosed exactly
EXACT_BITS = 128
CHUNK_ENTRIES = 1 << 24  # logits widened at once
KEPT = 512  # questions whose certified values are kept
RESCALINGS = 256  # an online computation in chunks may rescale its sum so often, at four roundings each


@dataclass(frozen=True)
class AnyOrder(PathModel):
    """A computation in the shift-first form, by any order of additions, in chunks, shards or the log domain."""

    def summation_height(self, classes: int) -> int:
        """C − 1 additions, and four roundings more for every rescaling of a running sum."""
        return (classes - 1) + 4 * min(classes - 1, RESCALINGS) + 8


@dataclass(frozen=True, eq=False)
class Certified:
    """The true values of a case, and the allowances of the grades, in C order.

    value     float64 nearest to the truth; NaN or ±inf where that is it
    radius    the truth is within this of `value`
    allowed   grade -> greatest error; every grade's is at least that of the grade before it
    shape     that a result must have
    """

    value: Floats
    radius: Floats
    allowed: dict[str, Floats]
    shape: tuple[int, ...]
    rows: Rows
    models: dict[str, PathModel]

    def repeated(self, rows: int) -> Certified:
        """The same samples again and again, until there are so many."""
        allowed = {grade: np.resize(each, rows) for grade, each in self.allowed.items()}
        value, radius = np.resize(self.value, rows), np.resize(self.radius, rows)
        return replace(self, value=value, radius=radius, allowed=allowed, shape=(rows,))


@lru_cache(maxsize=KEPT)
def certify(case: Case, inputs: Inputs, dtype: str | None = None) -> Certified:
    """The true loss of a case and what each grade may differ from it; of a loss in the logits' dtype, or in another."""
    samples = Samples(inputs.block, case.options)
    rows, total, highest = _enclosed(case, inputs)
    models = _models(dtype or inputs.dtype)
    allowed = _row_allowances(rows, samples.form, models, highest)
    if case.reduction == "none":
        certified = Certified(rows.loss, rows.radius, allowed, inputs.block.sample_shape, rows, models)
        return certified.repeated(case.rows) if case.rows else certified
    times = case.times(inputs)
    denominator = samples.denominator if case.reduction == "mean" else Fraction(1, times)
    value, radius = _reduced(rows, total, denominator)
    reduced = _Reduced(value, denominator, len(rows.loss) * times)
    grown = {grade: _reduced_allowance(each, rows, reduced, models[grade]) for grade, each in allowed.items()}
    return Certified(np.array([value]), np.array([radius]), grown, (), rows, models)


def _models(dtype: str) -> dict[str, PathModel]:
    precision = PRECISIONS[dtype]
    best = AnyOrder(precision, "inner", "any", flush=flushes_subnormals())
    stored = replace(best, kernel="last") if precision.is_half else best
    return dict(zip(GRADES, (best, stored, stored), strict=True))


@lru_cache(maxsize=KEPT)
def _enclosed(case: Case, inputs: Inputs) -> tuple[Rows, Interval | None, Floats]:
    """The rows' enclosures, kept, as a wider loss of the same logits is held to its own format."""
    return _enclose(Samples(inputs.block, case.options))


def _enclose(samples: Samples) -> tuple[Rows, Interval | None, Floats]:
    """The rows' enclosures, the exact total of the finite losses if small, and the greatest |x_c| of each row."""
    block, options = samples.block, samples.options
    if block.logits.numel() <= EXACT_INPUT:
        terms = terms_of(block, options)
        rows = terms.enclose()
        rows, total = sharpen(rows, block, options, EXACT_BITS, rows.is_number)
        return rows, total, _magnitude(terms.logits)
    parts = []
    for chunk in _chunks(block):
        terms = terms_of(chunk, options)
        parts.append((terms.enclose(), _magnitude(terms.logits)))
    return _joined([rows for rows, _ in parts]), None, np.concatenate([magnitude for _, magnitude in parts])


def _chunks(block: Block) -> list[Block]:
    """Pieces along the batch axis, none much larger than CHUNK_ENTRIES."""
    if block.logits.ndim == 1:
        return [block]
    step = max(1, CHUNK_ENTRIES // max(1, block.logits[:1].numel()))
    return [
        Block(block.logits[start : start + step], block.target[start : start + step], block.weight, first_row=0)
        for start in range(0, len(block.logits), step)
    ]


def _joined(parts: list[Rows]) -> Rows:
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*STATISTICS, "ignored")}
    return Rows(**arrays, classes=parts[0].classes)  # type: ignore[arg-type]


def _magnitude(logits: NDArray[np.float32] | Floats) -> Floats:
    """The greatest finite |x_c|, [rows]: what a log-sum-exp that is not shifted rounds next to."""
    with np.errstate(invalid="ignore"):
        finite = np.where(np.isfinite(logits), np.abs(logits), 0.0)
    greatest: Floats = finite.max(axis=1, initial=0.0).astype(np.float64)
    return greatest


def _row_allowances(rows: Rows, form: LossForm, models: dict[str, PathModel], magnitude: Floats) -> dict[str, Floats]:
    allowed = {}
    for grade, model in models.items():
        bound = library_bound(model, rows, form).allowed
        if grade == "logsumexp - x[y]":  # m + λ is rounded next to the logits, and stored so
            unit = max(2.0 * model.unit, model.storage_unit)
            bound = bound + unit * (np.abs(rows.scale) + rows.coefficient_total) * (magnitude + rows.log_sum)
        allowed[grade] = np.where(rows.ignored, 0.0, np.fmax(bound, units_of_last_place(rows.loss, model) / 2.0))
    return allowed


def units_of_last_place(values: Floats, model: PathModel) -> Floats:
    """The gaps between neighbouring numbers of the format at these values, 0 where they are not finite."""
    precision = model.precision
    _, exponents = np.frexp(np.where(np.isfinite(values), values, 0.0))
    gaps = np.ldexp(1.0, np.maximum(exponents - precision.bits, precision.least_exponent))
    return np.where(np.isfinite(values), gaps, 0.0)


def _reduced(rows: Rows, exact: Interval | None, denominator: Fraction) -> tuple[float, float]:
    """The sum of the losses over the denominator, and the radius of what is known of it."""
    total = ExactSum.of(rows.loss)
    if not denominator:
        return math.nan, 0.0
    if not total.is_finite:
        return total.value() * math.copysign(1.0, denominator), 0.0
    if exact is None:
        middle, radius = total.fraction(), ExactSum.of(rows.radius).fraction()
        exact = middle - radius, middle + radius
    lower, upper = sorted(end / denominator for end in exact)
    value = nearest_float((lower + upper) / 2)
    return value, nearest_float(max(upper - Fraction(value), Fraction(value) - lower)) if math.isfinite(value) else 0.0


@dataclass(frozen=True)
class _Reduced:
    """A sum or a mean: its value, what the sum is divided by, and how many addends it has."""

    value: float
    denominator: Fraction
    addends: int


def _reduced_allowance(allowed: Floats, rows: Rows, reduced: _Reduced, model: PathModel) -> Floats:
    """Σ allowed_i / |W|, and what a good summation in the arithmetic of the format adds to that.

    Good is a tree of pairs, or blocks of it: an addend passes 2·log2 N + 8 additions, however many rows there are.
    The quotient is rounded in the arithmetic, and stored once.
    """
    counted = np.isfinite(rows.loss)
    height = 2 * max(reduced.addends - 1, 0).bit_length() + 8
    growth = 2.0 * gamma(height, model.unit) + 4.0 * model.unit  # of the sum, and of the weights' sum
    divisor = abs(nearest_float(reduced.denominator)) or 1.0
    spent = float(allowed[counted].sum()) + growth * float(rows.magnitude[counted].sum())
    stored = model.precision.unit_roundoff * abs(reduced.value) if math.isfinite(reduced.value) else 0.0
    return np.array([spent / divisor + stored + model.precision.smallest])
