"""The emulation of nll_loss is torch's own value, bit for bit."""

from __future__ import annotations

import random

import pytest
import torch
from torch.nn import functional

from xentcli.losses.cascade import Cascade, cascade_sum, is_torchs_order

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SIZES = (1, 2, 15, 16, 17, 33, 255, 256, 257, 1000, 4097)
LARGE_SIZES = (20_000, 65_519, 65_520, 65_536, 100_000)


def ignored_rows(kind, rows):
    """A mask of rows: none, scattered ones, a stretch, or just the rows at which torch carries."""
    mask = torch.zeros(rows, dtype=torch.bool)
    if kind == "scattered":
        mask = torch.rand(rows) < 0.3
    if kind == "stretch":
        mask[rows // 3 : rows // 2] = True
    if kind == "carries":
        mask[::16] = True
    return mask


def same(left, right):
    return torch.equal(left, right) or bool(left.isnan() and right.isnan())


def cascade_mean(losses, counted, weights=None):
    """As torch divides: by the number of rows in the losses' format, or by the cascade of their weights."""
    divisor = torch.tensor(int(counted.sum())).to(losses) if weights is None else cascade_sum(weights, counted)
    return cascade_sum(losses, counted) / divisor


def check(dtype, rows, weighted, ignored):
    torch.manual_seed(rows)
    logits, labels = (torch.randn(rows, 5) * 3).to(dtype), torch.randint(5, (rows,))
    mask = ignored_rows(ignored, rows)
    weight = torch.rand(5).to(dtype) if weighted else None
    target = labels.masked_fill(mask, -100)
    losses = functional.cross_entropy(logits, target, weight, reduction="none")
    label_weights = weight[labels] if weighted else None
    assert same(cascade_sum(losses, ~mask), functional.cross_entropy(logits, target, weight, reduction="sum"))
    assert same(cascade_mean(losses, ~mask, label_weights), functional.cross_entropy(logits, target, weight))


@pytest.mark.parametrize("ignored", ["none", "scattered", "stretch", "carries"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gives_torch_s_bits(dtype, weighted, ignored):
    """Else a bfloat16 mean that is right for torch cannot be told from one that is wrong."""
    for rows in SIZES:
        check(dtype, rows, weighted, ignored)


@pytest.mark.slow
@pytest.mark.parametrize("ignored", ["none", "scattered", "stretch", "carries"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gives_torch_s_bits_of_large_batches(dtype, weighted, ignored):
    """Else the deeper levels, which only large batches reach, are wrong; float16's overflows among them."""
    for rows in LARGE_SIZES[:1] if ignored == "carries" else LARGE_SIZES:  # without carries all is one long loop
        check(dtype, rows, weighted, ignored)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gives_torch_s_bits_with_more_axes(dtype):
    """Else images are summed in another order than torch's."""
    torch.manual_seed(1)
    logits, labels = torch.randn(7, 5, 41, 3).to(dtype), torch.randint(5, (7, 41, 3))
    labels[torch.rand(labels.shape) < 0.2] = -100
    losses = functional.cross_entropy(logits, labels, reduction="none").reshape(-1)
    counted = labels.reshape(-1) != -100
    assert same(cascade_sum(losses, counted), functional.cross_entropy(logits, labels, reduction="sum"))
    assert same(cascade_mean(losses, counted), functional.cross_entropy(logits, labels))


def in_pieces(draw, values, counted):
    """The cascade of values cut anywhere, whose pieces are added up in any grouping."""
    cuts = sorted(draw.sample(range(len(values) + 1), min(len(values), 7)))
    spans = zip([0, *cuts], [*cuts, len(values)], strict=True)
    pieces = [Cascade.of(values[a:b], counted[a:b], a, len(values)) for a, b in spans]
    while len(pieces) > 1:
        place = draw.randrange(len(pieces) - 1)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
    return pieces[0]


@pytest.mark.parametrize("ignored", ["none", "scattered", "stretch", "carries"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pieces_in_any_grouping_give_torch_s_bits(dtype, ignored):
    """Else blocks, threads and machines that share the rows out change the number, or give one that is not torch's."""
    draw = random.Random(1)
    for rows in (1, 16, 17, 257, 1000, 4097):
        torch.manual_seed(rows)
        values, mask = (torch.rand(rows) * 3).to(dtype), ignored_rows(ignored, rows)
        labels = torch.zeros(rows, dtype=torch.long).masked_fill(mask, -100)
        expected = functional.nll_loss(-values[:, None], labels, reduction="sum")
        for _ in range(5):
            assert same(in_pieces(draw, values, ~mask).total(), expected), rows


def test_no_more_waits_than_a_carry_is_away():
    """Else a partial grows with the rows that it is of."""
    later = Cascade.of(torch.rand(50_000), None, 12_345, 100_000)
    assert later.waiting < 8 * 16


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_the_probe_knows_this_torch(dtype):
    """Else no total of a streamed input is torch's own."""
    assert is_torchs_order(dtype)


def test_the_probe_would_notice_another_order(monkeypatch):
    """Else a torch that adds otherwise is given a number that it does not print."""
    monkeypatch.setattr("xentcli.losses.cascade.functional.nll_loss", lambda *_, **__: torch.tensor(1.0))
    assert not is_torchs_order.__wrapped__("float32")


def test_special_values_travel():
    """Else an infinite or undefined loss disappears in the sum."""
    values = torch.tensor([1.0, float("inf"), 2.0])
    assert cascade_sum(values).item() == float("inf")
    assert cascade_sum(torch.tensor([1.0, float("nan")])).isnan()
    assert cascade_sum(torch.zeros(0)).item() == 0.0
    assert cascade_mean(torch.zeros(3), torch.zeros(3, dtype=torch.bool)).isnan()


def test_would_notice_another_order():
    """Else the tests above could pass by accident: adding up one by one gives another bfloat16."""
    losses = torch.full((1000,), 2.3026).to(torch.bfloat16)
    one_by_one = torch.zeros((), dtype=torch.bfloat16)
    for loss in losses:
        one_by_one += loss
    assert cascade_sum(losses) != one_by_one
