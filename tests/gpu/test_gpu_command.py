"""`--device cuda` from end to end: every kind of input holds, bytes depend on no block, faults are told."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import xentcli
from xentcli.cli import conform as command
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.implementation import python_program
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.run import run

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(3)
LOGITS, LABELS = RNG.normal(0, 3, (900, 1001)).astype(np.float32), RNG.integers(0, 1001, 900)
SHARES = RNG.dirichlet(np.ones(1001), 900).astype(np.float32)
DEEP, DEEP_LABELS = RNG.normal(0, 3, (12, 10, 75)).astype(np.float32), RNG.integers(0, 10, (12, 75))
CASES = {
    "labels": ((LOGITS, LABELS), {}),
    "weights": ((LOGITS, LABELS), {"weight": RNG.random(1001).astype(np.float32)}),
    "smoothing": ((LOGITS, LABELS), {"label_smoothing": 0.1}),
    "shares": ((LOGITS, SHARES), {}),
    "axes": ((DEEP, DEEP_LABELS), {}),
    "transform": ((LOGITS, LABELS), {"temperature": 1.7, "softcap": 30.0}),
    "z-loss": ((LOGITS, LABELS), {"z_loss": 1e-3}),
    "float64": ((LOGITS, LABELS), {"dtype": "float64"}),
    "bfloat16": ((LOGITS, LABELS), {"dtype": "bfloat16"}),
    "float16": ((LOGITS, LABELS), {"dtype": "float16"}),
    "binary": ((LOGITS[:, 0], LABELS % 2), {"binary": True}),
    "probabilities": ((SHARES, LABELS), {"input": "probabilities"}),
    "metrics": ((LOGITS, LABELS), {"metrics": True, "reduction": "none"}),
}


@pytest.mark.parametrize(("arrays", "options"), CASES.values(), ids=CASES)
def test_everything_holds_whole_and_in_blocks(monkeypatch, arrays, options):
    """And the bytes are the same for every block size and number of threads."""
    assert xentcli.compute(*arrays, device="cuda", **options).verdict == "holds"
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    monkeypatch.setattr("xentcli.question.problem.CALL_BYTES", 100_000)
    first, *others = (
        json.dumps(xentcli.compute(*arrays, device="cuda", block_bytes=size, threads=threads, **options).to_dict())
        for size, threads in ((1, 1), (150_000, 1), (1 << 20, 4), (32 << 20, 2))
    )
    assert json.loads(first)["verdict"] == "holds"
    assert all(each == first for each in others)


def test_a_mean_of_ten_million_rows_is_known_to_the_bit():
    """It is off in its fourth digit, by the order of additions, which is known."""
    logits, labels = torch.tensor([[0.0, 1.7]]).expand(3_000_000, 2), torch.ones(3_000_000, dtype=torch.long)
    told = xentcli.compute(logits, labels, device="cuda").losses.library
    assert told.status == "within"
    assert told.allowed < 2 * told.error + 1e-6


def test_faults_in_16_bits_are_told():
    """A float16 mean of 65,520 samples is 0.0 where axes stand behind the classes."""
    zeros = torch.zeros(1, 2, 65_520).half()
    told = xentcli.compute(zeros, zeros[:, 0].long(), device="cuda")
    assert (told.verdict, told.losses.library.value, told.losses.library.status) == ("fails", 0.0, "overflow")
    assert xentcli.compute(zeros[0].T, zeros[0, 0].long(), device="cuda").losses.library.status == "within"


LIMITS = Limits(memory_bytes=24 << 30)


def test_cases_after_a_failed_assertion_are_judged():
    """A label out of range ends all work on a device: 71 cases after the first one were called faults."""
    with python_program("torch.nn.functional:cross_entropy", "torch", LIMITS, device="cuda") as program:
        result = run(program, corpus().chosen(["refusals", "purity", "batch"], (), large=False), corpus().families)
    assert not any("assert" in str(each) for each in result.cases if each.family != "refusals")


def test_torchs_own_loss_conforms_on_a_device():
    """But for what is known of it."""
    families = ("smoke", "plain", "many-classes", "offsets", "one-hot", "gaps", "masked", "masked-blocks", "shapes",
                "weights", "smoothing", "probabilities", "gradient", "gradient-classes")  # fmt: skip
    only = [word for family in families for word in ("--only", family)]
    result = CliRunner().invoke(
        command.conform, ["torch.nn.functional:cross_entropy", "--device", "cuda", "--memory-limit", "24", *only]
    )
    assert result.exit_code == 0, result.output
