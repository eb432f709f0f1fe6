"""What this machine's torch does that the bounds have to know."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

LANES = {"AVX512": 16, "AVX2": 8, "DEFAULT": 8}  # float32 numbers in a vector of the CPU kernels


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


def kernels_of(device: str, kernel: str) -> dict[str, Any]:
    """What a path's model says of torch's kernels on a device, whose class axis is the "last" or an "inner" one.

    Those for CUDA keep subnormal numbers, whatever torch was told: that is for the processor alone.
    """
    if device == "cuda":
        return {"kernel": kernel, "height": CUDA_HEIGHTS[kernel], "lanes": 1, "device": device}
    lanes = vector_lanes() if device == "cpu" else None
    height = "lanes" if kernel == "last" and lanes else "any"
    return {"kernel": kernel, "height": height, "lanes": lanes or 1, "flush": flushes_subnormals()}
