"""What is assumed of torch's kernels on a CUDA device: how deep their sums are, where they round, what an H200 gave.

The kernels' loops are counted here as they stand in torch's sources, apart from the formulas that bound them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from families import draw
from test_reduction_bounds import known
from torch.nn import functional

from xentcli.bounds.classify import WITHIN, WRONG, classify
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import LossForm, PathModel, gamma
from xentcli.bounds.probe import check_paths
from xentcli.bounds.reduction import cascade_height, label_sum_error, library_reduction, manual_reduction
from xentcli.errors import CertificateError
from xentcli.losses.machine import kernels_of
from xentcli.losses.reference import enclose
from xentcli.losses.threads import block_sum, label_total, thread_count
from xentcli.numbers.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, PRECISIONS

WIDTHS = (*range(1, 70), 127, 128, 129, 511, 512, 513, 1000, 1023, 1024, 1025, 1031, 2047, 2048, 4097, 50_257, 128_256)


def cuda(precision, kernel="last"):
    return PathModel(precision, **kernels_of("cuda", kernel))


def warp_depth(classes):
    """Of a row that one warp adds up: a lane's own elements, and a butterfly over the lanes."""
    lanes = min(32, 1 << (classes - 1).bit_length())
    return -(-classes // lanes) + int(math.log2(lanes))


def block_depth(classes, itemsize, shift):
    """Of a row that a block of threads adds up, and whose first element stands `shift` behind one that is aligned."""
    vector, threads = 16 // itemsize, min(1024, -(-classes // 32) * 32)
    own, size = np.zeros(threads, int), classes
    if shift:  # one element a thread, up to the next aligned one
        size += shift
        own[shift : min(size, threads)] += 1
        size = max(size - threads, 0)
    last = size % (vector * threads)
    whole = np.arange(threads)
    while (whole * vector < size - last).any():
        own += vector * (whole * vector < size - last)
        whole = whole + threads
    rest = size - last + np.arange(threads)
    while (rest < size).any():
        own += rest < size
        rest = rest + threads
    return int(own.max()) + 5 + 5  # two levels of shuffles


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_no_sum_over_the_classes_is_deeper_than_assumed(precision):
    """Else a right loss of a vocabulary is called wrong on a GPU."""
    itemsize = {"float64": 8, "float32": 4}.get(precision.name, 2)
    model = cuda(precision)
    for classes in WIDTHS:
        depth = max(block_depth(classes, itemsize, shift) for shift in range(16 // itemsize))
        depth = min(max(depth, warp_depth(min(classes, 1024))), classes - 1)
        assert depth <= model.summation_height(classes) <= classes - 1, classes
        assert replace(model, height="any").summation_height(classes) == classes - 1
    assert model.summation_height(128_256) == 126 + 96  # and is no order at all: that would be 128,255


def total_depth(values):
    """Of torch.sum of all values: a thread has 256 at the most, its block of 512 and then the blocks add up theirs."""
    threads = 1 << min(9, max(values, 1).bit_length() - 1)
    each = -(-values // threads)
    blocks = -(-each // 256) if each >= 256 else 1
    return min(each, 256) + 9 + (-(-blocks // threads) + 9 if blocks > 1 else 0)


def test_no_total_is_deeper_than_assumed():
    """Else a mean of target probabilities is called wrong on a GPU."""
    for values in (1, 2, 31, 512, 513, 8191, 131_072, 131_073, 10**6, 10**7, 10**9):
        assert min(total_depth(values), max(values - 1, 0)) <= cuda(FLOAT32).total_height(values)


GIVEN_BY_AN_H200 = [  # relative errors of the mean and the sum of so many equal losses, log(1 + exp(-1.7)); torch 2.11
    (FLOAT32, 1000, -2.66e-07, -2.24e-07),
    (FLOAT32, 65_536, -3.55e-07, -3.55e-07),
    (FLOAT32, 10**6, -1.87e-06, -1.88e-06),
    (FLOAT32, 10**7, 1.34e-04, 1.34e-04),
    (FLOAT64, 1000, -3.33e-16, -3.33e-16),
    (FLOAT64, 10**6, -1.04e-14, -1.04e-14),
    (FLOAT64, 10**7, -3.45e-14, -3.45e-14),
]


@pytest.mark.parametrize(("precision", "samples", "mean", "total"), GIVEN_BY_AN_H200)
def test_labels_are_added_as_a_gpu_adds_them(precision, samples, mean, total):
    """Else the total is no longer known to the bit, and ten million rows are allowed any error."""
    logits = torch.tensor([[0.0, 1.7]], dtype=getattr(torch, precision.name))
    loss = functional.cross_entropy(logits, torch.tensor([1]), reduction="none")
    losses = loss.expand(samples).contiguous()
    found = [label_total(losses, None, samples, mean=each).double().item() for each in (True, False)]
    exact = loss.double().item()
    assert [f"{found[0] / exact - 1:.2e}", f"{found[1] / samples / exact - 1:.2e}"] == [f"{mean:.2e}", f"{total:.2e}"]
    assert abs(mean) <= label_sum_error(cuda(precision), samples)
    assert label_sum_error(cuda(precision), samples) < 16_000 * precision.unit_roundoff  # and proves something


def test_the_order_of_the_processor_does_not_hold_on_a_gpu():
    """Ten million equal losses are off by more than nll_loss on a CPU can be: the right GPU was called wrong."""
    assert gamma(cascade_height(10**7), FLOAT32.unit_roundoff) < 1.34e-4


@pytest.mark.parametrize(("samples", "threads"), [(1, 32), (735, 32), (736, 64), (5807, 256), (11_600, 1024)])
def test_threads_of_a_block(samples, threads):
    """Else the order is that of another block."""
    assert thread_count(samples) == threads


def test_ignored_rows_and_weights_are_added_as_zeros():
    """Else a mean with weights divides by those of ignored rows."""
    losses, weights = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.5, 0.0, 1.5])
    assert label_total(losses, weights, 2, mean=True).item() == 2.0
    assert label_total(losses.half(), None, 2, mean=True).dtype == torch.float16
    assert block_sum(torch.ones(100_000, dtype=torch.float16)).item() == 100_000.0  # added in float32


def test_sixteen_bit_sums_are_not_stored_on_a_gpu():
    """A CPU cannot hold the sum of 131,072 exponentials in float16: a GPU that can was called wrong."""
    logits = np.zeros((1, 131_072), np.float32)
    rows = enclose(logits, np.array([5]))
    given = np.array([11.78125])
    codes = [classify(given, rows, library_bound(model, rows, LossForm()))[0] for model in (
        cuda(FLOAT16), PathModel(FLOAT16),
    )]  # fmt: skip
    assert codes == [WITHIN, WRONG]


@pytest.mark.parametrize("name", ["normal 3", "one-hot right", "underflow edge", "all equal"])
def test_bounds_on_a_gpu_are_no_wider_than_of_any_order(name):
    """Else they prove less than a model that knows nothing of the kernels."""
    for precision in PRECISIONS.values():
        logits, labels = draw(name, np.random.default_rng(1), 20, 2000, precision)
        rows = enclose(logits, labels)
        for bound in (library_bound, manual_bound):
            allowed = bound(cuda(precision), rows, LossForm()).allowed
            assert (allowed <= bound(replace(cuda(precision), height="any"), rows, LossForm()).allowed).all()


@pytest.mark.parametrize(("precision", "share", "is_wrong"), [
    (FLOAT32, 0.46, [False, True]), (FLOAT32, 0.2, [True, True]), (FLOAT64, 0.46, [False, True]),
    (BFLOAT16, 0.46, [True, True]),
])  # fmt: skip
def test_the_least_number_of_less_than_half_is_a_gpus_alone(precision, share, is_wrong):
    """CUDA's exp rounds twice there: an H200 gave 2^-149 for exponentials that the nearest number to is 0."""
    gap = -(math.log(share) + precision.least_exponent * math.log(2.0))
    rows = enclose(np.array([[0.0, -gap]], np.float64), np.array([1]))
    finite = np.array([-precision.least_exponent * math.log(2.0)])
    models = (cuda(precision), PathModel(precision))
    assert [classify(finite, rows, manual_bound(each, rows, LossForm()))[0] == WRONG for each in models] == is_wrong


def test_what_16_bits_cannot_hold_is_named_for_each_kernel():
    """(N, C) keeps sum and count in float32; axes behind the classes have both added in float16 and bfloat16."""
    place = {"mean": True, "samples": 65_520, "classes": 2, "amounts": known(65_520 * math.log(2), 65_520)}
    flat = library_reduction(cuda(FLOAT16), LossForm(), **place)
    assert flat.overflow == ""
    assert flat.slack < 2e-3
    assert library_reduction(cuda(FLOAT16, "inner"), LossForm(), **place).overflow == "the number of samples"
    many = place | {"samples": 10**7, "amounts": known(10**7 * math.log(2), 10**7)}
    assert library_reduction(cuda(BFLOAT16, "inner"), LossForm(), **many).slack > 0.0514 * math.log(2)  # as was seen
    assert library_reduction(cuda(FLOAT32, "inner"), LossForm(), **many).slack < 1e-3
    assert library_reduction(cuda(FLOAT32, "inner"), LossForm(), entries=10**7, **many).slack == math.inf


def test_a_mean_on_a_gpu_is_a_product_with_a_rounded_inverse():
    """Else torch.mean of equal losses is called wrong by one rounding."""
    place = {"mean": True, "weighted": False, "samples": 3, "amounts": known(3.0, 3.0)}
    on_gpu, here = (manual_reduction(model, **place).slack for model in (cuda(FLOAT32), PathModel(FLOAT32)))
    assert on_gpu >= here + 1.9 * FLOAT32.unit_roundoff


@pytest.mark.parametrize(("device", "hip"), [("mps", None), ("cuda", "6.3")])
def test_a_device_of_which_nothing_is_known_is_not_certified(monkeypatch, device, hip):
    """Else a verdict stands on bounds that nobody derived."""
    monkeypatch.setattr(torch.version, "hip", hip)
    with pytest.raises(CertificateError, match="no bounds are derived") as caught:
        check_paths.__wrapped__("float32", "last", device)
    assert "--reference off" in caught.value.details["hint"]
