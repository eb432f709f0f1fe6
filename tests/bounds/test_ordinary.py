"""What is decided of an ordinary block at once is what is decided of each row."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from xentcli.bounds.classify import OVERFLOW, WITHIN, WRONG, classify
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import Bound, LossForm, PathModel
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import PRECISIONS

PLAIN = LossForm()
ODD = {
    "a masked label": [0.0, -math.inf, 1.0],
    "a NaN": [0.0, math.nan, 1.0],
    "a gap beyond the format": [0.0, -3e38, 3e38],
    "subnormal probabilities": [0.0, -95.0, 1.0],
}
MODELS = [
    PathModel(PRECISIONS[name], kernel, height)
    for name in PRECISIONS
    for kernel, height in (("last", "lanes"), ("last", "any"), ("inner", "any"))
]


def ordinary(rows, scale=3.0):
    rng = np.random.default_rng(rows)
    logits = (rng.normal(0, scale, (rows, 3))).astype(np.float16).astype(np.float32)
    logits[0] = [0.0, 0.0, 0.0]
    logits[1] = [30.0, 0.0, 0.0]
    return logits, rng.integers(-1, 3, rows)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("model", MODELS, ids=lambda each: f"{each.precision.name}-{each.kernel}-{each.height}")
def test_a_row_is_allowed_the_same_beside_any_other(model, odd):
    """Else what is allowed, and with it the report's bytes, would depend on how the input was cut into blocks."""
    logits, labels = ordinary(40)
    beside = np.concatenate([logits, np.array([ODD[odd]], np.float32)]), np.append(labels, 1)
    for bound_of in (library_bound, manual_bound):
        alone, among = bound_of(model, enclose(logits, labels), PLAIN), bound_of(model, enclose(*beside), PLAIN)
        for each in fields(Bound):
            left, right = getattr(alone, each.name), getattr(among, each.name)[:-1]
            np.testing.assert_array_equal(left, right, err_msg=f"{bound_of.__name__}: {each.name}")


def test_a_row_that_float16_cannot_hold_is_no_ordinary_one():
    """Its overflow is explained, and a finite value there is looked at: nothing of it may be decided at once."""
    model = PathModel(PRECISIONS["float16"], "inner", "any")
    rows = enclose(np.array([[0.0, -65504.0], [65504.0, -65504.0]], np.float32), np.array([1, 1]))
    bound = library_bound(model, rows, PLAIN)
    assert bound.overflow.tolist() == [True, True]
    assert classify(np.array([65504.0, math.inf]), rows, bound).tolist() == [WITHIN, OVERFLOW]


def test_values_at_the_edge_are_judged_the_same_beside_any_other():
    """The quick look at a whole block must say no more than the look at each value."""
    model = PathModel(PRECISIONS["float32"], "last", "lanes")
    logits, labels = ordinary(400)
    rows = enclose(logits, np.maximum(labels, 0))
    for bound in (library_bound(model, rows, PLAIN), manual_bound(model, rows, PLAIN)):
        for share in (0.0, 1.0, 1.0 + 2.0**-40, 1.01, 2.0):
            for values in (rows.loss + share * bound.above, rows.loss - share * bound.below):
                found = classify(values, rows, bound)
                each = [
                    int(classify(values[[row, row]], rows.rows([row, row]), bound_of_row(bound, row))[0])
                    for row in range(0, 400, 13)
                ]
                assert found[::13].tolist() == each
                expected = WITHIN if share <= 1.0 else WRONG
                if share <= 1.0 or share > 1.001:
                    assert (found == expected).all(), share


def bound_of_row(bound, row):
    """Of one row, beside one of which a finite value is wrong: no block can be decided at once with it."""
    arrays = {each.name: getattr(bound, each.name)[[row, row]].copy() for each in fields(Bound)}
    arrays["never_finite"][1] = True
    return Bound(**arrays)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_plainly_inside(value):
    """An infinite allowance would else make an infinite loss right."""
    model = PathModel(PRECISIONS["float32"], "last", "lanes")
    rows = enclose(*(each[:4] for each in ordinary(8)))
    for bound in (library_bound(model, rows, PLAIN), library_bound(model, rows, PLAIN).free(np.ones(4, bool))):
        values = np.append(rows.loss[:3], value)
        assert (classify(values, rows, bound)[:3] == WITHIN).all()
        assert classify(values, rows, bound)[3] != WITHIN
