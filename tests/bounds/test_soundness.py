"""The bounds are sound: torch's own paths are never called wrong, in any format, layout, option or family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import FAMILIES, draw, store
from torch_paths import arrange, enclose_form, layouts_of, library, manual, model, share_of_bound, tensor, widened

from xentcli.bounds.classify import NAN, WRONG, classify
from xentcli.bounds.gradient import gradient_bound
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import LossForm
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import PRECISIONS

FAST = ((40, 1), (80, 2), (80, 10), (40, 100))
SLOW = ((200, 1), (2000, 2), (2000, 10), (200, 1000), (40, 50_257))
SLOW_OPTIONS = ((200, 1), (400, 2), (400, 10), (40, 1000))
OPTIONS = {
    "weight": (True, False, False),
    "smoothing": (False, True, False),
    "weight, smoothing": (True, True, False),
    "probabilities": (False, False, True),
    "weight, probabilities": (True, False, True),
    "smoothing, probabilities": (False, True, True),
    "weight, smoothing, probabilities": (True, True, True),
}


def check(values, rows, bound, case):
    codes = classify(widened(values), rows, bound)
    wrong = np.flatnonzero(codes == WRONG)
    assert not wrong.size, (case, wrong[:3], widened(values)[wrong[:3]], rows.loss[wrong[:3]], bound.above[wrong[:3]])
    undefined = np.isnan(rows.loss)
    assert ((codes == NAN) == undefined).all(), case
    return len(codes)


def check_plain(name, precision, sizes, seed):
    rng = np.random.default_rng(seed)
    checked = 0
    for count, classes in sizes:
        logits, labels = draw(name, rng, count, classes, precision)
        rows = enclose(logits, labels)
        for inner in layouts_of(precision, count):
            for height in ("any",) if inner else ("lanes", "any"):
                shape = model(precision, inner, height)
                for path, bound in ((library, library_bound), (manual, manual_bound)):
                    values = path(tensor(logits, precision), torch.from_numpy(labels), inner)
                    case = (path.__name__, precision.name, classes, inner, height)
                    checked += check(values, rows, bound(shape, rows, LossForm()), case)
    return checked


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_is_never_wrong(name, precision):
    """Else a user is sent to hunt a bug that is rounding."""
    assert check_plain(name, precision, FAST, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_is_never_wrong_in_very_many_rows(name, precision):
    """Else one false alarm in a million rows: 2.5 million (row, path) checks over all families and formats."""
    assert check_plain(name, precision, SLOW, seed=2) >= 35_000


def options_of(kinds, rng, count, classes, precision):
    """A form of the loss with numbers that the precision holds, and the arguments it has in torch."""
    weighted, smoothed, soft = kinds
    weight = tensor(store(random_weight(rng, classes), precision), precision) if weighted else None
    smoothing = float(rng.choice([0.1, 1e-4, 0.9])) if smoothed else 0.0
    probabilities = torch.softmax(torch.from_numpy(rng.normal(0, 3, (count, classes))), 1)
    probabilities[torch.from_numpy(rng.random((count, classes)) < 0.3)] = 0.0
    probabilities = probabilities.to(getattr(torch, precision.name)) if soft else None
    return LossForm(soft, None if weight is None else widened(weight), smoothing), weight, probabilities


def random_weight(rng, classes):
    """Positive weights, some of them zero, or now and then of either sign."""
    weight = rng.uniform(0.1, 3, classes) if rng.random() < 0.7 else rng.normal(0, 2, classes)
    weight[rng.random(classes) < 0.1] = 0.0
    return weight


def check_options(name, precision, kinds, sizes, seed):
    rng = np.random.default_rng(seed)
    for count, classes in sizes:
        logits, labels = draw(name, rng, count, classes, precision)
        form, weight, probabilities = options_of(kinds, rng, count, classes, precision)
        exact = None if probabilities is None else widened(probabilities)
        rows, coefficients = enclose_form(logits, labels, form, exact)
        target = torch.from_numpy(labels) if probabilities is None else probabilities
        options = {"weight": weight, "label_smoothing": form.smoothing}
        for inner in layouts_of(precision, count):
            shape = model(precision, inner)
            arguments = (tensor(logits, precision), target, inner)
            bound = library_bound(shape, rows, form)
            case = (precision.name, classes, inner, form)
            check(library(*arguments, **options), rows, bound, case)
            bound = manual_bound(shape, rows, form, logits, coefficients)
            check(manual(*arguments, **options), rows, bound, case)


@pytest.mark.parametrize("kinds", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", ["normal 3", "one-hot right", "underflow edge", "huge", "masked"])
def test_torch_is_never_wrong_with_options(name, kinds):
    """Else a weighted, smoothed or soft loss is refuted by rounding."""
    for precision in PRECISIONS.values():
        check_options(name, precision, kinds, ((40, 7),), seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_is_never_wrong_with_options_in_many_rows(name, kinds):
    """The same over more rows and classes."""
    for precision in PRECISIONS.values():
        check_options(name, precision, kinds, SLOW_OPTIONS, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", OPTIONS.values(), ids=OPTIONS)
def test_torch_is_never_wrong_with_options_and_a_vocabulary(kinds):
    """Else sums over 50,257 classes break the bounds, in float16 first."""
    for precision in PRECISIONS.values():
        check_options("normal 3", precision, kinds, ((40, 50_257),), seed=5)


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in {"masked", "huge"}])
def test_gradients_are_within_their_bound(name, precision):
    """Else `explain` shows an allowance that autograd itself breaks."""
    rng = np.random.default_rng(6)
    for count, classes in ((80, 2), (40, 100)):
        logits, labels = draw(name, rng, count, classes, precision)
        rows = enclose(logits, labels)
        wide = logits.astype(float)
        truth = np.exp(wide - wide.max(1, keepdims=True) - rows.log_sum[:, None])
        truth[np.arange(count), labels] = np.expm1(-rows.loss)
        for inner in layouts_of(precision, count):
            leaf = tensor(logits, precision).requires_grad_()
            library(leaf, torch.from_numpy(labels), inner).sum().backward()
            bound = gradient_bound(model(precision, inner), rows, logits, labels)
            assert (np.abs(widened(leaf.grad) - truth) <= bound + 1e-14 * np.abs(truth) + 1e-300).all()


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_bounds_are_attained(precision):
    """Else they are needlessly wide: over the families the greatest error comes within 10 % of what is allowed."""
    shares = {"library": 0.0, "manual": 0.0}
    for name in ("ties", "one against equals", "normal 3", "one-hot right", "huge gap", "underflow edge"):
        logits, labels = draw(name, np.random.default_rng(7), 2000, 2, precision)
        rows = enclose(logits, labels)
        for path, bound in ((library, library_bound), (manual, manual_bound)):
            values = widened(path(tensor(logits, precision), torch.from_numpy(labels)))
            share = share_of_bound(values, rows, bound(model(precision), rows, LossForm()))
            shares[path.__name__] = max(shares[path.__name__], share[np.isfinite(values)].max())
    assert min(shares.values()) > 0.9
    assert max(shares.values()) <= 1.0


@pytest.mark.parametrize(
    ("name", "classes", "widest"),
    [("float64", 1000, 2e-13), ("float32", 10, 6e-6), ("float32", 50_257, 5e-4), ("bfloat16", 1000, 0.15)],
)
def test_bounds_stay_small_on_ordinary_rows(name, classes, widest):
    """Else an infinite tolerance would pass all of the above."""
    precision = PRECISIONS[name]
    logits, labels = draw("normal 3", np.random.default_rng(8), 40, classes, precision)
    rows = enclose(logits, labels)
    for bound in (library_bound, manual_bound):
        allowed = bound(model(precision), rows, LossForm()).allowed
        assert (allowed < widest).all()
        assert (allowed > precision.unit_roundoff * rows.loss).all()


def test_arranging_keeps_every_row():
    """Else the inner layout is tested on other rows than it says."""
    logits = torch.arange(12.0).reshape(4, 3)
    assert arrange(logits, 2).shape == (2, 3, 2)
    assert torch.equal(arrange(logits, 2).transpose(1, 2).reshape(4, 3), logits)
