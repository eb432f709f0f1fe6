"""What this machine's torch does that the bounds have to know."""

from __future__ import annotations

import torch

LANES = {"AVX512": 16, "AVX2": 8, "DEFAULT": 8}  # float32 numbers in a vector of the CPU kernels


def flushes_subnormals() -> bool:
    """Whether tiny numbers become zero: torch.set_flush_denormal, a compiler flag, or a coarse exponential."""
    return float(torch.softmax(torch.tensor([0.0, -95.0]), 0)[1]) == 0.0


def vector_lanes() -> int | None:
    """Partial sums of a float32 summation along the last axis; None where they are not known."""
    return LANES.get(torch.backends.cpu.get_cpu_capability())
