"""How sure a share of so many rows is."""

from __future__ import annotations

import math

Z = 1.959963984540054  # of 97.5 % of a normal distribution


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a binomial share by its score, which stays between 0 and 1 at any count.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    share, weight = hits / count, Z * Z / count
    middle = (share + weight / 2.0) / (1.0 + weight)
    reach = Z / (1.0 + weight) * math.sqrt(share * (1.0 - share) / count + weight / (4.0 * count))
    return max(0.0, middle - reach) if hits else 0.0, min(1.0, middle + reach) if hits < count else 1.0
