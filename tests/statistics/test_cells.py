"""Values by their ranks without sorting: NumPy's own sort, over every kind of number, and around every number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xentcli.statistics.cells import AT_ONCE, FIELDS, Cells

NUMBERS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, 5e-324, -5e-324, math.inf, -math.inf])
VALUES = hnp.arrays(np.float64, st.integers(1, 50), elements=NUMBERS)
AROUND = st.sampled_from([0.0, 1.0, -3.5])


@given(VALUES, AROUND)
def test_what_stands_at_every_rank_is_what_sorting_puts_there(values: np.ndarray, around: float) -> None:
    """A percentile of the wrong cell would look like any other."""
    assert list(Cells.of(values, around).at(range(len(values))).values()) == np.sort(values).tolist()


@given(VALUES, AROUND, st.data())
def test_sides_count_the_edges_below(values: np.ndarray, around: float, data: st.DataObject) -> None:
    """Those in the cell of an edge are told apart, and what is equal is on it."""
    edges = np.unique(data.draw(st.lists(st.sampled_from(values.tolist()), min_size=1, max_size=14)))
    ((found, sides),) = Cells.of(values, around).sides(edges)
    assert found.tobytes() == values.tobytes()
    expected = [sum(int(edge < value) + int(edge <= value) for edge in edges) for value in values]
    assert sides.tolist() == expected


@pytest.mark.parametrize("rows", [AT_ONCE - 1, 3 * AT_ONCE + 1, 1 << 21])
@pytest.mark.parametrize("power", [1.0, 30.0])
def test_many_rows_have_finer_cells(rows: int, power: float) -> None:
    """Cells grow finer with the rows, and chunks add up, whether values are spread or heaped up."""
    values = np.random.default_rng(rows).random(rows) ** power
    cells, ordered = Cells.of(values), np.sort(values)
    assert cells.bits > FIELDS
    ranks = np.linspace(0, rows - 1, 40).astype(int).tolist()
    assert cells.at(ranks) == dict(zip(ranks, ordered[ranks].tolist(), strict=True))
    edges = np.unique(ordered[ranks[3::4]])
    sides = np.concatenate([side for _, side in cells.sides(edges)])
    assert (sides == edges.searchsorted(values) + edges.searchsorted(values, side="right")).all()
