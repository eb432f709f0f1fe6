"""What the bounds assume of CUDA's functions, over all their arguments in float32 and many in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from xentcli.bounds.model import KERNEL, TWICE_ROUNDED

pytestmark = pytest.mark.gpu

UNIT, LEAST = 2.0**-24, 2.0**-149
STEP = 1 << 24  # arguments at once


def every_float32(least: float, greatest: float, sign: float = 1.0):
    """All float32 numbers between two positive ones, on the device."""
    first, last = (int(np.float32(each).view(np.uint32)) for each in (least, greatest))
    for start in range(first, last + 1, STEP):
        bits = torch.arange(start, min(start + STEP, last + 1), device="cuda")
        yield sign * bits.int().view(torch.float32)


def most(computed: torch.Tensor, true: torch.Tensor) -> float:
    """Greatest error as a share of what is assumed: 4 u of the value, and three quarters of the least number."""
    allowed = KERNEL * UNIT * true.abs() + TWICE_ROUNDED * LEAST
    return ((computed.double() - true).abs() / allowed).max().item()


def test_exp_is_as_exact_as_assumed():
    """Every float32 from -105 to 0, subnormal results too: else no bound on a GPU stands."""
    assert max(most(torch.exp(x), torch.exp(x.double())) for x in every_float32(2.0**-30, 105.0, -1.0)) <= 1.0
    assert torch.exp(torch.zeros(2, device="cuda")).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("least", "greatest"), [(2.0**-149, 1.0 - 2.0**-24), (1.0 + 2.0**-23, 2.0**24)])
def test_log_is_as_exact_as_assumed(least, greatest):
    """Every probability, and every sum of exponentials, in float32."""
    assert max(most(torch.log(x), torch.log(x.double())) for x in every_float32(least, greatest)) <= 1.0


def two_in(classes: int, behind: int = 1):
    """softmax of 0 and x among masked classes: exp(x) itself, where the sum rounds to 1."""

    def softmax(x: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(x) // behind, classes, behind), -math.inf, device="cuda")
        logits[:, 0], logits[:, -1] = 0.0, x.reshape(-1, behind)
        logits = logits.squeeze(2) if behind == 1 else logits
        return torch.softmax(logits, 1)[:, -1].reshape(-1)

    return softmax


@pytest.mark.parametrize(
    ("classes", "behind", "each"), [(2, 1, 1), (2, 64, 1), (1024, 1, 61), (2056, 1, 61), (2051, 1, 61)]
)
def test_exp_inside_softmax_is_the_same(classes, behind, each):
    """A warp's kernel, that of inner axes, a block's in shared memory and one that is not aligned."""
    softmax, worst = two_in(classes, behind), 0.0
    for chunk in every_float32(17.5, 105.0, -1.0):
        for x in chunk[::each].split(1 << 16):
            whole = x[: len(x) // behind * behind]
            worst = max(worst, most(softmax(whole), torch.exp(whole.double())) if len(whole) else 0.0)
    assert worst <= 1.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("exp", -np.geomspace(1e-9, 700, 20_000)),
        ("exp", -np.linspace(700, 746, 20_000)),
        ("log", np.geomspace(1e-300, 1e9, 20_000)),
        ("log1p", np.geomspace(1e-18, 1e9, 20_000)),
        ("tanh", np.linspace(-9, 9, 20_000)),
    ],
)
def test_float64_functions_are_as_exact_as_assumed(name, arguments):
    """Against Arb: 4 u, and three quarters of the least number."""
    flint = pytest.importorskip("flint")
    computed = getattr(torch, name)(torch.from_numpy(arguments).cuda()).cpu().numpy()
    flint.ctx.prec = 200
    for argument, value in zip(arguments.tolist(), computed.tolist(), strict=True):
        true = getattr(flint.arb(argument), name)()
        if true != 0:
            allowed = KERNEL * 2.0**-53 * abs(true) + TWICE_ROUNDED * flint.arb(2) ** -1074
            assert abs(flint.arb(value) - true) <= allowed, (argument, value)


def test_float32_tanh_is_as_exact_as_assumed():
    """Of a capped logit."""
    assert max(most(torch.tanh(x), torch.tanh(x.double())) for x in every_float32(2.0**-30, 20.0)) <= 1.0


def test_subnormal_numbers_are_kept():
    """Else tiny logits are read as 0, which the bounds do not allow for."""
    tiny = torch.tensor([2.0**-149, 2.0**-130], device="cuda")
    assert (tiny * 1.0).cpu().tolist() == tiny.cpu().tolist()
    assert (tiny.half() + torch.tensor(2.0**-24, device="cuda").half()).cpu().tolist() == [2.0**-24] * 2
