"""What goes to a device and comes back, on a machine that has none: the door to it leads back to the processor."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch

import xentcli
from xentcli.bounds.probe import check_log_sums, check_paths, check_transform
from xentcli.explain.run import explain
from xentcli.losses import library
from xentcli.question.block import Block
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange
from xentcli.running.engine import measure_rows
from xentcli.sources.memory import from_memory

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 3, (200, 6)).astype(np.float32)
LABELS = RNG.integers(0, 6, 200)
SHARES = RNG.dirichlet(np.ones(6), 200).astype(np.float32)
ROW = LOGITS[0].nbytes


@pytest.fixture
def sent(monkeypatch):
    """The tensors that went to the device."""
    gone: list[torch.Tensor] = []

    def send(values: torch.Tensor, device: str) -> torch.Tensor:
        if device == "cuda":
            gone.append(values)
        return values.clone() if device == "cuda" else values.to(device)

    for module in ("xentcli.question.block", "xentcli.measuring.reduce", "xentcli.bounds.probe"):
        monkeypatch.setattr(f"{module}.sent", send)
    monkeypatch.setattr("xentcli.question.problem.check_device", lambda device: None)
    monkeypatch.setattr("xentcli.measuring.paths.own_stream", lambda device: nullcontext())
    checks = (check_paths, check_transform, check_log_sums)  # what they found is of no device
    for check in checks:
        check.cache_clear()
    yield gone
    for check in checks:
        check.cache_clear()


def report_of(device: str, *arrays, **options) -> dict:
    return xentcli.compute(*arrays, device=device, rows=3, **options).to_dict()


CASES = {
    "labels": {},
    "weights, ignored": {"weight": np.linspace(0.5, 2, 6, dtype=np.float32), "ignore_index": 2},
    "smoothing": {"label_smoothing": 0.1},
    "every sample": {"reduction": "none"},
    "sum": {"reduction": "sum"},
    "temperature and cap": {"temperature": 2.0, "softcap": 20.0},
    "cast": {"dtype": "float64"},
    "z-loss": {"z_loss": 1e-3},
    "no reference": {"reference": "off"},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("streams", [False, True])
def test_what_comes_back_is_judged(monkeypatch, sent, options, streams):
    """A device whose losses were not computed there, or got lost on the way, is not judged."""
    if streams:
        monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    here, there = (report_of(device, LOGITS, LABELS, **options) for device in ("cpu", "cuda"))
    assert any(each.shape[1:] == (6,) for each in sent)
    assert there["verdict"] == here["verdict"]
    assert there["options"] == here["options"] | {"device": "cuda"}
    if not streams:  # a streamed total is an exact sum there
        for path in ("library", "manual"):
            assert there["losses"][path]["value"] == here["losses"][path]["value"]
    for name in ("samples", "counts", "metrics"):
        assert there.get(name) == here.get(name)


def test_target_probabilities_and_axes_behind_the_classes(sent):
    """Else a segmentation model's loss is computed on the processor, and said to be the device's."""
    deep = LOGITS.reshape(10, 20, 6).transpose(0, 2, 1)
    for arrays in ((LOGITS, SHARES), (deep, LABELS.reshape(10, 20)), (LOGITS[0], LABELS[0])):
        sent.clear()
        assert report_of("cuda", *arrays)["verdict"] == "holds"
        assert any(each.shape == arrays[0].shape for each in sent)


def test_a_total_in_the_known_order_is_known_to_the_bit(monkeypatch, sent):
    """Else its error counts as the device's, where the order of additions explains it."""
    logits, labels = torch.tensor([[0.0, 1.7]]).repeat(3000, 1), torch.ones(3000, dtype=torch.long)
    own = library.cross_entropy
    total = own(Block(logits, labels, None, 0), Options()).mean() * (1.0 + 2e-6)  # as threads of a device add it

    def on_a_gpu(block, options, reduction="none"):
        return own(block, options) if reduction == "none" else total

    monkeypatch.setattr("xentcli.losses.library.cross_entropy", on_a_gpu)
    allowed = []
    for again in (total, torch.tensor(0.5)):
        monkeypatch.setattr("xentcli.measuring.reduce.label_total", lambda *_, again=again, **__: again)
        told = report_of("cuda", logits, labels)["losses"]["library"]
        assert told["status"] == "within"
        allowed.append(told["allowed"])
    assert allowed[0] < allowed[1] / 10


def calls_of(monkeypatch, block_bytes: int, rows: RowRange | None = None) -> tuple[list[tuple[int, int]], str]:
    """The first row and the length of each call of torch, and the report or the facts of these rows."""
    calls = []
    own = library.cross_entropy

    def counted(block, options, reduction="none"):
        calls.append((block.first_row, len(block.logits)))
        return own(block, options, reduction)

    monkeypatch.setattr("xentcli.measuring.paths.library.cross_entropy", counted)
    options = Options(device="cuda", reduction="none")
    problem = Problem(from_memory(LOGITS, "logits"), from_memory(LABELS, "labels"), options, block_bytes)
    if rows is None:
        told = json.dumps(xentcli.running.engine.run(problem, Policy(rows=3), threads=1).to_dict())
    else:
        told = str(measure_rows(problem.read_as(in_parts=True), Policy(), rows, threads=1).samples)
    monkeypatch.setattr("xentcli.measuring.paths.library.cross_entropy", own)
    return sorted(calls), told


def test_calls_are_the_same_for_every_block_size(monkeypatch, sent):
    """The order of a device's sums depends on how many rows it gets at once: bytes would depend on the blocks."""
    monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    monkeypatch.setattr(xentcli.question.problem, "CALL_BYTES", 8 * ROW)
    wanted = [(row, min(8, 200 - row)) for row in range(0, 200, 8)]
    first, *others = (calls_of(monkeypatch, size) for size in (1, 8 * ROW, 20 * ROW, 1 << 20))
    assert first[0] == wanted
    assert all(each == first for each in others)


def test_calls_of_a_share_end_where_those_of_the_whole_do(monkeypatch, sent):
    """Else a share's losses differ from the whole's in all calls, and not in the one that it cuts."""
    monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    monkeypatch.setattr(xentcli.question.problem, "CALL_BYTES", 8 * ROW)
    for size in (1, 20 * ROW, 1 << 20):
        calls, samples = calls_of(monkeypatch, size, RowRange(13, 50))
        assert calls == [(13, 3), *((row, min(8, 50 - row)) for row in range(16, 50, 8))]
        assert samples == "37"


def test_a_row_is_explained_as_the_device_has_it(sent):
    """Else the steps are those of other numbers than the report's."""
    told = [
        explain(Problem(from_memory(LOGITS, "a"), from_memory(LABELS, "b"), Options(device=device)), 7)
        for device in ("cpu", "cuda")
    ]
    assert any(each.shape == LOGITS.shape for each in sent)
    assert told[0].losses.library.value == told[1].losses.library.value
    assert told[0].gradient == told[1].gradient
