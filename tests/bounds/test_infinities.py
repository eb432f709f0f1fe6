"""Where an infinity is due, allowed, or wrong: the edge of underflow, overflow, and what `classify` makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from families import store
from torch_paths import arrange, enclose_form, library, manual, model, tensor, widened

from xentcli.bounds.classify import NAN, OVERFLOW, UNDERFLOW, WITHIN, WRONG, classify
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import Bound, LossForm, PathModel
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, PRECISIONS

PLAIN = LossForm()


def float32_range(low, high, step=1):
    """Every `step`-th float32 number in [low, high)."""
    first, last = (int(np.float32(end).view(np.int32)) for end in (low, high))
    return np.arange(first, last, step, dtype=np.int32).view(np.float32)


def gaps_of(precision, step):
    """Label gaps about the edge: all float32 numbers in narrow windows, and a sample of the wide one."""
    if precision.is_half:
        edge = (1 - precision.least_exponent) * math.log(2)
        return np.unique(store(np.linspace(edge - 9, edge + 5, 40_000 // step), precision))
    if precision is FLOAT64:
        edges = [1075 * math.log(2) - math.log(count) for count in (1, 1.5, 2, 3, 5)]
        near = [edge + np.arange(-2000, 2000, step) * 2.0**-43 for edge in edges]
        return np.concatenate([np.linspace(707, 747, 40_000 // step), *near])
    edges = [150 * math.log(2) - math.log(count) for count in (1, 1.5, 2, 3, 5)] + [126 * math.log(2)]
    windows = [float32_range(edge - 0.002, edge + 0.002, step) for edge in edges]
    return np.concatenate([float32_range(87, 105, 40 * step), *windows])


def check_edge(precision, equals, inner, step):
    """`equals` classes at the maximum and the label below them."""
    gaps = gaps_of(precision, step)
    logits = np.zeros((len(gaps), equals + 1), gaps.dtype)
    logits[:, 0] = -gaps
    labels = np.zeros(len(gaps), np.int64)
    rows = enclose(logits, labels)
    values = widened(manual(tensor(logits, precision), torch.from_numpy(labels), inner))
    bound = manual_bound(model(precision, inner), rows, PLAIN)
    codes = classify(values, rows, bound)
    assert not (codes == WRONG).any(), (gaps[codes == WRONG][:3], values[codes == WRONG][:3])
    assert set(codes) == {WITHIN, UNDERFLOW}
    by_library = widened(library(tensor(logits, precision), torch.from_numpy(labels), inner))
    assert (classify(by_library, rows, library_bound(model(precision, inner), rows, PLAIN)) == WITHIN).all()
    return len(gaps)


@pytest.mark.parametrize("inner", [0, 1])
@pytest.mark.parametrize("equals", [1, 2, 5])
@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_the_edge_of_underflow(precision, equals, inner):
    """Else a manual loss one bit beyond the edge is called wrong, or one before it explained."""
    check_edge(precision, equals, inner, step=40)


@pytest.mark.slow
@pytest.mark.parametrize("inner", [0, 1])
@pytest.mark.parametrize("equals", [1, 2, 5])
@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_every_number_at_the_edge_of_underflow(precision, equals, inner):
    """The same with every float32 number in the windows."""
    check_edge(precision, equals, inner, step=1)


@pytest.mark.parametrize(
    ("precision", "inner", "may", "must"),
    [
        (FLOAT64, 0, 744.4401, 745.1334),
        (FLOAT32, 0, 103.2789, 103.9721),
        (FLOAT32, 1, 103.2789, 103.9721),
        (BFLOAT16, 0, 92.8817, 92.8818),
        (BFLOAT16, 1, 92.1886, 92.8818),
        (FLOAT16, 0, 17.3287, 17.3287),
        (FLOAT16, 1, 16.6355, 17.3288),
    ],
)
def test_the_thresholds(precision, inner, may, must):
    """Else an infinity is explained where it cannot be, or a finite value let pass where none can be."""
    gaps = np.array([may - 1e-3, may + 1e-3, must - 1e-3, must + 1e-3])
    bound = label_bound(gaps, model(precision, inner))
    assert bound.underflow[[0, 1, 3]].tolist() == [False, True, True]
    assert bound.never_finite[[0, 2, 3]].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("precision", "edge", "must"),
    [(FLOAT32, 87.3365, 103.9721), (BFLOAT16, 87.3365, 92.8818), (FLOAT64, 708.3964, 745.1334)],
)
def test_flushing_moves_the_edge(precision, edge, must):
    """Else every row between 87.3 and 104 nats is called wrong on a machine that flushes subnormals, or in a thread
    that does not although the others do."""
    bound = label_bound(np.array([edge - 0.02, edge, must - 1e-3, must + 1e-3]), PathModel(precision, flush=True))
    assert bound.underflow.tolist() == [False, True, True, True]
    assert bound.never_finite.tolist() == [False, False, False, True]


def label_bound(gaps, shape):
    """The manual bound of a label that far below one other class."""
    rows = enclose(np.stack([-gaps, np.zeros(len(gaps))], axis=1), np.zeros(len(gaps), np.int64))
    return manual_bound(shape, rows, PLAIN)


def test_torch_in_flush_mode_is_not_wrong():
    """Else `torch.set_flush_denormal(True)` makes every report a false alarm."""
    gaps = np.linspace(80, 110, 3000).astype(np.float32)
    logits = np.stack([-gaps, np.zeros(3000, np.float32)], axis=1)
    labels = np.zeros(3000, np.int64)
    for precision in (FLOAT32, BFLOAT16, FLOAT16):
        stored = store(logits.astype(float), precision)
        rows = enclose(stored, labels)
        if not torch.set_flush_denormal(True):
            pytest.skip("this processor cannot flush subnormals")
        try:
            values = widened(manual(tensor(stored, precision), torch.from_numpy(labels)))
        finally:
            torch.set_flush_denormal(False)
        bound = manual_bound(PathModel(precision, flush=True), rows, PLAIN)
        assert not (classify(values, rows, bound) == WRONG).any()


def test_underflow_with_options_is_explained():
    """Else smoothing, whose sum meets every class, is wrong wherever one class underflows."""
    logits = np.array([[0.0, -200.0, -1.0]], np.float32)
    labels = np.zeros(1, np.int64)
    for weight, expected in (([1.0, 1.0, 1.0], math.inf), ([1.0, 0.0, 1.0], math.nan)):
        form = LossForm(weight=np.array(weight), smoothing=0.1)
        rows, _ = enclose_form(logits, labels, form)
        value = manual(torch.from_numpy(logits), torch.from_numpy(labels), 0, torch.tensor(weight), 0.1)
        np.testing.assert_equal(value.item(), expected)
        bound = manual_bound(model(FLOAT32), rows, form, logits)
        assert classify(widened(value), rows, bound).tolist() == [UNDERFLOW]
        assert bound.nan.tolist() == [math.isnan(expected)]
        assert classify(np.array([5.0]), rows, bound).tolist() == [WRONG]


@pytest.mark.parametrize(("classes", "inner", "expected"), [(65_520, 0, OVERFLOW), (65_520, 2, WITHIN)])
def test_float16_stores_the_sum(classes, inner, expected):
    """Else the infinity that torch returns for 65,520 equal float16 logits is a riddle."""
    logits = np.zeros((2, classes), np.float32)
    labels = np.zeros(2, np.int64)
    rows = enclose(logits, labels)
    values = widened(library(tensor(logits, FLOAT16), torch.from_numpy(labels), inner))
    assert classify(values, rows, library_bound(model(FLOAT16, inner), rows, PLAIN)).tolist() == [expected] * 2


def test_float16_smoothing_overflows_before_its_factor():
    """Else the infinity of a smoothed float16 loss of a vocabulary is called wrong."""
    rng = np.random.default_rng(1)
    logits, labels = store(rng.normal(0, 1, (4, 50_257)), FLOAT16), np.zeros(4, np.int64)
    form = LossForm(smoothing=0.1)
    rows, _ = enclose_form(logits, labels, form)
    values = widened(library(tensor(logits, FLOAT16), torch.from_numpy(labels), label_smoothing=0.1))
    assert np.isposinf(values).all()
    assert (classify(values, rows, library_bound(model(FLOAT16), rows, form)) == OVERFLOW).all()


def test_a_gap_that_the_format_cannot_hold():
    """Else the overflow of x − max is called wrong, or one that cannot be is explained."""
    rows = enclose(np.array([[4e4, -4e4], [3e4, -3e4]]), np.ones(2, np.int64))
    bound = library_bound(model(FLOAT16), rows, PLAIN)
    assert classify(np.array([math.inf, math.inf]), rows, bound).tolist() == [OVERFLOW, WRONG]
    assert classify(np.array([65504.0, 6e4]), rows, bound).tolist() == [WRONG, WITHIN]


def test_a_smoothed_target_lost_in_float16():
    """Else NaN is a riddle: e/C is stored as zero, and zero times the infinity of a masked class is NaN."""
    classes = 5000
    logits = np.zeros((1, classes), np.float32)
    logits[0, 1] = -np.inf
    probabilities = torch.zeros(1, classes, dtype=torch.float16)
    probabilities[0, 0] = 1.0
    form = LossForm(probabilities=True, smoothing=1e-4)
    rows, coefficients = enclose_form(logits, None, form, widened(probabilities))
    values = widened(library(tensor(logits, FLOAT16), probabilities, label_smoothing=1e-4))
    assert rows.loss[0] == math.inf
    assert math.isnan(values[0])
    assert classify(values, rows, library_bound(model(FLOAT16), rows, form)).tolist() == [UNDERFLOW]
    assert classify(values, rows, manual_bound(model(FLOAT16), rows, form, logits, coefficients)).tolist() == [
        UNDERFLOW
    ]


def bound_of(count, *, below=1.0, above=1.0, **flags):
    """A bound with the same numbers in every row."""
    off = {name: np.zeros(count, bool) for name in ("underflow", "overflow", "nan", "never_finite")}
    given = {name: np.full(count, value) for name, value in flags.items()}
    return Bound(np.full(count, below), np.full(count, above), **{**off, **given}, magnitude=np.ones(count))


SPECIAL = enclose(np.array([[0.0, -math.inf], [0.0, math.nan], [0.0, -3.0]]), np.ones(3, np.int64))


@pytest.mark.parametrize(
    ("values", "flags", "expected"),
    [
        ([math.inf, math.nan, 3.0], {}, [WITHIN, NAN, WITHIN]),
        ([3.0, 3.0, 4.5], {}, [WRONG, WRONG, WRONG]),
        ([math.nan, math.inf, math.inf], {}, [WRONG, WRONG, WRONG]),
        ([-math.inf, math.nan, math.inf], {"underflow": True}, [WRONG, NAN, UNDERFLOW]),
        ([math.inf, math.nan, math.inf], {"overflow": True}, [WITHIN, NAN, OVERFLOW]),
        ([math.inf, math.nan, math.nan], {"overflow": True}, [WITHIN, NAN, WRONG]),
        ([math.inf, math.nan, math.nan], {"overflow": True, "nan": True}, [WITHIN, NAN, OVERFLOW]),
        ([math.inf, math.nan, -math.inf], {"underflow": True, "nan": True}, [WITHIN, NAN, UNDERFLOW]),
        ([math.inf, math.nan, 3.0], {"underflow": True, "never_finite": True}, [WITHIN, NAN, WRONG]),
        ([math.inf, math.nan, 3.0], {"above": math.inf}, [WITHIN, NAN, WITHIN]),
        ([math.inf, math.nan, 3.0], {"above": -0.01}, [WITHIN, NAN, WITHIN]),
        ([math.inf, math.nan, 3.0], {"above": -0.1}, [WITHIN, NAN, WRONG]),
    ],
)
def test_classify(values, flags, expected):
    """Else the three statuses of an infinity get mixed up; the true losses are inf, NaN and 3.0486."""
    assert classify(np.array(values), SPECIAL, bound_of(3, **flags)).tolist() == expected


def test_ignored_rows_have_no_allowance():
    """Else the NaN of a padded row's logits spoils the sum of the allowances."""
    logits = np.array([[0.0, math.nan], [0.0, 1.0]], np.float32)
    form = LossForm(smoothing=0.1)
    rows, _ = enclose_form(logits, np.array([-1, 0]), form)
    for bound in (library_bound(model(FLOAT32), rows, form), manual_bound(model(FLOAT32), rows, form, logits)):
        assert bound.allowed[0] == bound.magnitude[0] == 0
        assert bound.allowed[1] > 0
        assert classify(np.array([0.0, math.inf]), rows, bound).tolist() == [WITHIN, WRONG]


def test_the_layouts_differ():
    """Else the inner kernel is never met: bfloat16 losses of the two layouts are not the same."""
    logits = torch.randn(400, 2).to(torch.bfloat16)
    labels = torch.zeros(400, dtype=torch.int64)
    assert not torch.equal(library(logits, labels), library(logits, labels, 1))
    assert arrange(logits, 4).is_contiguous()
