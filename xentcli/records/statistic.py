"""A number with its certified ends and its statistical error, as a frozen record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Percentile:
    """A percentile of rows: its certified ends, and the order statistics that hold it in 95 % of such samples."""

    value: float
    lower: float
    upper: float
    interval: tuple[float | None, float | None]  # None where there are too few rows on that side


@dataclass(frozen=True)
class Statistic:
    """A number with its certified ends and, where it is an estimate, with its statistical error.

    value, lower, upper  the value lies between the ends, by proof; they differ by rounding, ties and 16 bits
    se, group_se         standard errors of the rows, and of groups of rows, which are quoted where there are some
    interval             95 %, by Student's t of the quoted standard error
    p                    of no difference: by sign flips of rows or groups, and McNemar's of the flips, both exact
    percentiles          of the rows, by their percentage, "min" and "max"; where they are worth knowing
    """

    value: float
    lower: float
    upper: float
    se: float | None = None
    group_se: float | None = None
    interval: tuple[float, float] | None = None
    interval90: tuple[float, float] | None = None  # of the losses' difference: what equivalence is shown by
    p: float | None = None
    percentiles: dict[str, Percentile] | None = None
