"""Standard errors of many parts at once: against SciPy and pandas, and where they cannot be told."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xentcli.statistics.runs import Runs

G = np.random.default_rng(23)
PARTS = np.sort(G.integers(0, 40, 300))
PARTS[PARTS == 7] = 8
PARTS = np.append(PARTS, 99)  # one row alone
GROUPS = G.integers(0, 9, 301)
ORDER = np.lexsort((GROUPS, PARTS))
PARTS, GROUPS = PARTS[ORDER], GROUPS[ORDER]
VALUES = G.exponential(1.0, 301) * 1e3


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_errors_are_those_of_others(scale: float) -> None:
    """An error of the wrong part calls noise a difference; squares must not overflow or vanish."""
    runs, table = Runs.of(PARTS, GROUPS), pd.DataFrame({"part": PARTS, "group": GROUPS, "value": VALUES})
    parts = [own for _, own in table.groupby("part")]
    means = np.array([own["value"].mean() for own in parts]) * scale
    found = runs.errors(VALUES * scale, means)
    assert found.group_se is not None
    for number, own in enumerate(parts):
        assert runs.rows[number] == len(own)
        alone = stats.sem(own["value"]) if len(own) > 1 else math.nan
        assert found.se[number] / scale == pytest.approx(alone, rel=1e-9, nan_ok=True)
        sums = (own["value"] - own["value"].mean()).groupby(own["group"]).sum()
        grouped = math.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(own) if len(sums) > 1 else math.nan
        assert found.group_se[number] / scale == pytest.approx(grouped, rel=1e-9, nan_ok=True)
        reach = stats.t.ppf(0.975, len(sums) - 1) * grouped if len(sums) > 1 else math.nan
        assert found.reach[number] / scale == pytest.approx(reach, rel=1e-9, nan_ok=True)


def test_equal_values_have_no_error() -> None:
    """And no rows have no parts."""
    runs = Runs.of(np.array([0, 0, 1, 1, 1]), None)
    assert runs.errors(np.array([2.0, 2.0, 3.0, 3.0, 3.0]), np.array([2.0, 3.0])).se.tolist() == [0.0, 0.0]
    nothing = Runs.of(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert nothing.errors(np.zeros(0), np.zeros(0)).se.size == 0
