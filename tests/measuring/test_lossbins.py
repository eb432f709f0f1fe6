"""The bins of losses against a search for each value, at their edges and around them."""

from __future__ import annotations

import numpy as np
import pytest

from xentcli.losses.reference import Rows, enclose
from xentcli.measuring.lossbins import CELL, EDGES, UNSURE, LossBins, _cells


def rows_of(losses: np.ndarray, radius: float) -> Rows:
    """Rows of these losses, all as far off."""
    rows = enclose(np.zeros((len(losses), 2)), np.zeros(len(losses), np.int64))
    rows.loss[:], rows.radius[:] = losses, radius * np.abs(losses)
    return rows


def around(edges: np.ndarray) -> np.ndarray:
    """The edges, numbers beside them, and numbers that are as far off as a cell is wide."""
    beside = [np.nextafter(edges, side) for side in (-np.inf, np.inf)]
    near = [edges * (1.0 + side * 2.0**-bits) for bits in (7, 8, 9, 10, 30, 50) for side in (-1, 1)]
    return np.concatenate([edges, *beside, *near, np.geomspace(1e-300, 1e300, 4001)])


@pytest.mark.parametrize("radius", [0.0, 1e-15, 1e-4, 0.3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_each_loss_is_in_the_bin_of_a_search(sign: float, radius: float) -> None:
    """A loss on an edge that falls into the bin below is a histogram that no other tool draws."""
    losses = sign * around(np.array(EDGES))
    found = LossBins.of(rows_of(losses, radius))
    numbers, counts = np.unique(np.searchsorted(EDGES, losses, side="right"), return_counts=True)
    assert {number: each.rows for number, each in found.bins.items()} == dict(
        zip(numbers.tolist(), counts.tolist(), strict=True)
    )
    edges = np.array((-np.inf, *EDGES, np.inf))
    reach = radius * np.abs(losses) + 2.0**-52 * np.abs(losses)
    lower, place = np.maximum(losses - reach, 0.0), np.searchsorted(EDGES, losses, side="right")
    assert found.on_edges == np.count_nonzero((lower < edges[place]) | (losses + reach >= edges[place + 1]))


def test_few_cells_need_a_search() -> None:
    """Were every cell unsure, all would be right, and slow."""
    cells = _cells()
    assert np.count_nonzero(cells == UNSURE) < 8 * len(EDGES)
    assert len(cells) == 1 << (64 - CELL)
