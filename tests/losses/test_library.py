"""Torch is called where its vectors hold samples only as long as that is bit for bit the user's own call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import FAMILIES, draw
from torch.nn import functional

from xentcli.losses.library import each_sample
from xentcli.losses.machine import takes_steps_of_rows, vector_lanes
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.block import Block
from xentcli.question.problem import Options

CPU = torch.device("cpu")
ROWS = 575  # nine times 64, but for one


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors: the threads' waiting for each other takes longer than the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def nothing_is_known():
    """What was found of a torch that a test took the place of must not hold for the next one."""
    takes_steps_of_rows.cache_clear()
    yield
    takes_steps_of_rows.cache_clear()


def same(left, right):
    return bool(((left == right) | (left.isnan() & right.isnan())).all())


def losses(logits, labels, weight=None):
    block = Block(logits, labels, weight, first_row=0)
    own = functional.cross_entropy(logits, labels, weight, reduction="none")
    return each_sample(block, Options()), own


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_few_classes_have_the_bits_of_the_users_own_call(family, dtype):
    """Else the loss in the report is not the one that the user's own line prints, in one row of a million."""
    rng, kind = np.random.default_rng(7), getattr(torch, dtype)
    for classes in (2, 3, 5, 7, 10, 15, 16):
        values, labels = draw(family, rng, ROWS, classes, PRECISIONS[dtype])
        logits, labels = torch.from_numpy(values).to(kind), torch.from_numpy(np.array(labels))
        labels[labels < 0] = -100
        labels[::100] = -100
        weight = torch.linspace(-1.0, 2.0, classes, dtype=kind) if classes % 2 else None
        assert same(*losses(logits, labels, weight)), classes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 3e38, 1e-42, -0.0])
def test_strange_logits_have_the_bits_of_the_users_own_call(value):
    """Else a NaN or an overflow is told of another row than torch gives it to."""
    torch.manual_seed(0)
    for classes in range(2, 17):
        logits = torch.randn(131, classes) * 3
        logits[torch.arange(131), torch.arange(131) % classes] = value
        logits[60:70] = value
        assert same(*losses(logits, torch.arange(131) % classes)), classes


def test_samples_that_fill_no_vector_have_the_bits_of_the_users_own_call():
    """Torch has another exponential for them, which differs in one of some thousand rows."""
    rng = torch.Generator().manual_seed(1)
    for rows in (*range(1, 66), 127, 191, 8191):
        logits = torch.randn(rows, 2, generator=rng) * 3
        assert same(*losses(logits, torch.ones(rows, dtype=torch.long))), rows


def test_the_kernels_differ_where_no_vector_is_filled():
    """If they did not, the test above would show nothing."""
    if not takes_steps_of_rows(torch.float32, 2, CPU):
        pytest.skip("no other kernel is called here")
    rows = torch.randn(15 * 1000, 2, generator=torch.Generator().manual_seed(2)).split(15)
    pairs = ((torch.log_softmax(each, 1), torch.log_softmax(each.T[None], 1)[0].T) for each in rows)
    assert not all(map(torch.equal, *zip(*pairs, strict=True)))


def test_flushing_changes_both_calls_alike():
    """Else a process that flushes subnormal numbers gets another loss than its own call gives."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        rows = torch.randn(509, 7) * torch.tensor([1e-39, 1.0, 40.0])[torch.arange(509) % 3, None]
        found, own = losses(rows, torch.arange(509) % 7)
    finally:
        torch.set_flush_denormal(False)
    assert same(found, own)


def test_it_is_asked_where_a_row_fills_no_vector():
    """Longer rows are added in another order, and 16 bits are stored at other steps: their bits would differ."""
    lanes = vector_lanes()
    if lanes is None:
        pytest.skip("this processor's vectors are not known")
    assert takes_steps_of_rows(torch.float32, lanes - 1, CPU)
    assert takes_steps_of_rows(torch.float64, lanes // 2 - 1, CPU)
    assert not takes_steps_of_rows(torch.float32, lanes, CPU)
    assert not takes_steps_of_rows(torch.float64, lanes // 2, CPU)
    assert not takes_steps_of_rows(torch.bfloat16, 3, CPU)
    assert not takes_steps_of_rows(torch.float16, 3, CPU)


def test_a_torch_that_takes_other_steps_is_called_as_the_user_calls_it(monkeypatch):
    """A release may change one kernel alone: then nobody may be given the other one's bits."""
    right, shapes = torch.log_softmax, []

    def other(logits, dim):
        return right(logits, dim) * (1.0 + 2.0**-23 * (logits.ndim == 3))

    def called(logits, *rest, **options):
        shapes.append(tuple(logits.shape))
        return call(logits, *rest, **options)

    call = functional.cross_entropy
    monkeypatch.setattr(torch, "log_softmax", other)
    monkeypatch.setattr(functional, "cross_entropy", called)
    each_sample(Block(torch.randn(70, 5), torch.zeros(70, dtype=torch.long), None, first_row=0), Options())
    assert shapes == [(70, 5)]
