"""Random logits and labels: those of torch's own generator, so that anybody can draw them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xentcli.errors import UsageError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.records.progress import Progress
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values
    from xentcli.records.progress import Watcher

SEEDS = 2**32
# of one call: no signal is heeded while it lasts.  A multiple of 16, of which torch draws so many at once
PIECE = 1 << 22
DRAWING = "drawing the data"
VECTOR = 16


def choose_seed() -> int:
    """A seed for a user who gave none; short enough to type again."""
    return torch.seed() % SEEDS


def generate(
    samples: int, classes: int, seed: int, scale: float = 1.0, watch: Watcher | None = None
) -> tuple[Array, Array]:
    """Logits float32 [samples, classes], normal with standard deviation `scale`, and uniform labels int64 [samples].

    They are those of `torch.manual_seed(seed); scale * torch.randn(N, C); torch.randint(C, (N,))`.
    watch  is told how many rows are drawn
    Errors: UsageError for counts that make no sense or take too much memory.
    """
    if samples < 0 or classes < 1:
        raise UsageError(
            "cannot draw that many", found=f"{samples} samples, {classes} classes", expected="at least 0 and at least 1"
        )
    generator = torch.Generator().manual_seed(seed)
    try:
        logits = torch.empty(samples, classes)
        labels = torch.empty(samples, dtype=torch.int64)
    except (RuntimeError, TypeError) as error:  # torch's errors for too much memory and for a count beyond 64 bits
        raise UsageError(
            "this many logits do not fit in memory", found=f"{samples:,} × {classes:,} × 4 bytes"
        ) from error
    told = _Told(watch or (lambda _: None), samples, classes)
    for piece in _pieces(logits.view(-1)):
        piece.normal_(generator=generator)
        if scale != 1.0:
            piece.mul_(scale)
        told.drawn(piece.numel())
    for piece in _pieces(labels):
        piece.random_(classes, generator=generator)
    return _drawn(logits.numpy(), "logits", seed), _drawn(labels.numpy(), "labels", seed)


def _pieces(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Pieces whose numbers, drawn one after the other, are those of one call on all: none is shorter than a vector.

    Of a length that is no multiple of a vector, torch draws the last 16 numbers once more at the end.
    """
    whole = max(0, len(values) - VECTOR) // PIECE * PIECE
    starts = range(0, whole, PIECE)
    return (*(values[start : start + PIECE] for start in starts), values[whole:])


class _Told:
    """Tells a watcher how many rows are drawn."""

    def __init__(self, watch: Watcher, samples: int, classes: int) -> None:
        self._watch, self._samples, self._classes, self._done = watch, samples, classes, 0
        watch(Progress(DRAWING))

    def drawn(self, numbers: int) -> None:
        """So many more."""
        self._done += numbers
        self._watch(Progress(DRAWING, self._done // self._classes, self._samples))


def _drawn(values: Values, name: str, seed: int) -> Array:
    return Array(*in_memory(values), f"<{name} of seed {seed}>", "random", str(values.dtype), element)
