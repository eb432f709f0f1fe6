"""Student's t, and the normal distribution as the one of infinitely many degrees of freedom; always both tails."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from xentcli.statistics.beta import Beta, incomplete_beta

FAR = 1e100  # from here on the tail is a power of t, to all digits
CLOSE = 1e-12  # a step of Newton's after which the next one is below rounding


def two_sided_p(t: float, df: float) -> float:
    """P(|T| ≥ |t|) = I_x(df/2, 1/2) at x = df/(df + t²), Abramowitz and Stegun 26.5.27; df = inf is normal.

    >>> round(two_sided_p(2.0, 10), 6), round(two_sided_p(1.96, math.inf), 6)
    (0.073388, 0.049996)
    """
    return _tails(abs(t), df).lower


@lru_cache(maxsize=1 << 16)
def quantile(p: float, df: float) -> float:
    """The t > 0 with P(|T| ≥ t) = p, 0 < p < 1: 0.05 for an interval of 95 %.

    Newton's method in log t, on the logarithm of the smaller part: both bend downwards, and the normal quantile, where
    it starts, lies below (M. Wichura's AS 241, from Python's library).

    >>> round(quantile(0.05, 9), 6), round(quantile(0.05, math.inf), 6)
    (2.262157, 1.959964)
    """
    if not (0.0 < p < 1.0 and df > 0.0):
        raise ValueError(f"p must be between 0 and 1 and df above 0, not {p} and {df}")
    t, step = -NormalDist().inv_cdf(p / 2.0), 0.0 if math.isinf(df) else math.inf
    while abs(step) > CLOSE:
        tail, middle, slope = _tails(t, df)
        part, wanted, direction = (tail, p, 1.0) if p <= 0.5 else (middle, 1.0 - p, -1.0)
        step = direction * math.log(part / wanted) * part / (2.0 * slope)
        t *= math.exp(step)
    return t


def _tails(t: float, df: float) -> Beta:
    """Both tails of |T| from t ≥ 0 on, what is between, and half the slope of either in log t."""
    if math.isinf(df):
        return Beta(math.erfc(t / math.sqrt(2.0)), math.erf(t / math.sqrt(2.0)), math.nan)
    if not t <= FAR:  # NaN stays NaN
        tail, middle, slope = _tails(FAR, df)
        power = (FAR / t) ** df
        return Beta(tail * power, middle, slope * power)
    square = t * t
    return incomplete_beta(df / 2.0, 0.5, df / (df + square), square / (df + square))
