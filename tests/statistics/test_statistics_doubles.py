"""Statistics that are wrong in one way each, as other tools are, and the check that catches each of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from xentcli.statistics.means import correlation, exp_estimate, group_sums, mean_estimate, ratio_estimate
from xentcli.statistics.paired import mcnemar, sign_flip
from xentcli.statistics.ranks import Ordered, ranks
from xentcli.statistics.students import quantile

RANDOM = np.random.default_rng(11)
BASE = RANDOM.exponential(size=60)
OTHER = BASE + 0.02 * RANDOM.normal(size=60) + 0.01
GROUPS = np.arange(60) // 5
SUMS = np.random.default_rng(12).normal(0.3, size=12)

Check = Callable[[Callable[..., object]], bool]


def near(found: object, expected: float) -> bool:
    return bool(found == pytest.approx(expected, rel=1e-9))


def row_error(tried: Callable[..., object]) -> bool:
    return near(tried(BASE), float(stats.sem(BASE)))


def group_error(tried: Callable[..., object]) -> bool:
    """Of groups of equal size it is that of their means."""
    return near(tried(BASE, GROUPS), float(stats.sem(BASE.reshape(12, 5).mean(1))))


def paired_error(tried: Callable[..., object]) -> bool:
    return near(tried(OTHER, BASE), float(stats.sem(OTHER - BASE)))


def two_sided(tried: Callable[..., object]) -> bool:
    theirs = stats.permutation_test((SUMS,), np.sum, permutation_type="samples", n_resamples=np.inf)
    return near(tried(SUMS), float(theirs.pvalue))


def never_zero(tried: Callable[..., object]) -> bool:
    return near(tried(np.ones(500)), 1e-4)


def both_tails(tried: Callable[..., object]) -> bool:
    return near(tried(3, 12), float(stats.binomtest(3, 15).pvalue))


def placed(tried: Callable[..., object]) -> bool:
    return near(tried(BASE, 0.9), float(np.quantile(BASE, 0.9)))


def covered(tried: Callable[..., object]) -> bool:
    """The chance that an interval of ranks, from 0, holds the median: at least 95 %, and not with one rank to spare."""
    lower, upper = tried(100, 0.5)  # type: ignore[misc]
    chance = stats.binom(100, 0.5).cdf
    return bool(chance(lower) <= 0.025 < chance(lower + 1) and chance(upper - 1) < 0.975 <= chance(upper))


def worst_part(tried: Callable[..., object]) -> bool:
    return near(tried(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), 0.3), (16 + 8 / 2) / 1.5)


def student(tried: Callable[..., object]) -> bool:
    return near(tried(0.05, 9), float(stats.t.isf(0.025, 9)))


def above_zero(tried: Callable[..., object]) -> bool:
    return float(tried(np.array([0.0, 0.0, 4.0]))) > 0.0  # type: ignore[arg-type]


def pooled(tried: Callable[..., object]) -> bool:
    return near(tried(np.array([10.0, 2.0]), np.array([10.0, 1.0])), 12 / 11)


def free_of_normality(tried: Callable[..., object]) -> bool:
    """Leaving out each row in turn: of rows with long tails, Fisher's 1/√(n − 3) is far too small."""
    x = np.random.default_rng(13).standard_t(5, size=2000)
    y = x * np.random.default_rng(14).normal(1, 1, size=2000)
    left = np.array([np.corrcoef(np.delete(x, row), np.delete(y, row))[0, 1] for row in range(2000)])
    return bool(tried(x, y) == pytest.approx(math.sqrt(1999 * left.var()), rel=0.1))


def unit_sums(values: np.ndarray) -> np.ndarray:
    return np.abs((1 - 2 * (np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1)) @ values)


CHECKS: dict[str, tuple[Check, Callable[..., object], Callable[..., object]]] = {
    "n-instead-of-n-1": (row_error, lambda v: mean_estimate(v).se, lambda v: v.std() / math.sqrt(len(v))),
    "no-square-root-of-n": (row_error, lambda v: mean_estimate(v).se, lambda v: v.std(ddof=1)),
    "groups-without-G/(G-1)": (
        group_error,
        lambda v, g: mean_estimate(v, g).group_se,
        lambda v, g: math.sqrt(np.square(group_sums(v - v.mean(), g)).sum()) / len(v),
    ),
    "rows-for-groups": (group_error, lambda v, g: mean_estimate(v, g).quoted, lambda v, _: stats.sem(v)),
    "unpaired": (
        paired_error,
        lambda q, p: mean_estimate(q - p).se,
        lambda q, p: math.hypot(stats.sem(q), stats.sem(p)),
    ),
    "normal-for-student": (student, quantile, lambda p, _: quantile(p, math.inf)),
    "one-tail-of-student": (student, quantile, lambda p, df: quantile(2 * p, df)),
    "n-degrees-of-freedom": (student, quantile, lambda p, df: quantile(p, df + 1)),
    "one-sided-flips": (
        two_sided,
        lambda s: sign_flip(s).p,
        lambda s: sign_flip(s).p / 2,
    ),
    "strictly-above": (two_sided, lambda s: sign_flip(s).p, lambda s: np.mean(unit_sums(s) > abs(s.sum()) + 1e-9)),
    "p-of-zero": (never_zero, lambda s: sign_flip(s).p, lambda s: sign_flip(s).p - 1e-4),
    "one-sided-mcnemar": (both_tails, mcnemar, lambda b, c: mcnemar(b, c) / 2),
    "chi-square-mcnemar": (both_tails, mcnemar, lambda b, c: stats.chi2.sf((b - c) ** 2 / (b + c), 1)),
    "percentile-at-fraction-n": (
        placed,
        lambda v, f: Ordered.of(v).percentile(f).value,
        lambda v, f: np.sort(v)[int(f * len(v))],
    ),
    "percentile-at-n+1": (
        placed,
        lambda v, f: Ordered.of(v).percentile(f).value,
        lambda v, f: np.quantile(v, f, method="weibull"),
    ),
    "lower-rank-off-by-one": (covered, ranks, lambda n, f: ((ranks(n, f)[0] or 0) + 1, ranks(n, f)[1])),
    "upper-rank-off-by-one": (covered, ranks, lambda n, f: (ranks(n, f)[0], (ranks(n, f)[1] or 0) + 1)),
    "whole-rows-of-cvar": (
        worst_part,
        lambda v, share: Ordered.of(v).worst_mean(share),
        lambda v, share: np.sort(v)[-math.ceil(share * len(v)) :].mean(),
    ),
    "symmetric-perplexity": (
        above_zero,
        lambda v: exp_estimate(v).lower95,
        lambda v: exp_estimate(v).value - quantile(0.05, 2) * exp_estimate(v).se,
    ),
    "mean-of-ratios": (pooled, lambda a, b: ratio_estimate(a, b).value, lambda a, b: np.mean(a / b)),
    "normal-correlation": (
        free_of_normality,
        lambda x, y: correlation(x, y).se,
        lambda x, y: (1 - np.corrcoef(x, y)[0, 1] ** 2) / math.sqrt(len(x) - 3),
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_double_is_caught(name: str) -> None:
    """A check that both pass would let the mistake into ours."""
    check, ours, wrong = CHECKS[name]
    assert check(ours)
    assert not check(wrong)
