"""The certified reference: encloses the truth, tightly, and treats special values as torch defines them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from families import FAMILIES, draw
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from xentcli.errors import CertificateError
from xentcli.losses import class_sums, kernels
from xentcli.losses.class_sums import NARROW, WORKING_SET
from xentcli.losses.kernels import check_kernels
from xentcli.losses.reference import CHUNK, LARGEST, enclose
from xentcli.numbers.precision import FLOAT32, FLOAT64, PRECISIONS

BITS = 160


def true_loss(logits, label=None, coefficients=(), scale=1.0):
    """s·(λ + d_y) + Σ a_c·(λ + d_c) of one row in ball arithmetic; logits finite or −inf, coefficients exact."""
    row = [float(value) for value in logits]
    top = max(range(len(row)), key=row.__getitem__)
    greatest = arb(row[top])
    others = (value for place, value in enumerate(row) if place != top and value > -math.inf)
    log_sum = log1p(sum(((arb(value) - greatest).exp() for value in others), arb(0)))
    loss = arb(0)
    if label is not None:
        loss += arb(scale) * (log_sum + (greatest - arb(row[label])))
    for value, coefficient in zip(row, coefficients, strict=False):
        loss += coefficient * (log_sum + (greatest - arb(value)))
    return loss


def log1p(value):
    """Arb's own loses the relative digits of tiny arguments: there two terms of the series, and a ball for the rest."""
    return value - value**2 / 2 + value**3 * arb(0, 1) if value < 1e-20 else value.log1p()


def misses(logits, rows, *, labels=None, coefficients=(), scales=None):
    """The rows whose enclosure does not contain the true loss; those with an infinite or undefined loss left out."""
    ctx.prec = BITS
    found = []
    for row in np.flatnonzero(np.isfinite(rows.loss)):
        label = None if labels is None else int(labels[row])
        truth = true_loss(logits[row], label, coefficients, 1.0 if scales is None else float(scales[row]))
        if not (arb(rows.lower[row]) <= truth <= arb(rows.upper[row])):
            found.append((int(row), truth, rows.lower[row], rows.upper[row]))
    return found


def check_family(name, precision, rows, classes, seed):
    logits, labels = draw(name, np.random.default_rng(seed), rows, classes, precision)
    enclosures = enclose(logits, labels)
    assert not misses(logits, enclosures, labels=labels)
    return enclosures


@pytest.mark.parametrize("precision", [FLOAT32, FLOAT64], ids=lambda precision: precision.name)
@pytest.mark.parametrize("name", FAMILIES)
def test_encloses_the_truth(name, precision):
    """Else a right implementation is called wrong; ball arithmetic is the judge."""
    for rows, classes in ((20, 1), (60, 2), (40, 10), (2, 1000), (1, NARROW + 1)):
        check_family(name, precision, rows, classes, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_encloses_the_truth_of_very_many_rows(name):
    """Else one row in a hundred thousand is judged by a false reference; 110,000 rows over all families."""
    for precision in PRECISIONS.values():
        for rows, classes in ((900, 2), (600, 10), (10, 1000), (1, 50_257)):
            check_family(name, precision, rows, classes, seed=2)


@pytest.mark.parametrize("name", ["normal 3", "one-hot right", "huge gap", "all equal", "large offset"])
@pytest.mark.parametrize("classes", [2, 10, 1000, 50_257])
def test_enclosures_are_tight(name, classes):
    """Else "not refuted" would mean nothing: the radius stays below 2e-14 of the loss, however small the loss."""
    logits, labels = draw(name, np.random.default_rng(3), 40, classes, FLOAT64)
    rows = enclose(logits, labels)
    finite = np.isfinite(rows.loss)
    assert finite.all()
    assert (rows.radius <= 2e-14 * rows.loss + 2.0**-1060).all()
    assert (rows.upper - rows.lower <= 5e-14 * rows.loss + 2.0**-1060).all()


def test_a_confident_prediction_keeps_its_digits():
    """Else a loss of 1e-20 reads 0: the textbook log-sum-exp minus the logit has no digit left of it."""
    rows = enclose(np.array([[46.0, 0.0]]), np.array([0]))
    assert rows.loss[0] == pytest.approx(math.exp(-46), rel=1e-15)
    assert 0 < rows.lower[0] < rows.upper[0] < rows.lower[0] * (1 + 5e-14)


@pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "masked"])
def test_encloses_the_truth_with_coefficients(name, signed):
    """Else weights, label smoothing or target probabilities are judged by a false reference."""
    rng = np.random.default_rng(4)
    for classes in (2, 7, 300):
        logits, labels = draw(name, rng, 6, classes, FLOAT32)
        weight = rng.normal(0, 1, classes) if signed else rng.uniform(0, 1, classes)
        scale = rng.uniform(0, 2, 6)
        exact = [arb(value) for value in weight]
        rows = enclose(logits, labels, weight, scale)
        assert not misses(logits, rows, labels=labels, coefficients=exact, scales=scale)
        assert not misses(logits, enclose(logits, None, weight), coefficients=exact)
        by_row = enclose(logits, None, np.tile(weight, (6, 1)))
        assert np.array_equal(by_row.loss, enclose(logits, None, weight).loss)
        assert (by_row.coefficient_total >= np.abs(by_row.coefficient_sum) * (1 - 1e-12)).all()
        if name != "huge":
            assert (rows.radius <= 1e-12 * (rows.magnitude + 1e-300)).all()


def test_allows_for_coefficients_formed_in_float64():
    """Else smoothed losses of exact inputs fall outside, as (1 − e)·w and e/C·w are rounded before they arrive."""
    rng = np.random.default_rng(5)
    logits, labels = draw("normal 3", rng, 300, 3, FLOAT32)
    weight, smoothing = rng.uniform(0, 2, 3).astype(np.float32).astype(float), 0.1
    rows = enclose(logits, labels, smoothing / 3 * weight, (1 - smoothing) * weight[labels])
    ctx.prec = BITS
    for row in range(300):
        exact = [arb(smoothing) / 3 * arb(value) for value in weight]
        truth = true_loss(logits[row], None, exact)
        truth += (1 - arb(smoothing)) * arb(weight[labels[row]]) * true_loss(logits[row], int(labels[row]))
        assert arb(rows.lower[row]) <= truth
        assert truth <= arb(rows.upper[row])


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-800, 800)),
    st.integers(0, 5),
)
def test_encloses_whatever_hypothesis_finds(logits, label):
    """Else a corner that no family names is missed."""
    labels = np.full(len(logits), label % logits.shape[1])
    assert not misses(logits, enclose(logits, labels), labels=labels)


@pytest.mark.parametrize("classes", [2, NARROW, NARROW + 1, WORKING_SET // 2 + 1, WORKING_SET + 1])
def test_bits_do_not_depend_on_the_block(classes):
    """Else the digits of a report change with the split of a file into blocks."""
    rng = np.random.default_rng(6)
    logits = rng.normal(0, 3, (5, classes)).astype(np.float32)
    labels = rng.integers(0, classes, 5)
    whole = enclose(logits, labels)
    for row in range(5):
        part = enclose(logits[row : row + 1], labels[row : row + 1])
        assert (part.loss[0], part.radius[0]) == (whole.loss[row], whole.radius[row])
    turned = enclose(np.asfortranarray(logits), labels)
    assert np.array_equal(turned.loss, whole.loss)


def test_bits_do_not_depend_on_the_chunk():
    """Else the first 8192 rows differ from the following ones."""
    rng = np.random.default_rng(7)
    logits, labels = rng.normal(0, 3, (CHUNK + 10, 3)), rng.integers(-1, 3, CHUNK + 10)
    coefficients = rng.uniform(0, 1, (CHUNK + 10, 3))
    whole = enclose(logits, labels, coefficients)
    tail = enclose(logits[CHUNK - 5 :], labels[CHUNK - 5 :], coefficients[CHUNK - 5 :])
    assert np.array_equal(whole.loss[CHUNK - 5 :], tail.loss)
    assert np.array_equal(whole.ignored, labels < 0)


SPECIAL = np.array(
    [
        [0.0, 1.0, -math.inf],
        [0.0, math.nan, 0.0],
        [0.0, math.inf, 0.0],
        [-math.inf, -math.inf, -math.inf],
        [math.inf, math.inf, 0.0],
    ]
)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (0, [1.3132616875182228, math.nan, math.nan, math.nan, math.nan]),
        (1, [0.31326168751822283, math.nan, math.nan, math.nan, math.nan]),
        (2, [math.inf, math.nan, math.nan, math.nan, math.nan]),
        (-1, [0.0] * 5),
    ],
)
@pytest.mark.parametrize("format_", [np.float32, np.float64])
def test_special_values(label, expected, format_):
    """Else a masked class, a NaN or an ignored row gets a loss that torch would not give it; and no warning escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = enclose(SPECIAL.astype(format_), np.full(5, label))
        ends = rows.lower, rows.upper
    for values in (rows.loss, *ends):
        np.testing.assert_allclose(values, expected, rtol=1e-14)
    infinite = np.isinf(rows.loss)
    assert (rows.radius[infinite] == 0).all()


def test_a_zero_coefficient_of_a_masked_class_gives_nan():
    """Else probability 0 on a masked class reads as a number, where torch multiplies 0 with −inf."""
    logits = np.array([[0.0, 1.0, -math.inf]])
    assert math.isnan(enclose(logits, None, np.array([0.5, 0.5, 0.0])).loss[0])
    assert enclose(logits, None, np.array([0.5, 0.25, 0.25])).loss[0] == math.inf
    assert math.isnan(enclose(logits, np.array([2]), None, np.array([0.0])).loss[0])


def test_a_gap_beyond_float64_is_finite_all_the_same():
    """Else float64 overflow in the reference passes for a masked label."""
    logits = np.array([[1e308, -1e308, 0.0]])
    rows = enclose(logits, np.array([1]))
    assert (rows.lower[0], rows.upper[0]) == (LARGEST, math.inf)
    nothing = enclose(logits, None, np.array([0.0, 0.5, 0.5]))
    assert (nothing.lower[0], nothing.upper[0]) == (-math.inf, math.inf)


def test_one_class_costs_nothing_and_no_rows_are_no_rows():
    """Else the empty and the trivial case crash."""
    assert enclose(np.array([[3.5], [-2.0]]), np.zeros(2, np.int64)).loss.tolist() == [0.0, 0.0]
    assert enclose(np.empty((0, 4), np.float32), np.empty(0, np.int64)).loss.shape == (0,)


def test_this_machine_passes_its_own_check():
    """Else nothing can be certified here."""
    check_kernels(divergences=True)


@pytest.mark.parametrize("name", ["exp", "log1p", "log", "expm1"])
def test_a_coarse_kernel_is_refused(name, monkeypatch):
    """Else a numpy with an 8 ulp exp certifies all the same."""
    honest = getattr(np, name)

    def coarse(arguments):
        return honest(arguments) * (1 + 5e-16)

    coarse.__name__ = name
    monkeypatch.setattr(kernels.np, name, coarse)
    with pytest.raises(CertificateError, match=f"float64 {name} is less exact"):
        check_kernels(divergences=name == "expm1")


@pytest.mark.parametrize("name", ["expm1", "log1p"])
def test_a_kernel_that_is_coarse_for_small_numbers_is_refused(name, monkeypatch):
    """Else a KL of 1e-9 has no digit left that is certain, as all steps are small there."""
    honest = getattr(np, name)

    def coarse(arguments):
        return np.where(np.abs(arguments) < 2.0**-8, arguments, honest(arguments))

    coarse.__name__ = name
    monkeypatch.setattr(kernels.np, name, coarse)
    with pytest.raises(CertificateError, match=f"float64 {name} is less exact"):
        check_kernels(divergences=True)


@pytest.mark.parametrize(
    ("function", "arguments", "table"),
    [
        ("exp", kernels.EXP_ARGUMENTS, kernels.EXP_VALUES),
        ("log1p", kernels.LOG1P_ARGUMENTS, kernels.LOG1P_VALUES),
        ("log", kernels.LOG_ARGUMENTS, kernels.LOG_VALUES),
        *kernels.DIVERGENCE_KERNELS,
        *kernels.CAP_KERNELS,
    ],
)
def test_the_table_is_correctly_rounded(function, arguments, table):
    """Else the check compares with wrong numbers; Arb makes the table again."""
    ctx.prec = 300
    again = [float(getattr(arb(float(argument)), function)().mid()) for argument in arguments]
    assert [float.fromhex(text) for text in table.split()] == again


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_of_few_greatest_is_that_of_many(dtype, monkeypatch):
    """Ties, NaN and infinities are where another way to find it would leave out two classes, or none."""
    rng = np.random.default_rng(3)
    for classes in (1, 2, 3, 10, 63, 64):
        logits = rng.integers(-2, 3, (600, classes)).astype(dtype)
        logits[::7] *= rng.normal(size=(len(logits[::7]), classes)).astype(dtype)
        for place, value in enumerate((np.nan, np.inf, -np.inf, 5e-324 if dtype is np.float64 else 1e-45)):
            logits[place::11, rng.integers(classes)] = value
        logits[-1] = -np.inf
        labels = rng.integers(-1, classes, 600)
        found = enclose(logits, labels)
        monkeypatch.setattr(class_sums, "FEW", 0)
        own = enclose(logits, labels)
        monkeypatch.undo()
        for name in ("loss", "radius", "excess", "gap", "log_sum"):
            np.testing.assert_array_equal(getattr(found, name), getattr(own, name), err_msg=f"{name} of {classes}")
