"""Whether two sets of results over the same rows differ: tests of their differences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from xentcli.statistics.beta import binomial_at_most
from xentcli.statistics.means import group_sums, interval

if TYPE_CHECKING:
    from xentcli.statistics.means import Estimate, Floats, Groups

ENUMERATED = 13  # groups up to which every flip is taken
BITS = 18  # of a code; at 14 the few groups that decide often depend on one another, and p is off by 7 σ once in 400
FLIPS = 9_999
TIE = 2.0**-40  # of Σ|s|, what rounding may move a sum by: (G/2^18 + 18)·u, for up to 10^9 groups
PASS_BITS = 6  # of the transform at once: a matrix of 64 × 64 stays in the cache
HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]])
POWER = 2.8  # 1.96 + 0.84, normal quantiles: 5 % two-sided, 80 % power


@dataclass(frozen=True)
class SignFlip:
    """A test of whether differences are as likely to be positive as negative, group by group."""

    p: float  # two-sided; NaN where a sum is not finite or there is none
    groups: int
    flips: int  # that were drawn; 2^groups where all were taken
    seed: int | None  # None where none was drawn


@dataclass(frozen=True)
class Equivalence:
    """Whether a mean is shown to be within ±margin, at 5 %; False does not show that it is outside."""

    margin: float
    lower90: float
    upper90: float
    shown: bool


def sign_flip(differences: Floats, groups: Groups = None, *, flips: int = FLIPS, seed: int = 0) -> SignFlip:
    """p = (1 + #{|Σ ±s_g| ≥ |Σ s_g|})/(B + 1) of sums s_g of groups (rows for None), B flips drawn without repetition.

    Up to 13 groups it is the share of all 2^G flips. A sum that is lower by 2^-40·Σ|s_g| at most is a tie, and counts.

    Each group draws a code of k = 18 bits, and flip i gives it the sign (−1)^(bits that i and the code share): so
    the 2^k flips are a subgroup of all 2^G, which makes p exact (J. Hemerik and J. Goeman, 2018, Exact testing with
    random permutations, TEST 27). Any two are independent, so that p scatters as by independent ones. One
    Walsh-Hadamard transform of 2^k sums over equal codes has them all: G + k·2^k additions, not B·G.

    >>> sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    SignFlip(p=0.0625, groups=5, flips=32, seed=None)
    """
    sums = group_sums(differences, groups)
    count, every = sums.size, sums.size <= ENUMERATED
    greatest = float(np.abs(sums).max(initial=0.0))
    if not count or not math.isfinite(greatest):
        return SignFlip(math.nan, count, 0, None)
    scaled = sums / (greatest or 1.0)
    bits, generator = count if every else max(BITS, flips.bit_length()), np.random.default_rng(seed)
    codes = 1 << np.arange(count) if count <= bits else generator.integers(1 << bits, size=count, dtype=np.uint32)
    totals = np.abs(_transformed(np.asarray(np.bincount(codes, scaled, 1 << bits), np.float64)))
    reached = totals >= totals[0] - TIE * float(np.abs(scaled).sum())
    if every:
        return SignFlip(float(reached.mean()), count, 1 << count, None)
    drawn = 1 + generator.choice((1 << bits) - 1, flips, replace=False)
    return SignFlip((1 + int(np.count_nonzero(reached[drawn]))) / (flips + 1), count, flips, seed)


def mcnemar(only_one: int, only_other: int) -> float:
    """p = min(1, 2·Σ_{k ≤ min(b,c)} C(b+c, k)/2^(b+c)), exact, of b and c rows that only one of two has right.

    >>> round(mcnemar(1, 7), 9)
    0.0703125
    """
    return min(1.0, 2.0 * binomial_at_most(min(only_one, only_other), only_one + only_other, 0.5))


def equivalence(estimate: Estimate, margin: float) -> Equivalence:
    """Whether the 90 % interval of a mean lies inside ±margin: two one-sided tests at 5 % (D. Schuirmann, 1987)."""
    if not margin > 0.0:
        raise ValueError(f"a margin must be above 0, not {margin}")
    lower, upper = interval(estimate.value, estimate.quoted, estimate.df, 0.9)
    return Equivalence(margin, lower, upper, -margin < lower and upper < margin)


def smallest_detectable(estimate: Estimate) -> float:
    """2.8·SE: the true mean of which a test at 5 %, two-sided, would have found four in five."""
    return POWER * estimate.quoted


def _transformed(values: Floats) -> Floats:
    """Σ_j (−1)^(bits that i and j share)·v_j for each i: the Walsh-Hadamard transform of 2^k values.

    Its matrix is a Kronecker product: each pass transforms the leading bits of j, and turns them to the end.
    """
    left = values.size.bit_length() - 1
    while left:
        bits = min(left, PASS_BITS)
        values = (values.reshape(1 << bits, -1).T @ reduce(np.kron, [HADAMARD] * bits)).reshape(-1)
        left -= bits
    return values
