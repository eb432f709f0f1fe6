"""torch's own losses on a CUDA device are never called wrong: all families, formats, layouts, options and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import FAMILIES, draw, store
from torch_paths import enclose_form, library, manual, share_of_bound, tensor, widened

from xentcli.bounds.classify import NAN, WRONG, classify
from xentcli.bounds.gradient import gradient_bound
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import LossForm, PathModel
from xentcli.losses.machine import kernels_of
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import PRECISIONS

pytestmark = pytest.mark.gpu

LAYOUTS = (0, 1, 2, 40)  # 0: [N, C]; else an axis so long behind the classes
SIZES = ((200, 1), (2000, 2), (2000, 10), (400, 33), (200, 513), (120, 1024), (120, 1025), (40, 2048), (40, 4097),
         (40, 50_257), (16, 131_072))  # fmt: skip
OPTION_SIZES = ((80, 2), (40, 7), (40, 1000), (40, 4097))
KINDS = [(weighted, smoothed, soft) for weighted in (0, 1) for smoothed in (0, 1) for soft in (0, 1)][1:]


def model(precision, inner):
    return PathModel(precision, **kernels_of("cuda", "inner" if inner else "last"))


def there(values, precision):
    return tensor(values, precision).cuda()


def here(values):
    return widened(values.cpu())


def check(values, rows, bound, case):
    codes = classify(here(values), rows, bound)
    wrong = np.flatnonzero(codes == WRONG)
    assert not wrong.size, (case, wrong[:3], here(values)[wrong[:3]], rows.loss[wrong[:3]], bound.above[wrong[:3]])
    assert ((codes == NAN) == np.isnan(rows.loss)).all(), case


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_is_never_wrong_on_a_gpu(name, precision):
    """Else a user is sent to hunt a bug that is rounding."""
    rng = np.random.default_rng(1)
    for count, classes in SIZES:
        logits, labels = draw(name, rng, count, classes, precision)
        rows, given, target = enclose(logits, labels), there(logits, precision), torch.from_numpy(labels).cuda()
        for inner in (inner for inner in LAYOUTS if count % max(inner, 1) == 0):
            for path, bound in ((library, library_bound), (manual, manual_bound)):
                allowed = bound(model(precision, inner), rows, LossForm())
                check(path(given, target, inner), rows, allowed, (path.__name__, classes, inner))


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("name", ["normal 3", "one-hot right", "underflow edge", "huge", "masked"])
def test_torch_is_never_wrong_on_a_gpu_with_options(name, kinds):
    """Else a weighted, smoothed or soft loss is refuted by rounding."""
    weighted, smoothed, soft = kinds
    rng = np.random.default_rng(2)
    for precision in PRECISIONS.values():
        for count, classes in OPTION_SIZES:
            logits, labels = draw(name, rng, count, classes, precision)
            weight = store(rng.uniform(0.1, 3, classes), precision) if weighted else None
            weight = None if weight is None else there(weight, precision)
            shares = torch.softmax(torch.from_numpy(rng.normal(0, 3, (count, classes))), 1)
            shares = shares.to(getattr(torch, precision.name)) if soft else None
            form = LossForm(bool(soft), None if weight is None else here(weight), 0.1 if smoothed else 0.0)
            rows, coefficients = enclose_form(logits, labels, form, None if shares is None else widened(shares))
            target = (torch.from_numpy(labels) if shares is None else shares).cuda()
            options = {"weight": weight, "label_smoothing": form.smoothing}
            for inner in (inner for inner in LAYOUTS if count % max(inner, 1) == 0):
                arguments, case = (there(logits, precision), target, inner), (precision.name, classes, inner)
                bound = library_bound(model(precision, inner), rows, form)
                check(library(*arguments, **options), rows, bound, case)
                bound = manual_bound(model(precision, inner), rows, form, logits, coefficients)
                check(manual(*arguments, **options), rows, bound, case)


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_bounds_are_attained_on_a_gpu(precision):
    """Else they are needlessly wide: over the families the greatest error comes within 10 % of what is allowed."""
    shares = {"library": 0.0, "manual": 0.0}
    for name in ("ties", "one against equals", "normal 3", "one-hot right", "huge gap", "underflow edge"):
        logits, labels = draw(name, np.random.default_rng(7), 2000, 2, precision)
        rows = enclose(logits, labels)
        for path, bound in ((library, library_bound), (manual, manual_bound)):
            values = here(path(there(logits, precision), torch.from_numpy(labels).cuda()))
            share = share_of_bound(values, rows, bound(model(precision, 0), rows, LossForm()))
            shares[path.__name__] = max(shares[path.__name__], share[np.isfinite(values)].max())
    assert 0.9 < min(shares.values()) <= max(shares.values()) <= 1.0


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in {"masked", "huge"}])
def test_gradients_on_a_gpu_are_within_their_bound(name, precision):
    """Else `explain` shows an allowance that autograd itself breaks."""
    rng = np.random.default_rng(6)
    for count, classes in ((80, 2), (40, 100), (40, 1500)):
        logits, labels = draw(name, rng, count, classes, precision)
        rows, wide = enclose(logits, labels), logits.astype(float)
        truth = np.exp(wide - wide.max(1, keepdims=True) - rows.log_sum[:, None])
        truth[np.arange(count), labels] = np.expm1(-rows.loss)
        for inner in (0, 40):
            leaf = there(logits, precision).requires_grad_()
            library(leaf, torch.from_numpy(labels).cuda(), inner).sum().backward()
            bound = gradient_bound(model(precision, inner), rows, logits, labels)
            assert (np.abs(here(leaf.grad) - truth) <= bound + 1e-14 * np.abs(truth) + 1e-300).all()
