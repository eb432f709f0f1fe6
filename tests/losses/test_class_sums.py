"""The sums over the classes: how often a term is rounded, and what a wide row's order of addition loses at most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from flint import arb, ctx

from xentcli.losses import class_sums
from xentcli.losses.additions import NARROW, SLABS, height
from xentcli.losses.class_sums import FEW, LONG, Grid, Moments, _in_slabs, _slabs, fold
from xentcli.losses.reference import enclose

WIDE = (NARROW + 1, NARROW + SLABS, 2001, 4097, 32_000, 50_257)


@dataclass(frozen=True)
class Term:
    """A number that knows only how many additions it has passed."""

    additions: int = 0

    def __add__(self, other: Term) -> Term:
        return Term(max(self.additions, other.additions) + 1)

    def __radd__(self, _: int) -> Term:
        return self  # to nothing, which rounds nothing

    def __mul__(self, _: float) -> Term:
        return self


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 1000, NARROW, *WIDE])
def test_no_term_passes_more_additions_than_is_said(classes):
    """Else the enclosures of wide rows are too narrow, by as many roundings as were not counted."""
    terms = np.full((2, classes), Term(), object)
    sums = fold(terms) if classes <= NARROW else _in_slabs(terms)
    assert max(total.additions for total in sums) == height(classes)
    if classes > NARROW:
        products = _in_slabs(_slabs(terms, np.ones((2, classes), object)))
        assert max(total.additions for total in products) == height(classes)


@pytest.mark.parametrize("classes", WIDE)
def test_a_wide_row_is_added_in_one_order_whoever_is_beside_it(classes):
    """Else the reference depends on the size of the blocks; and terms that are needed afterwards would be lost."""
    terms = np.random.default_rng(classes).lognormal(0, 9, (5, classes))
    kept = terms.copy()
    together = _in_slabs(terms)
    assert [float(_in_slabs(row[None])[0]) for row in kept] == together.tolist()
    assert np.array_equal(_in_slabs(np.asfortranarray(kept)), together)
    assert np.array_equal(terms, kept)
    assert together == pytest.approx([math.fsum(row) for row in kept], rel=2.0**-53 * (height(classes) + 1), abs=0)


@pytest.mark.parametrize("classes", [NARROW + 1, 32_000])
@pytest.mark.parametrize("slab", ["first", "last", "every other"])
def test_what_each_slab_loses_is_in_the_radius(classes, slab):
    """Else terms just below half a unit, lost one after the other, move a wide row's sum out of its enclosure."""
    ctx.prec = 160
    width = -(-classes // SLABS)
    logits = np.full((1, classes), -53.0 * math.log(2.0) - 2.0**-20)  # each is lost beside a term of 1
    large = {"first": slice(0, width), "last": slice(-width, None), "every other": slice(0, None, 2)}[slab]
    logits[0, large] = 0.0
    rows = enclose(logits, np.array([0 if slab != "last" else classes - 1]))
    ones = int(np.count_nonzero(logits == 0.0))
    truth = (arb(ones) + (classes - ones) * arb(float(logits.min())).exp()).log()
    assert arb(rows.lower[0]) <= truth <= arb(rows.upper[0])
    assert rows.radius[0] < 1e-13


def test_wide_rows_go_through_slabs():
    """Else the test above looks at an order that nobody uses."""
    assert not Grid.blank(np.empty(NARROW + 1), np.empty((1, NARROW + 1))).is_by_class
    assert height(NARROW + 1) > NARROW.bit_length()


def moments_of(logits: np.ndarray, labels: np.ndarray) -> Moments:
    found = enclose(logits, labels, moments=True).moments
    assert found is not None
    return found


def hostile(classes: int, dtype: type, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Ties, masked classes, infinities, no numbers, all of a row masked; labels at the top and anywhere."""
    rng = np.random.default_rng(classes)
    logits = rng.integers(-3, 4, (rows, classes)).astype(dtype)
    logits[::3] += rng.normal(0, 4, logits[::3].shape).astype(dtype)
    for place, value in enumerate((-np.inf, np.nan, np.inf)):
        logits[np.arange(place, rows, 7), rng.integers(0, classes, len(range(place, rows, 7)))] = value
    logits[-1], logits[-2] = -np.inf, 1.0
    labels = rng.integers(0, classes, rows)
    labels[::2] = logits[::2].argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [1, 2, 10, FEW, FEW + 1, 255, 256, 600, NARROW, NARROW + 1, LONG])
def test_where_a_label_stands(classes, dtype):
    """Else accuracies and margins count ties, masked classes and broken rows in one layout alone."""
    logits, labels = hostile(classes, dtype)
    found = moments_of(logits, labels)
    for number, (row, label) in enumerate(zip(logits.astype(np.float64), labels, strict=True)):
        with np.errstate(invalid="ignore"):
            rival = row.max() - np.delete(row, label).max(initial=-np.inf)
        assert found.top[number] == row.argmax()
        assert found.above[number] == sum(value > row[label] for value in row.tolist())
        assert found.equal[number] == sum(value == row[label] for value in row.tolist())
        np.testing.assert_equal(found.rival[number], rival)


@pytest.mark.parametrize("classes", [3, NARROW, NARROW + 1, 2001])
def test_moments_are_the_same_whoever_is_beside_a_row(classes, monkeypatch):
    """Else metrics depend on the size of a block, and on whether a neighbour has a masked class."""
    logits, labels = hostile(classes, np.float32, 21)
    together = moments_of(logits, labels)
    for size in (1, 4 * classes):
        monkeypatch.setattr(class_sums, "WORKING_SET", size)
        for name, values in vars(moments_of(logits, labels)).items():
            np.testing.assert_array_equal(values, getattr(together, name), err_msg=name)


@pytest.mark.parametrize("classes", [10, NARROW + 1, 2001])
@pytest.mark.parametrize("masked", [False, True])
def test_moments_err_by_their_additions_at_most(classes, masked):
    """Terms just below half a unit of what is beside them are lost one by one: entropy and Brier must allow for it.

    No gap is rounded here, so that no exponent adds to the error: E u of exp, twice for a square, and one a product.
    """
    ctx.prec = 160
    logits = np.full((2, classes), -36.0)  # beside the sums of the greater ones each of its terms is lost
    logits[0, :: max(1, classes // SLABS)] = 0.0
    logits[0, 1 :: max(1, classes // SLABS)] = -1.0
    logits[1, :2] = 0.0, -36.0
    if masked:
        logits[:, -3:] = -np.inf
    found = moments_of(logits, np.array([0, 0]))
    for number, row in enumerate(logits):
        gaps = [arb(float(-each)) for each in row if each > -np.inf]
        gap_sum, squares = sum(gap * (-gap).exp() for gap in gaps), sum((-2 * gap).exp() for gap in gaps)
        allowed = 2.0**-53 * (height(classes) + 8 + 1)
        assert abs(arb(found.gap_sum[number]) - gap_sum) <= allowed * gap_sum
        assert abs(arb(found.square_sum[number]) - squares) <= (allowed + 2.0**-53 * 8) * squares
