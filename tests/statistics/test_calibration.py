"""Calibration errors against exact rational ones, on and beside the edges of their bins."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xentcli.statistics.calibration import BINS, Bins, by_mass, by_width, marked


def exact(confidences: list[Fraction], hits: list[bool]) -> tuple[Fraction, Fraction]:
    """ECE and MCE by definition, in rational numbers: bins [k/15, (k + 1)/15), the last one closed."""
    bins: dict[int, list[Fraction]] = {}
    for confidence, hit in zip(confidences, hits, strict=True):
        bins.setdefault(min(int(confidence * BINS), BINS - 1), []).append(hit - confidence)
    gaps = [abs(sum(each)) for each in bins.values()]
    return sum(gaps) / len(hits), max(abs(sum(each)) / len(each) for each in bins.values())


def drawn(rng: np.random.Generator, rows: int) -> tuple[list[Fraction], list[bool]]:
    """Confidences of which every third lies on an edge, or closer to it than float64 can tell."""
    edges = [Fraction(int(k), BINS) for k in rng.integers(1, BINS + 1, rows)]
    sides = [Fraction(int(side), 10**20) for side in rng.integers(-1, 2, rows)]
    near = [min(edge + side, Fraction(1)) for edge, side in zip(edges, sides, strict=True)]
    free = [Fraction(int(k), 10**6) for k in rng.integers(1, 10**6, rows)]
    picks = rng.integers(0, 3, rows)
    chosen = [one if pick == 0 else other for one, other, pick in zip(near, free, picks, strict=True)]
    return chosen, [bool(hit) for hit in rng.random(rows) < 0.7]


def judged(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    confidences, hits = drawn(rng, rows)
    radius = 1e-15
    noise = rng.uniform(-0.5, 0.5, rows) * radius
    values = np.clip([float(each) for each in confidences] + noise, 0.0, 1.0)
    found = by_width(Bins.of(values, np.full(rows, radius), np.array(hits), np.zeros(rows, bool)))
    ece, mce = exact(confidences, hits)
    assert Fraction(found.ece[1]) <= ece <= Fraction(found.ece[2])
    assert Fraction(found.mce[1]) <= mce <= Fraction(found.mce[2])


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@settings(max_examples=150)
def test_what_edges_leave_open_is_in_the_interval(seed: int, rows: int) -> None:
    """A confidence on an edge is in one bin in one tool and in the next one in another; both must be within."""
    judged(seed, rows)


@pytest.mark.slow
def test_ten_thousand_cases_on_edges() -> None:
    """The same so often that no edge is left out."""
    for seed in range(10_000):
        judged(seed, 1 + seed % 60)


def test_there_is_no_sixteenth_bin() -> None:
    """A confidence of 1 belongs to the last bin: counted apart, as one package does, it would not cancel there."""
    values, hits = np.array([1.0, 0.99]), np.array([True, False])
    found = by_width(Bins.of(values, np.zeros(2), hits, np.zeros(2, bool)))
    assert found.ece[0] == pytest.approx(0.99 / 2, abs=1e-15)


def test_sums_do_not_depend_on_the_split() -> None:
    """Threads, shards and workers must give the same bytes."""
    rng = np.random.default_rng(0)
    values, hits, tied = rng.random(1000), rng.random(1000) < 0.5, rng.random(1000) < 0.1
    radii = rng.random(1000) * 1e-12
    whole = Bins.of(values, radii, hits, tied)
    parts = [
        Bins.of(*(each[part] for each in (values, radii, hits, tied))) for part in np.split(np.arange(1000), [3, 500])
    ]
    assert parts[0] + parts[1] + parts[2] == whole
    assert parts[2] + parts[0] + parts[1] == whole


@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
@settings(max_examples=50)
def test_bins_of_equal_mass_by_another_way(seed: int, rows: int) -> None:
    """Sorted and split by NumPy alone; ties in confidence are open."""
    rng = np.random.default_rng(seed)
    values, hits = rng.choice(rng.random(1 + rows // 2), rows), rng.random(rows) < 0.6
    order = np.argsort(values, kind="stable")
    plain = sum(abs((hits[part] - values[part]).sum()) for part in np.array_split(order, BINS)) / rows
    (value, lower, upper), _ = by_mass(marked(values, hits), 1e-15, 0)
    assert lower <= plain <= upper
    assert value == pytest.approx(plain, abs=1e-12) or upper - lower > 1e-3


def test_a_tie_for_the_top_moves_a_hit() -> None:
    """Argmax is right in one library and wrong in the next one; the interval holds both."""
    found = by_width(Bins.of(np.array([0.5, 0.9]), np.zeros(2), np.array([True, True]), np.array([True, False])))
    assert found.ece[1] <= 0.3 <= found.ece[2]  # were the tie broken the other way


@given(st.integers(0, 2**32 - 1), st.integers(1, 100), st.sampled_from([1.0, 1e-3, 1e-12]))
@settings(max_examples=60)
def test_bins_of_equal_mass_are_slices_of_the_sorted(seed: int, rows: int, doubt: float) -> None:
    """Ten million rows need not be sorted for fifteen bins: with ties across edges, sure and few rows, too."""
    rng = np.random.default_rng(seed)
    marks = marked(1.0 - doubt * rng.choice(rng.random(1 + rows), rows), rng.random(rows) < 0.6)
    given = marks.copy()
    found, calibrated = by_mass(given, 1e-15, 3)
    np.testing.assert_array_equal(given, marks)
    parts = [part.tolist() for part in np.array_split(np.sort(marks), BINS)]
    hits = [sum(np.float64(mark).view(np.int64) & 1 for mark in part) for part in parts]
    plain = math.fsum(abs(count - math.fsum(part)) for count, part in zip(hits, parts, strict=True))
    assert found[0] == pytest.approx(plain / rows, rel=1e-12, abs=2.0**-52)
    variances = [math.fsum(mark * (1.0 - mark) for mark in part) for part in parts]
    expected = sum(math.sqrt(2.0 / math.pi * max(variance, 0.0)) for variance in variances) / rows
    assert calibrated == pytest.approx(expected, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("of_mass", [True, False])
def test_what_a_calibrated_model_would_have(of_mass: bool) -> None:
    """Few rows have an ECE above 0 whatever the model: hits are drawn anew, as often as their confidences say."""
    rng = np.random.default_rng(0)
    confidences = np.sort(rng.random(600) * 0.9 + 0.05)
    drawn = rng.random((400, 600)) < confidences
    places = np.arange(600) // 40 if of_mass else (confidences * BINS).astype(int)
    sums = np.stack([(drawn - confidences)[:, places == place].sum(1) for place in range(BINS)])
    expected = np.abs(sums).sum(0).mean() / 600
    by_width_alone = Bins.of(confidences, np.zeros(600), drawn[0], np.zeros(600, bool))
    found = by_mass(marked(confidences, drawn[0]), 0.0, 0)[1] if of_mass else by_width(by_width_alone).calibrated
    assert found == pytest.approx(expected, rel=0.03)
