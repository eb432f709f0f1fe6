"""Means and what is made of them, with their standard errors by rows and by groups of rows.

Rows of one text or one file resemble each other: their errors add up, and only sums over whole groups may be taken for
independent. Values follow IEEE arithmetic where one is infinite or NaN; every error and interval is NaN then.

Rounding: values are exact sums, rounded once. Errors are sums of centred squares, by pairs, to a relative
(log2 n + 10)·u, u = 2^-53, plus u·|mean|/σ: where σ is below u·|mean|, no digit of theirs is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.numbers.exactsum import ExactSum, nearest_float
from xentcli.statistics.students import quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Groups = NDArray[np.integer[Any]] | None  # an id for each row, in any order; None where rows stand for themselves

FEW = 10  # groups below which an interval by them is a guess


@dataclass(frozen=True)
class Estimate:
    """A value, and how far it could have come out otherwise, in its own unit; NaN where that cannot be told."""

    value: float
    se: float  # if rows were independent; NaN for fewer than two
    group_se: float | None  # if groups are independent; NaN for fewer than two
    groups: int | None
    df: int  # of Student's t: one less than there are groups, or else rows
    lower95: float  # −inf for a single row or group
    upper95: float

    @property
    def quoted(self) -> float:
        """The standard error that the interval stands on: the groups' where there are groups."""
        return self.se if self.group_se is None else self.group_se

    @property
    def few(self) -> bool:
        """Whether there are too few groups to trust their standard error."""
        return self.groups is not None and self.groups < FEW


def interval(value: float, se: float, df: int, confidence: float = 0.95) -> tuple[float, float]:
    """value ± t·SE, t of Student's distribution; the whole line for a finite value without degrees of freedom."""
    if df < 1 and math.isfinite(value):
        return -math.inf, math.inf
    reach = quantile(1.0 - confidence, df) * se if df >= 1 else math.nan
    return value - reach, value + reach


def mean_estimate(values: Floats, groups: Groups = None) -> Estimate:
    """The mean v̄ of n rows; SE = sqrt(Σ(v − v̄)²/(n(n − 1))), by G groups (1/n)·sqrt(G/(G − 1)·Σ_g (Σ_{i∈g}(v_i − v̄))²).

    Equal values have an SE of 0, no values a NaN for a mean. The groups' is Liang and Zeger's (1986), Biometrika 73.

    >>> estimate = mean_estimate(np.array([1.0, 2.0, 3.0, 6.0]))
    >>> estimate.value, round(estimate.se, 4), round(estimate.upper95, 4)
    (3.0, 1.0801, 6.4374)
    """
    mean = _mean(values)
    with np.errstate(all="ignore"):
        return _estimate(mean, values - mean, float(len(values)), groups)


def ratio_estimate(numerators: Floats, denominators: Floats, groups: Groups = None) -> Estimate:
    """r = ΣL/ΣB, such as bits per byte; SE = sqrt(G/(G − 1)·Σ_g(L_g − r·B_g)²)/ΣB, of rows each as a group of its own.

    To the first order in the spread of B (W. Cochran, 1977, Sampling Techniques, chapter 6). NaN where ΣB is 0.
    """
    total = ExactSum.of(denominators)
    value = _quotient(ExactSum.of(numerators), total)
    with np.errstate(all="ignore"):
        return _estimate(value, numerators - value * denominators, total.value(), groups)


def exp_estimate(values: Floats, groups: Groups = None) -> Estimate:
    """exp(v̄), the perplexity of losses in nats; its interval is exp(v̄ ± t·SE), its SE exp(v̄)·SE to the first order."""
    mean = mean_estimate(values, groups)
    value, lower, upper = map(_exp, (mean.value, mean.lower95, mean.upper95))
    group_se = None if mean.group_se is None else value * mean.group_se
    return replace(mean, value=value, se=value * mean.se, group_se=group_se, lower95=lower, upper95=upper)


def perplexity_difference(other: Floats, base: Floats, groups: Groups = None) -> Estimate:
    """exp(mean other) − exp(mean base) of losses of the same rows; SE to the first order, of the paired rows.

    A row moves it by PPL_other·(other − mean) − PPL_base·(base − mean), which has the covariance of the two in it.
    """
    with np.errstate(all="ignore"):
        means = _mean(other), _mean(base)
        perplexities = _exp(means[0]), _exp(means[1])
        value = perplexities[1] * float(np.expm1(_mean(other - base)))  # nearly equal perplexities would cancel
        moves = perplexities[0] * (other - means[0]) - perplexities[1] * (base - means[1])
        return _estimate(value, moves, float(len(base)), groups)


def correlation(one: Floats, other: Floats, groups: Groups = None) -> Estimate:
    """Pearson's r of two columns; its interval is tanh(atanh r ± t·SE/(1 − r²)), on Fisher's scale.

    A row of standardised x, y moves r by xy − r(x² + y²)/2, and the SE is that of the mean of these. So rows (groups)
    must be independent and many, but need not be normal, as for Fisher's own 1/sqrt(n − 3). The interval is all of
    [−1, 1] below four rows (groups), and r is NaN where a column is constant.
    """
    with np.errstate(all="ignore"):
        x, y = _standardised(one), _standardised(other)
        sign = math.copysign(1.0, _mean(x * y))
        apart = (x - sign * y) ** 2 / 2.0
        gap = _mean(apart)  # 1 − |r|, which keeps its digits where the columns are nearly the same
        moves = sign * (gap * (x**2 + y**2) / 2.0 - apart)
        estimate = _estimate(sign * (1.0 - gap), moves, float(len(one)), groups)
        lower, upper = _fisher(sign, gap, estimate)
    return replace(estimate, lower95=lower, upper95=upper)


def group_sums(values: Floats, groups: Groups = None) -> Floats:
    """The sum of each group, [groups], in the order of their ids, added by pairs; the rows themselves for None."""
    if groups is None:
        return values
    if groups.shape != values.shape or groups.dtype.kind not in "iu":
        raise ValueError(
            f"each of {values.size} rows needs one integer as its group, not {groups.dtype} {groups.shape}"
        )
    if not values.size:
        return values
    order = np.argsort(groups, kind="stable")
    ids = groups[order]
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    with np.errstate(over="ignore", invalid="ignore"):
        sums: Floats = np.add.reduceat(values[order], starts)
    return sums


def _estimate(value: float, residuals: Floats, total: float, groups: Groups) -> Estimate:
    """Of what each row's residual moves by residual/total; residuals add up to 0."""
    sums = group_sums(residuals, groups)
    scale = 1.0 / abs(total) if total else math.nan
    se = _error_of_sum(residuals) * scale
    group_se = None if groups is None else _error_of_sum(sums) * scale
    df = max(sums.size - 1, 0)
    ends = interval(value, se if group_se is None else group_se, df)
    return Estimate(value, se, group_se, None if groups is None else sums.size, df, *ends)


def _error_of_sum(parts: Floats) -> float:
    """sqrt(k/(k − 1)·Σ s²) of k centred parts."""
    return math.sqrt(parts.size / (parts.size - 1)) * _norm(parts) if parts.size > 1 else math.nan


def _norm(values: Floats) -> float:
    """sqrt(Σ v²), scaled so that no square overflows or vanishes."""
    greatest = float(np.abs(values).max(initial=0.0))
    return greatest * math.sqrt(float(np.square(values / greatest).sum())) if greatest else 0.0


def _standardised(values: Floats) -> Floats:
    """With mean 0 and mean square 1."""
    centred = values - _mean(values)
    scaled: Floats = centred / (np.float64(_norm(centred)) / math.sqrt(max(len(values), 1)))
    return scaled


def _fisher(sign: float, gap: float, estimate: Estimate) -> tuple[float, float]:
    if math.isnan(gap) or estimate.df < 3:
        return (gap, gap) if math.isnan(gap) else (-1.0, 1.0)
    if gap == 0.0:
        return sign, sign
    z = sign * 0.5 * math.log((2.0 - gap) / gap)
    lower, upper = interval(z, estimate.quoted / (gap * (2.0 - gap)), estimate.df)
    return math.tanh(lower), math.tanh(upper)


def _mean(values: Floats) -> float:
    return _quotient(ExactSum.of(values), ExactSum.of_count(len(values)))


def _quotient(above: ExactSum, below: ExactSum) -> float:
    """Rounded once; NaN where the lower sum is 0 or not finite."""
    if not below.is_finite or not below.units:
        return math.nan
    if not above.is_finite:
        return above.value() if below.units > 0 else -above.value()
    return nearest_float(above.fraction() / below.fraction())


def _exp(value: float) -> float:
    """Infinite where it overflows."""
    with np.errstate(over="ignore"):
        return float(np.exp(value))
