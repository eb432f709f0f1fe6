"""Classwise ECE against exact sums by Arb, on and beside the edges of the bins, and whatever the shape of a block."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx

from xentcli.losses import class_chances, class_sums
from xentcli.losses.class_chances import BINS, MOST_CLASSES, chance_error
from xentcli.losses.reference import enclose
from xentcli.statistics.calibration import ClassBins, by_class

BITS = 300


def found(logits: np.ndarray, labels: np.ndarray) -> ClassBins:
    chances = enclose(logits, labels, moments=True).chances
    assert chances is not None
    return chances.bins()


def exact(logits: np.ndarray, labels: np.ndarray) -> Fraction:
    """By definition: bins [k/15, (k + 1)/15) of each class, the last one closed."""
    ctx.prec = BITS
    gaps: dict[tuple[int, int], arb] = {}
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        terms = [arb(value).exp() if value > -math.inf else arb(0) for value in row]
        total = sum(terms, arb(0))
        for index, term in enumerate(terms):
            chance = term / total
            place = min(_bin(chance * BINS), BINS - 1)
            gaps[index, place] = gaps.get((index, place), arb(0)) + (index == label) - chance
    middle = sum((abs(each) for each in gaps.values()), arb(0)).mid().fmpq() / (logits.shape[1] * len(labels))
    return Fraction(int(middle.p), int(middle.q))


def _bin(scaled: arb) -> int:
    """What no precision tells from an edge, as the chances of equal logits, lies on it."""
    low, high = scaled.lower().floor(), scaled.upper().floor()
    return int(float(low)) if low == high else round(float(scaled.mid()))


def on_edges(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    """Logits whose chances are k/15 but for the rounding of the logarithm; every fourth row is random."""
    counts = rng.multinomial(BINS, np.full(classes, 1 / classes), rows)
    with np.errstate(divide="ignore"):
        logits = np.log(counts.astype(np.float64))
    free = rng.random(rows) < 0.25
    logits[free] = rng.normal(0, 3, (int(free.sum()), classes))
    return logits


def judged(seed: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = on_edges(rng, rows, classes), rng.integers(0, classes, rows)
    _, lower, upper = by_class(found(logits, labels), rows)
    assert Fraction(lower) <= exact(logits, labels) <= Fraction(upper), (seed, rows, classes)


def test_what_edges_leave_open_is_in_the_interval() -> None:
    """A probability on an edge is in one bin in one tool and in the next one in another; both must be within."""
    for seed in range(150):
        judged(seed, 1 + seed % 9, 1 + seed % 6)


@pytest.mark.slow
def test_ten_thousand_cases_on_edges() -> None:
    """The same so often that no edge is left out."""
    for seed in range(10_000):
        judged(seed, 1 + seed % 9, 1 + seed % 6)


@pytest.mark.parametrize("side", [-1, 1])
def test_beside_an_edge_it_is_certain(side: int) -> None:
    """Nothing is open where an edge is further off than the error: an interval that is always wide says nothing."""
    logits = np.log(np.array([[0.2 + side * 1e-9, 0.8 - side * 1e-9]] * 40))
    value, lower, upper = by_class(found(logits, np.arange(40) % 2), 40)
    assert upper - lower < 1e-11
    assert Fraction(lower) <= exact(logits, np.arange(40) % 2) <= Fraction(upper)
    assert value == pytest.approx(0.3, abs=1e-8)


def test_an_edge_counts_for_its_own_part_alone() -> None:
    """Fifteen equal classes lie on the first edge: moved, each of the 15 moves by 1/15 or 14/15, and not by 1."""
    bins = found(np.zeros((1, BINS)), np.array([0]))
    assert bins.doubtful.magnitude() * 2.0**-40 == pytest.approx(28 / 15, abs=1e-9)


def test_there_is_no_sixteenth_bin() -> None:
    """Chances of 1 and of 0.96 share the last bin: apart, as torchmetrics has them, they would not cancel."""
    logits, labels = np.array([[800.0, 0.0], [math.log(24), 0.0]]), np.array([0, 0])
    value, _, _ = by_class(found(logits, labels), 2)
    assert value == pytest.approx((0.04 + 0.04) / 4, abs=1e-12)


@pytest.mark.parametrize(("rows", "classes"), [(3, 1), (20_000, 3), (700, 40), (40, 1000), (30, 1025), (9, 4096)])
def test_any_shape_and_split(rows: int, classes: int) -> None:
    """Every layout of a working block gives the sums that NumPy gives, and parts of the rows add up to the last bit."""
    rng = np.random.default_rng(classes)
    logits, labels = rng.normal(0, 4, (rows, classes)).astype(np.float32), rng.integers(-1, classes, rows)
    whole, cut = found(logits, labels), rows // 3
    assert found(logits[cut:], labels[cut:]) + found(logits[:cut], labels[:cut]) == whole
    counted = labels >= 0
    chances = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))[counted]
    chances /= chances.sum(axis=1, keepdims=True)
    places = np.minimum((chances * BINS).astype(int), BINS - 1) + np.arange(classes) * BINS
    hits = labels[counted][:, None] == np.arange(classes)
    gaps = np.bincount(places.ravel(), (hits - chances).ravel(), classes * BINS)
    plain = np.abs(gaps).sum() / (classes * counted.sum())
    value, lower, upper = by_class(whole, int(counted.sum()))
    assert value == pytest.approx(plain, abs=2e-12)
    assert lower <= value <= upper <= lower + 2e-12


@pytest.mark.parametrize("classes", [2, 3, 10, 40, 1025])
def test_the_size_of_a_block_changes_nothing(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows on edges, ignored and broken ones meet in one block or in many: a bit apart would show."""
    rng = np.random.default_rng(classes)
    rows = 9000 if classes <= 40 else 90
    logits, labels = on_edges(rng, rows, classes), rng.integers(0, classes, rows)
    labels[::7] = -1
    logits[3] = -np.inf
    whole = found(logits, labels)
    monkeypatch.setattr(class_sums, "WORKING_SET", 50 * classes)
    assert found(logits, labels) == whole
    assert whole.doubtful.magnitude() > 0


def test_ignored_and_broken_rows_are_in_no_sum() -> None:
    """An ignored row may hold anything, NaN as well."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 2, (50, 4)), rng.integers(0, 4, 50)
    dirty = np.vstack([logits, np.full((2, 4), np.nan), np.full((1, 4), np.inf)])
    assert found(dirty, np.append(labels, [-1, -1, -1])) == found(logits, labels)


def test_of_too_many_classes_there_is_none() -> None:
    """Tables of so many classes would take longer than the losses: nothing is told, and nothing guessed."""
    assert enclose(np.zeros((1, MOST_CLASSES + 1), np.float32), np.array([0]), moments=True).chances is None


def test_the_error_covers_the_kernels_own() -> None:
    """ε is what Arb finds, and no less; were it much more, edges would be open that are not."""
    ctx.prec = BITS
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (30, 5))
    for row in logits:
        terms = [arb(float(value)).exp() for value in row]
        total = sum(terms, arb(0))
        gaps = row.max() - row
        shares = np.exp(-gaps)
        computed = shares * (1.0 / (1.0 + (shares.sum() - 1.0)))
        for term, chance in zip(terms, computed.tolist(), strict=True):
            off = abs(term / total - arb(chance)) / (term / total)
            assert float(off) <= chance_error(5) <= 2e-13
    assert class_chances.reach(5) < 1e-10
