"""The errors of the means of many runs of rows at once, as `means.mean_estimate` has them of one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.statistics.students import quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows of one part after the other, and within each those of one group after the other; no part is empty."""

    starts: Integers  # of the parts
    rows: Integers  # of each part
    group_starts: Integers | None = None  # of the groups in the parts; None where rows stand alone

    @classmethod
    def of(cls, parts: Integers, groups: Integers | None) -> Runs:
        """Of the part of each row, and of its group, both in the order of the rows."""
        is_new = _changes(parts)
        starts = np.flatnonzero(is_new)
        own = None if groups is None else np.flatnonzero(is_new | _changes(groups))
        return cls(starts, np.diff(starts, append=len(parts)), own)

    @property
    def groups(self) -> Integers | None:
        """How many groups each part has rows of."""
        if self.group_starts is None:
            return None
        return np.diff(np.searchsorted(self.group_starts, self.starts), append=len(self.group_starts))

    def sums(self, values: Floats) -> Floats:
        """Of each part."""
        return _sums(values, self.starts)

    def errors(self, values: Floats, means: Floats) -> Errors:
        """Of the means of the parts, which are these."""
        with np.errstate(all="ignore"):
            residuals = values - np.repeat(means, self.rows)
            se = _of_sums(residuals, self.starts, self.rows) / self.rows
            if self.group_starts is None or self.groups is None:
                return Errors(se, None, self.rows - 1)
            places = np.searchsorted(self.group_starts, self.starts)
            sums = _sums(residuals, self.group_starts)
            return Errors(se, _of_sums(sums, places, self.groups) / self.rows, self.groups - 1)


@dataclass(frozen=True, eq=False)
class Errors:
    """Standard errors of the mean of each part, NaN where they cannot be told, and Student's degrees of freedom."""

    se: Floats
    group_se: Floats | None  # None where rows stand alone
    df: Integers

    @property
    def reach(self) -> Floats:
        """How far an interval of 95 % reaches to both sides of the mean; NaN where that cannot be told."""
        degrees, place = np.unique(self.df, return_inverse=True)
        quantiles = np.array([quantile(0.05, df) if df > 0 else math.nan for df in degrees.tolist()])
        reach: Floats = quantiles[place] * (self.se if self.group_se is None else self.group_se)
        return reach


def _changes(ids: Integers) -> NDArray[np.bool_]:
    """Whether each differs from the one before."""
    return np.append(True, ids[1:] != ids[:-1])[: len(ids)]


def _of_sums(parts: Floats, starts: Integers, counts: Integers) -> Floats:
    """sqrt(k/(k − 1)·Σ s²) of k centred sums, scaled so that no square overflows or vanishes; NaN for one alone."""
    greatest = np.maximum.reduceat(np.abs(parts), starts) if len(starts) else np.zeros(0)
    scale = np.where(greatest == 0.0, 1.0, greatest)
    norm = greatest * np.sqrt(_sums(np.square(parts / np.repeat(scale, counts)), starts))
    return np.where(counts > 1, np.sqrt(counts / np.maximum(counts - 1, 1)) * norm, np.nan)


def _sums(values: Floats, starts: Integers) -> Floats:
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)
