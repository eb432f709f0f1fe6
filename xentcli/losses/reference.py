"""The true cross-entropy of stored logits, enclosed by proof: one float64 pass, value and radius.

Symbols, one row of C logits x_c with the greatest at index a:

    d_c = x_a − x_c ≥ 0        T = Σ_{c≠a} exp(−d_c)        λ = log1p(T)        −log p_c = λ + d_c
    L   = s·(λ + d_y) + Σ_c a_c·(λ + d_c)        s, a_c: what the label y and each class count for

Leaving the maximum's own 1 out of T keeps all digits of the loss of a confident prediction, which log(Σ exp) loses.

Assumptions: binary64 + − × ÷ round to nearest and keep subnormal numbers (`machine.subnormals_kept` sees to that);
numpy's float64 exp and log1p err by at most E·u relatively, E = 8, u = 2⁻⁵³, and by 2⁻¹⁰²² where the result is smaller
(`kernels.check_kernels` tests all of it).  Then, with n = C − 1 and h the additions that a term passes,

    |λ̂ − λ| ≤ δ := u [ T/(1+T)·(h + E + ln(n/T)) + E·λ ] + n·2⁻¹⁰²²
    |L̂ − L| ≤ (1 + 2⁻²⁰) [ |s|·(δ + u(2d + 3λ)) + A₀·(δ + u(h+8)λ) + u(h+8)·A₁ + 5u·M ] + 2⁻¹⁰⁷⁰ + η·(C + 4 + K)

with A₀ = Σ|a_c|, A₁ = Σ|a_c|·d_c, M = |s|(λ+d) + A₀λ + A₁, η = 2⁻¹⁰⁷⁴ and K = 4·C·(λ + max d) + 4·(λ + d); the terms in
M, one rounding of the last sum and four of coefficients formed in float64, and in η fall away for plain labels.  Those
in η are what subnormal numbers lose: each product a_c·d_c half of η, each coefficient up to four times half of η.

Proof.  The rounded gap is d(1+r), |r| ≤ u, and Σ u·d·exp(−d) ≤ u·T·ln(n/T), as −e·ln e is concave (Jensen): the shift
costs no more than an entropy, whatever the range of the logits.  exp brings E·u, each addend passes h additions of
non-negative numbers, log1p has the derivative 1/(1+T) and its own E·u, and d and the last sum round thrice.  Products
of these terms are below 2⁻⁴⁰ of the sum, which the factor 1 + 2⁻²⁰ covers together with the use of T̂ for T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentcli.losses.additions import height
from xentcli.losses.class_chances import ClassChances
from xentcli.losses.class_sums import (
    ClassSums,
    Floats,
    Integers,
    Logits,
    Moments,
    block_rows,
    sum_over_classes,
    working_memory,
)

Bools = NDArray[np.bool_]

UNIT = 2.0**-53  # u of float64
KERNEL = 8.0  # E: numpy's exp and log1p err by at most this many u
TINY = 2.0**-1022  # the smallest normal number
LEAST = 2.0**-1074  # η, the smallest number
LARGEST = math.ldexp(2.0 - 2.0 * UNIT, 1023)
CHUNK = 16_384  # rows, at most, whose losses and radii are made together, in the cache


@dataclass(frozen=True)
class Rows:
    """The enclosures of the rows' losses, and the statistics that rounding-error bounds are made of.

    All arrays are [rows], of float64 except where said.  An ignored row has zeros everywhere.

    loss, radius          the true loss lies in loss ± radius.  A masked label (logit −inf) gives inf ± 0, a loss that
                          is not a number NaN; `inf ± inf` says "finite, beyond the largest float64" and `0 ± inf`
                          "nothing known" (coefficients over a spread that overflows float64)
    log_sum               λ = log Σ_c exp(x_c − max x), 0 to ln C
    excess                T = exp(λ) − 1, all its digits
    gap                   d_y of the label, 0 without labels; of given probabilities −log p_y, as λ and T are 0
    scale                 s, the factor of the label's −log p: 1 unless given, 0 without labels
    coefficient_sum       Σ_c a_c, and 0 without coefficients, as the four that follow
    coefficient_gap_sum   Σ_c a_c·d_c
    coefficient_total     A₀ = Σ_c |a_c|
    coefficient_gap_total A₁ = Σ_c |a_c|·d_c
    spread                greatest d_c of the row
    classes               C
    ignored               bool: rows that do not count
    """

    loss: Floats
    radius: Floats
    log_sum: Floats
    excess: Floats
    gap: Floats
    scale: Floats
    coefficient_sum: Floats
    coefficient_gap_sum: Floats
    coefficient_total: Floats
    coefficient_gap_total: Floats
    spread: Floats
    ignored: Bools
    classes: int
    unbounded: Bools | None = None  # rows of which `loss` is known to be the lower end, and no upper end is
    moments: Moments | None = None  # for metrics; None where nobody asks
    chances: ClassChances | None = None  # for metrics, of all rows at once; None of too many classes, too

    @property
    def magnitude(self) -> Floats:
        """M = Σ of the absolute terms, |s|·(λ + |d_y|) + A₀·λ + A₁: what the last sums' errors scale with."""
        label: Floats = np.abs(self.scale) * (self.log_sum + np.abs(self.gap))
        return label + self.coefficient_total * self.log_sum + self.coefficient_gap_total

    @property
    def is_number(self) -> Bools:
        """Whether the true loss is a finite number, be it beyond float64."""
        finite: Bools = np.isfinite(self.loss) | np.isposinf(self.radius)
        return finite & ~self.ignored

    @property
    def lower(self) -> Floats:
        """Lower ends of the enclosures, rounded outwards; NaN where the loss is."""
        return -_upper_end(-self.loss, self.radius)

    @property
    def upper(self) -> Floats:
        """Upper ends of the enclosures, rounded outwards; NaN where the loss is."""
        end = _upper_end(self.loss, self.radius)
        return end if self.unbounded is None else np.where(self.unbounded, np.inf, end)

    @property
    def class_sums(self) -> ClassSums:
        """Views of the statistics that one pass over the classes fills."""
        return ClassSums(
            excess=self.excess,
            gap=self.gap,
            signed=self.coefficient_sum,
            signed_gap=self.coefficient_gap_sum,
            total=self.coefficient_total,
            total_gap=self.coefficient_gap_total,
            spread=self.spread,
        )

    def rows(self, chosen: slice | list[int] | Integers) -> Rows:
        """Some of the rows; views of them if they are a slice."""
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in STATISTICS}
        unbounded = None if self.unbounded is None else self.unbounded[chosen]
        moments = None if self.moments is None else self.moments.rows(chosen)
        chances = self.chances.rows(chosen) if self.chances is not None and isinstance(chosen, slice) else None
        return Rows(
            **arrays,
            ignored=self.ignored[chosen],
            classes=self.classes,
            unbounded=unbounded,
            moments=moments,
            chances=chances,
        )

    def clear_ignored(self) -> None:
        """Zeros for the rows that do not count, whatever their logits."""
        if self.ignored.any():
            for name in STATISTICS:
                getattr(self, name)[self.ignored] = 0.0


STATISTICS = tuple(field.name for field in fields(Rows) if field.type == "Floats")


def enclose(
    logits: Logits,
    labels: NDArray[np.int64] | None = None,
    coefficients: Floats | None = None,
    scale: Floats | None = None,
    *,
    moments: bool = False,
) -> Rows:
    """Enclose the losses s·(λ + d_y) + Σ_c a_c·(λ + d_c) of all rows.

    logits        [rows, classes], the exact stored values; 16-bit formats come widened to float32
    labels        [rows]; −1 (any negative value) marks an ignored row; None leaves the label's term out
    coefficients  a_c, [classes] or [rows, classes]; None leaves their term out
    scale         s, [rows]; None is 1
    moments       whether those for metrics are wanted, of rows with labels

    Coefficients and scales may have been formed in float64 from stored numbers by up to four roundings each; the
    radius allows for them.  NaN and inf follow the rules of IEEE arithmetic on log-probabilities, as in torch: a zero
    coefficient times the infinity of a masked class is NaN.
    """
    task = _Task(logits, labels, coefficients, scale)
    ignored = np.zeros(len(logits), bool) if labels is None else labels < 0
    zeros: dict[str, Any] = {name: np.zeros(len(logits)) for name in STATISTICS}
    moments = moments and labels is not None
    asked = Moments.empty(len(logits)) if moments else None
    chances = ClassChances.empty(ignored, logits.shape[1]) if moments else None
    rows = Rows(**zeros, ignored=ignored, classes=logits.shape[1], moments=asked, chances=chances)
    memory = working_memory(logits, two=moments or coefficients is not None)
    with np.errstate(all="ignore"):  # NaN and infinity are answers here, not accidents
        each = min(CHUNK, block_rows(logits))
        step = CHUNK // each * each  # working blocks in whole
        for start in range(0, len(logits), step):
            chunk = slice(start, start + step)
            _fill(rows.rows(chunk), task.rows(chunk), memory)
    return rows


@dataclass(frozen=True)
class _Task:
    """What `enclose` was asked, one thing to hand around."""

    logits: Logits  # [rows, classes]
    labels: Integers | None  # [rows]
    coefficients: Floats | None  # [classes] or [rows, classes]
    scale: Floats | None  # [rows]

    def rows(self, chosen: slice | Integers) -> _Task:
        """The same question about some of the rows."""
        coefficients = self.coefficients
        if coefficients is not None and coefficients.ndim == 2:
            coefficients = coefficients[chosen]
        labels = None if self.labels is None else self.labels[chosen]
        scale = None if self.scale is None else self.scale[chosen]
        return _Task(self.logits[chosen], labels, coefficients, scale)

    @property
    def is_plain(self) -> bool:
        """Whether the loss is just the label's −log p."""
        return self.coefficients is None and self.scale is None


def _fill(rows: Rows, task: _Task, memory: Floats) -> None:
    """Enclose the task's losses in `rows`, in place."""
    labels = None if task.labels is None else np.maximum(task.labels, 0)  # ignored rows need an index as well
    sum_over_classes(task.logits, labels, task.coefficients, memory, rows.class_sums, rows.moments, rows.chances)
    np.log1p(rows.excess, out=rows.log_sum)
    if task.labels is not None:
        rows.scale[:] = 1.0 if task.scale is None else task.scale
        np.add(rows.log_sum, rows.gap, out=rows.loss)
        np.multiply(rows.loss, rows.scale, out=rows.loss)
    if task.coefficients is not None:
        rows.loss[:] += rows.coefficient_sum * rows.log_sum + rows.coefficient_gap_sum
    rows.radius[:] = _radius(rows, formed=not task.is_plain)
    _settle_non_finite(rows, task)
    rows.clear_ignored()


def _radius(rows: Rows, formed: bool) -> Floats:
    """The bound of |L̂ − L| proved at the head of this file; `formed`: coefficients were rounded when they were made."""
    delta = log_sum_error(rows)
    error: Floats = np.abs(rows.scale) * _label_error(rows, delta)
    if formed:
        fold = UNIT * (height(rows.classes) + 8)
        error += rows.coefficient_total * (delta + fold * rows.log_sum) + fold * rows.coefficient_gap_total
        error += 5.0 * UNIT * rows.magnitude
        error += LEAST * (rows.classes + 4.0) + 4.0 * LEAST * (rows.log_sum + rows.gap)
        if rows.coefficient_total.any():
            error += 4.0 * LEAST * rows.classes * (rows.log_sum + rows.spread)
    error *= 1.0 + 2.0**-20
    error += 2.0**-1070
    return error


def label_radius(rows: Rows, delta: Floats | None = None) -> Floats:
    """How far λ̂ + d̂_y, the label's −log p, may be from the true one: the bound with s = 1 and no coefficients.

    delta  δ of these rows, for whoever has it already
    """
    with np.errstate(all="ignore"):
        error = _label_error(rows, log_sum_error(rows) if delta is None else delta)
        return error * (1.0 + 2.0**-20) + 2.0**-1070


def _label_error(rows: Rows, delta: Floats) -> Floats:
    return delta + UNIT * (2.0 * rows.gap + 3.0 * rows.log_sum)


def log_sum_error(rows: Rows) -> Floats:
    """δ, without the factor that covers products of errors."""
    others = rows.classes - 1
    entropy = math.log(max(others, 1)) - np.log(np.maximum(rows.excess, TINY))  # ln(n/T)
    share = rows.excess / (1.0 + rows.excess)
    return UNIT * (share * (height(rows.classes) + KERNEL + entropy) + KERNEL * rows.log_sum) + others * TINY


def _settle_non_finite(rows: Rows, task: _Task) -> None:
    """Tell infinities of the loss itself (masked classes) from overflows of float64, in place."""
    strange = np.flatnonzero(~np.isfinite(rows.loss + rows.radius))
    if strange.size:
        overflowed = strange[_inputs_are_finite(task.rows(strange))]
        rows.radius[strange] = 0.0
        rows.radius[overflowed] = np.inf
        if not task.is_plain:
            rows.loss[overflowed] = 0.0


def _inputs_are_finite(task: _Task) -> Bools:
    """Whether all that the losses of these rows depend on is finite, so that only float64 can have overflowed."""
    finite: Bools = np.isfinite(task.logits.max(axis=1))
    if task.labels is not None:
        finite &= np.isfinite(task.logits[np.arange(len(task.labels)), np.maximum(task.labels, 0)])
    if task.scale is not None:
        finite &= np.isfinite(task.scale)
    if task.coefficients is not None:
        finite &= np.isfinite(task.logits).all(axis=1) & np.isfinite(task.coefficients).all(axis=-1)
    return finite


def _upper_end(loss: Floats, radius: Floats) -> Floats:
    with np.errstate(all="ignore"):
        end = np.where(radius > 0.0, np.nextafter(loss + radius, np.inf), loss)
    beyond = np.isneginf(loss) & np.isposinf(radius)  # finite, below the least float64
    return np.where(beyond, -LARGEST, end)
