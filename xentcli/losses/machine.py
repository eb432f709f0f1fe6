"""What this machine's torch does that the bounds have to know."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

LANES = {"AVX512": 16, "AVX2": 8, "DEFAULT": 8}  # float32 numbers in a vector of the CPU kernels
VECTORS = 64  # numbers that fill vectors of every kind
TRIED_ROWS = 16 * VECTORS
SCALES = (1.0, 0.1, 3.0, 30.0, 100.0, 1e-3, 1e-39, 1e38)
ODD = (math.nan, math.inf, -math.inf, 0.0)

CUDA_HEIGHTS = {"last": "threads", "inner": "any"}  # of the summation, by where the class axis is
SMALLEST, ONE = math.ldexp(1.0, -1074), 1.0  # their product is 0 in a thread that flushes subnormal numbers


@contextmanager
def subnormals_kept() -> Iterator[None]:
    """This thread without flushing of subnormal numbers, as certificates assume, whatever torch was told."""
    if SMALLEST * ONE > 0.0:
        yield
        return
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(True)


def flushes_subnormals() -> bool:
    """Whether tiny numbers become zero: torch.set_flush_denormal, a compiler flag, or a coarse exponential."""
    return float(torch.softmax(torch.tensor([0.0, -95.0]), 0)[1]) == 0.0


def vector_lanes() -> int | None:
    """Partial sums of a float32 summation along the last axis; None where they are not known."""
    return LANES.get(torch.backends.cpu.get_cpu_capability())


@cache
def takes_steps_of_rows(dtype: torch.dtype, classes: int, device: torch.device) -> bool:
    """Whether log_softmax of [1, C, N] takes the steps of log_softmax of [N, C], addition by addition, in vectors.

    It can where a row fills no vector, as its exponentials are then added one by one: C < 16 with AVX-512, C < 8
    without, and half as many of float64.  Whether it does is tried: on rows of ordinary logits, of those that make
    subnormal exponentials or none, of ties, and with NaN and infinities.
    """
    lanes = vector_lanes()
    if device.type != "cpu" or lanes is None or dtype not in {torch.float32, torch.float64}:
        return False
    if not 1 < classes < lanes * 4 // dtype.itemsize:
        return False
    rows = _tried(classes).to(dtype)
    own, other = torch.log_softmax(rows, 1), torch.log_softmax(rows.T[None], 1)[0].T
    return bool(((own == other) | (own.isnan() & other.isnan())).all())


def _tried(classes: int) -> torch.Tensor:
    """Logits of many kinds, the same ones each time; [rows, classes]."""
    spread = (torch.arange(TRIED_ROWS * classes, dtype=torch.float64) * 0.61803398875 % 1.0 - 0.5) * 6.0
    rows = spread.reshape(TRIED_ROWS, classes) * torch.tensor(SCALES)[torch.arange(TRIED_ROWS) % len(SCALES), None]
    rows[::41] = rows[::41].round()
    for place, value in enumerate(ODD):
        rows[37 * (place + 1) :: 197, place % classes] = value
    rows[-1] = -math.inf
    return rows


def kernels_of(device: str, kernel: str) -> dict[str, Any]:
    """What a path's model says of torch's kernels on a device, whose class axis is the "last" or an "inner" one.

    Those for CUDA keep subnormal numbers, whatever torch was told: that is for the processor alone.
    """
    if device == "cuda":
        return {"kernel": kernel, "height": CUDA_HEIGHTS[kernel], "lanes": 1, "device": device}
    lanes = vector_lanes() if device == "cpu" else None
    height = "lanes" if kernel == "last" and lanes else "any"
    return {"kernel": kernel, "height": height, "lanes": lanes or 1, "flush": flushes_subnormals()}
