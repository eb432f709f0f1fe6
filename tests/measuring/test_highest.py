"""The rows with the highest losses against sorting all of them."""

from __future__ import annotations

import numpy as np
import pytest

from xentcli.measuring.predictions import highest

KINDS = {
    "apart": lambda rng, rows: rng.random(rows),
    "equal": lambda rng, rows: np.round(4.0 * rng.random(rows)),
    "some NaN": lambda rng, rows: np.where(rng.random(rows) < 0.3, np.nan, rng.random(rows)),
    "runs of NaN": lambda rng, rows: np.where(np.arange(rows) // 300 % 2, np.nan, rng.random(rows)),
    "NaN": lambda _, rows: np.full(rows, np.nan),
    "infinite": lambda _, rows: np.full(rows, np.inf),
    "negative": lambda rng, rows: -rng.random(rows),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3, 20, 400])
def test_the_highest_are_those_of_a_sort(kind: str, count: int) -> None:
    """A row that is missed is the one that somebody looks for."""
    for rows in (1, 2, 5, 300, 1000, 5000):
        losses = KINDS[kind](np.random.default_rng(rows), rows)
        told = np.flatnonzero(~np.isnan(losses))
        expected = told[np.argsort(-losses[told], kind="stable")[:count]]
        assert highest(losses, count).tolist() == expected.tolist(), rows


def test_no_more_than_a_few_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """To order all rows of a block for five of them would take longer than their losses."""
    sizes: list[int] = []

    def watched(name: str) -> None:
        own = getattr(np, name)

        def call(values: np.ndarray, *others: object, **how: object) -> np.ndarray:
            sizes.append(len(values))
            return own(values, *others, **how)

        monkeypatch.setattr(np, name, call)

    watched("argsort")
    watched("partition")
    assert len(highest(np.random.default_rng(0).random(1 << 16), 5)) == 5
    assert max(sizes) <= 1 << 9
