"""The most probable classes are those that sorting finds, however they are found."""

from __future__ import annotations

import numpy as np
import pytest

from xentcli.comparing import tops
from xentcli.comparing.tops import Tops

DEEPEST = 11
KINDS = {  # name -> logits, [rows, classes]
    "ordinary": lambda g, shape: g.standard_normal(shape) * 3,
    "many ties": lambda g, shape: np.round(g.standard_normal(shape) * 3),
    "ties at the top alone": lambda g, shape: np.minimum(g.standard_normal(shape) * 3, 6.0),
    "all equal": lambda g, shape: np.zeros(shape),
    "few that are not masked": lambda g, shape: np.where(np.arange(shape[1]) % 97 == 1, 1.0, -np.inf) + np.zeros(shape),
    "rising": lambda g, shape: np.arange(shape[1]) + np.zeros(shape),
    "one row of ties": lambda g, shape: g.standard_normal(shape) * (np.arange(shape[0]) != 2)[:, None],
    "the greatest in one lane": lambda g, shape: (
        np.where(np.arange(shape[1]) % (shape[1] // 11) == 0, 9.0, 0.0) + g.standard_normal(shape)
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [1, 2, 11, 511, 512, 513, 1_000, 4_099])
def test_the_greatest_logits_are_those_of_a_sort(classes: int, dtype: type, kind: str) -> None:
    """Who asks for the top 10 must get the top 10, and the first of equals as the top one."""
    g = np.random.default_rng(classes)
    x = KINDS[kind](g, (30, max(classes, 11) if kind == "the greatest in one lane" else classes)).astype(dtype)
    found = Tops.of(x, DEEPEST)
    assert np.array_equal(found.values, -np.sort(-x.astype(np.float64), axis=1)[:, :DEEPEST])
    assert np.array_equal(np.take_along_axis(x, found.places, axis=1), found.values)
    assert np.array_equal(found.first, x.argmax(axis=1))
    assert all(len(set(row)) == len(row) for row in found.places.tolist())
    assert np.array_equal(found.is_alone(found.values[:, 0]), (x == x.max(axis=1, keepdims=True)).sum(axis=1) == 1)


@pytest.mark.parametrize("classes", [3, 600, 4_099])
@pytest.mark.parametrize("noise", [0.0, 0.1, 100.0])
def test_another_model_is_a_hint_alone(classes: int, noise: float) -> None:
    """What the base's top classes are must not be seen in those of the other side, however far it is from it."""
    g = np.random.default_rng(classes)
    x = (g.standard_normal((30, classes)) * 3).astype(np.float32)
    y = (x + noise * g.standard_normal(x.shape)).astype(np.float32)
    y[3], y[4] = 0.0, -y[4]
    found, alone = Tops.of(y, DEEPEST, Tops.of(x, DEEPEST)), Tops.of(y, DEEPEST)
    for name, values in vars(alone).items():
        rest = np.arange(30) != 3  # whose ties are in any order
        assert np.array_equal(values[rest], getattr(found, name)[rest]), name
    assert np.array_equal(found.values, alone.values)


@pytest.mark.parametrize("classes", [1_000, 4_099])
def test_rows_that_are_not_numbers_are_left_to_the_sort(classes: int) -> None:
    """A NaN must neither hide in a lane nor take the rows beside it along."""
    x = np.random.default_rng(0).standard_normal((5, classes)).astype(np.float32)
    x[1, 7], x[2], x[3, 5] = np.nan, -np.inf, np.inf
    found = Tops.of(x, DEEPEST)
    for row in (0, 2, 3, 4):
        assert np.array_equal(found.values[row], -np.sort(-x[row])[:DEEPEST])
    assert np.isnan(found.values[1, 0])


def test_steps_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks must not be seen in a report."""
    x = np.random.default_rng(1).standard_normal((20, 2_000)).astype(np.float32)
    whole = Tops.of(x, DEEPEST)
    monkeypatch.setattr(tops, "ELEMENTS", 6_000)
    again = Tops.of(x, DEEPEST)
    for name, values in vars(whole).items():
        assert np.array_equal(values, getattr(again, name)), name


@pytest.mark.parametrize("classes", [3, 2_000])
def test_no_rows_have_no_tops(classes: int) -> None:
    """A block whose samples are all ignored must not end a comparison."""
    assert Tops.of(np.empty((0, classes), np.float32), DEEPEST).values.shape == (0, min(DEEPEST, classes))
