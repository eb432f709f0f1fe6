"""What the bounds catch and what they leave alone: a cast of wrong and of unusual implementations, float32 in and out.

Each wrong one is wrong in one way that its name says; each must be condemned in at least one of 2000 ordinary rows.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import draw
from torch.nn import functional
from torch_paths import library, model, tensor, widened

from xentcli.bounds.classify import WITHIN, WRONG, classify
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import LossForm
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import BFLOAT16, FLOAT16, FLOAT32, PRECISIONS


def gather(values, labels):
    return values.gather(1, labels[:, None])[:, 0]


def log_sum_exp_in(dtype):
    return lambda x, y: torch.logsumexp(x, 1).to(dtype).float() - gather(x, y)


def logits_in(dtype):
    return lambda x, y: functional.cross_entropy(x.to(dtype).float(), y, reduction="none")


def sum_in(dtype):
    """The sum of exponentials is accumulated one by one in 16 bits."""

    def losses(x, y):
        shifted = x - x.amax(1, keepdim=True)
        total = torch.zeros(len(x), dtype=dtype)
        for column in shifted.exp().unbind(1):
            total = (total + column).to(dtype)
        return total.float().log() - gather(shifted, y)

    return losses


def softmax_in(dtype):
    return lambda x, y: -gather(torch.softmax(x, 1).to(dtype).float(), y).log()


def with_epsilon(epsilon):
    return lambda x, y: -(gather(torch.softmax(x, 1), y) + epsilon).log()


def clipped(x, y):
    return -gather(torch.softmax(x, 1).clamp(min=1e-7), y).log()


def last_class_dropped(x, y):
    return functional.cross_entropy(x[:, :-1], y.clamp(max=x.shape[1] - 2), reduction="none")


def padding_class(x, y):
    return functional.cross_entropy(torch.cat((x, torch.zeros(len(x), 1)), 1), y, reduction="none")


def label_off_by_one(x, y):
    return functional.cross_entropy(x, (y + 1) % x.shape[1], reduction="none")


def smoothing_left_on(x, y):
    return functional.cross_entropy(x, y, reduction="none", label_smoothing=1e-3)


def coarse_ln2(x, y):
    return functional.cross_entropy(x, y, reduction="none") * (0.693 / np.log(2))


def bits_for_nats(x, y):
    return functional.cross_entropy(x, y, reduction="none") / np.log(2)


def softmax_twice(x, y):
    return functional.cross_entropy(torch.softmax(x, 1), y, reduction="none")


def one_wrong_target(x, y):
    other = y.clone()
    other[7] = (other[7] + 1) % x.shape[1]
    return functional.cross_entropy(x, other, reduction="none")


WRONG_ONES = {
    "log-sum-exp in bfloat16": log_sum_exp_in(torch.bfloat16),
    "log-sum-exp in float16": log_sum_exp_in(torch.float16),
    "logits in bfloat16": logits_in(torch.bfloat16),
    "logits in float16": logits_in(torch.float16),
    "sum in bfloat16": sum_in(torch.bfloat16),
    "sum in float16": sum_in(torch.float16),
    "softmax in float16": softmax_in(torch.float16),
    "log(p + 1e-7)": with_epsilon(1e-7),
    "log(p + 1e-8)": with_epsilon(1e-8),
    "last class dropped": last_class_dropped,
    "padding class": padding_class,
    "label off by one": label_off_by_one,
    "label smoothing left on": smoothing_left_on,
    "ln 2 as 0.693": coarse_ln2,
    "bits for nats": bits_for_nats,
    "softmax twice": softmax_twice,
    "one wrong target": one_wrong_target,
}


def online_softmax(x, y):
    """One pass over chunks of classes with a running maximum, as fused kernels do it."""
    greatest = torch.full((len(x),), -torch.inf)
    total = torch.zeros(len(x))
    for chunk in x.split(128, dim=1):
        new = torch.maximum(greatest, chunk.amax(1))
        total = total * (greatest - new).exp() + (chunk - new[:, None]).exp().sum(1)
        greatest = new
    return total.log() + (greatest - gather(x, y))


def compensated_sum(x, y):
    shifted = x - x.amax(1, keepdim=True)
    total, lost = torch.zeros(len(x)), torch.zeros(len(x))
    for column in shifted.exp().unbind(1):
        term = column - lost
        new = total + term
        total, lost = new, (new - total) - term
    return total.log() - gather(shifted, y)


def one_hot_einsum(x, y):
    return -torch.einsum("nc,nc->n", functional.one_hot(y, x.shape[1]).float(), torch.log_softmax(x, 1))


RIGHT_ONES = {
    "library": lambda x, y: functional.cross_entropy(x, y, reduction="none"),
    "float64 inside": lambda x, y: functional.cross_entropy(x.double(), y, reduction="none").float(),
    "online softmax": online_softmax,
    "compensated sum": compensated_sum,
    "one-hot einsum": one_hot_einsum,
    "nll of log_softmax": lambda x, y: functional.nll_loss(torch.log_softmax(x, 1), y, reduction="none"),
    "classes reversed": lambda x, y: functional.cross_entropy(x.flip(1), x.shape[1] - 1 - y, reduction="none"),
    "log of a sum of ratios": lambda x, y: (x - gather(x, y)[:, None]).exp().sum(1).log(),
}


def problem(classes, deviation=3):
    logits, labels = draw(f"normal {deviation}", np.random.default_rng(classes), 2000, classes, FLOAT32)
    return torch.from_numpy(logits), torch.from_numpy(labels), enclose(logits, labels)


def count_wrong(losses, classes, height, deviation=3):
    logits, labels, rows = problem(classes, deviation)
    codes = classify(widened(losses(logits, labels)), rows, library_bound(model(FLOAT32, 0, height), rows, LossForm()))
    return int((codes == WRONG).sum()), int((codes == WITHIN).sum())


@pytest.mark.parametrize("classes", [10, 300])
@pytest.mark.parametrize("name", WRONG_ONES)
def test_wrong_ones_are_condemned(name, classes):
    """Else the verifier has nothing to say about real bugs; whatever the order of summation."""
    wrong, within = count_wrong(WRONG_ONES[name], classes, "any")
    assert wrong
    if name == "one wrong target":
        assert (wrong, within) == (1, 1999)


@pytest.mark.parametrize("classes", [10, 300])
@pytest.mark.parametrize("name", [name for name in RIGHT_ONES if name != "log of a sum of ratios"])
def test_right_ones_are_left_alone(name, classes):
    """Else a faster kernel that adds in another order fails for rounding."""
    assert count_wrong(RIGHT_ONES[name], classes, "any") == (0, 2000)


def test_an_unshifted_sum_is_left_alone_where_it_is_safe():
    """Else small logits without the shift are refused."""
    assert count_wrong(RIGHT_ONES["log of a sum of ratios"], 300, "any", deviation=1) == (0, 2000)


def test_clipped_probabilities_show_where_the_loss_is_large():
    """Else `clamp(min=1e-7)` passes: rows beyond 16.1 nats, and only those, give it away."""
    logits, labels, rows = problem(300)
    codes = classify(widened(clipped(logits, labels)), rows, manual_bound(model(FLOAT32), rows, LossForm()))
    assert ((codes == WRONG) == (rows.loss > 7 * np.log(10) + 1e-4)).all()


def test_a_finite_value_beyond_the_greatest_is_wrong():
    """Else a manual path that hides its underflow behind a large tolerance passes."""
    logits = np.array([[0.0, -102.0], [0.0, -103.5], [0.0, -104.0]], np.float32)
    rows = enclose(logits, np.ones(3, np.int64))
    bound = manual_bound(model(FLOAT32), rows, LossForm())
    assert classify(rows.loss, rows, bound).tolist() == [WITHIN, WRONG, WRONG]
    assert bound.never_finite.tolist() == [False, False, True]


@pytest.mark.parametrize("precision", [BFLOAT16, FLOAT16], ids=lambda precision: precision.name)
def test_sixteen_bits_summed_in_sixteen_bits_are_condemned(precision):
    """Else a kernel that accumulates in the storage format passes for rounding."""
    logits, labels = draw("normal 3", np.random.default_rng(9), 1000, 1000, precision)
    rows = enclose(logits, labels)
    values = sum_in(getattr(torch, precision.name))(tensor(logits, precision), torch.from_numpy(labels))
    codes = classify(widened(values), rows, library_bound(model(precision, 0, "any"), rows, LossForm()))
    assert (codes == WRONG).mean() > 0.3


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_a_few_units_in_the_last_place_are_seen(precision):
    """Else a bound could be sound by being blunt: at two classes 16 ulp too much is proof of an error."""
    logits, labels = draw("normal 1", np.random.default_rng(10), 500, 2, precision)
    rows = enclose(logits, labels)
    values = widened(library(tensor(logits, precision), torch.from_numpy(labels)))
    off = values * (1 + 64 * precision.unit_roundoff)
    bound = library_bound(model(precision), rows, LossForm())
    assert (classify(values, rows, bound) == WITHIN).all()
    assert (classify(off, rows, bound) == WRONG).mean() > 0.9
