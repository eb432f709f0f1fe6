"""Random logits and labels: those of torch's own generator, so that anybody can draw them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xentcli.errors import UsageError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values

SEEDS = 2**32


def choose_seed() -> int:
    """A seed for a user who gave none; short enough to type again."""
    return torch.seed() % SEEDS


def generate(samples: int, classes: int, seed: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Logits float32 [samples, classes], normal with standard deviation `scale`, and uniform labels int64 [samples].

    They are those of `torch.manual_seed(seed); scale * torch.randn(N, C); torch.randint(C, (N,))`.
    Errors: UsageError for counts that make no sense or take too much memory.
    """
    if samples < 0 or classes < 1:
        raise UsageError(
            "cannot draw that many", found=f"{samples} samples, {classes} classes", expected="at least 0 and at least 1"
        )
    generator = torch.Generator().manual_seed(seed)
    try:
        logits = torch.randn(samples, classes, generator=generator)
        labels = torch.randint(classes, (samples,), generator=generator)
    except (RuntimeError, TypeError) as error:  # torch's errors for too much memory and for a count beyond 64 bits
        raise UsageError(
            "this many logits do not fit in memory", found=f"{samples:,} × {classes:,} × 4 bytes"
        ) from error
    if scale != 1.0:
        logits = logits * scale
    return _drawn(logits.numpy(), "logits", seed), _drawn(labels.numpy(), "labels", seed)


def _drawn(values: Values, name: str, seed: int) -> Array:
    return Array(*in_memory(values), f"<{name} of seed {seed}>", "random", str(values.dtype), element)
