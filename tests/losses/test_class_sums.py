"""The sums over the classes: how often a term is rounded, and what a wide row's order of addition loses at most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from flint import arb, ctx

from xentcli.losses.additions import NARROW, SLABS, height
from xentcli.losses.class_sums import Grid, _in_slabs, fold
from xentcli.losses.reference import enclose

WIDE = (NARROW + 1, NARROW + SLABS, 2001, 4097, 32_000, 50_257)


@dataclass(frozen=True)
class Term:
    """A number that knows only how many additions it has passed."""

    additions: int = 0

    def __add__(self, other: Term) -> Term:
        return Term(max(self.additions, other.additions) + 1)


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 1000, NARROW, *WIDE])
def test_no_term_passes_more_additions_than_is_said(classes):
    """Else the enclosures of wide rows are too narrow, by as many roundings as were not counted."""
    terms = np.full((2, classes), Term(), object)
    sums = fold(terms) if classes <= NARROW else _in_slabs(terms)
    assert max(total.additions for total in sums) == height(classes)


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
