"""What is measured: in full, and quickly."""

from __future__ import annotations

from dataclasses import dataclass

from inputs import Shape
from scaling import Sweep, over_classes, over_logits, over_threads


@dataclass(frozen=True)
class Sizes:
    """The inputs of every part."""

    wide: Shape
    tall: Shape
    text: Shape
    pair: Shape
    enclosures: tuple[tuple[int, int], ...]  # rows and classes
    threads: tuple[Sweep, Sweep]  # on wide rows and on tall ones
    jobs: tuple[Shape, ...]  # of each kind the smallest first
    sweeps: tuple[Sweep, ...]

    @property
    def most_bytes(self) -> int:
        """On the disk at one time."""
        shapes = (self.wide, self.tall, self.text, *self.jobs)
        return max(
            2 * self.pair.most_bytes,
            *(shape.most_bytes for shape in shapes),
            *(sweep.most_bytes for sweep in (*self.threads, *self.sweeps)),
        )


FULL_THREADS = (over_threads(Shape(16384, 32000)), over_threads(Shape(10_000_000, 10)))
QUICK_THREADS = (over_threads(Shape(2048, 10_000)), over_threads(Shape(1_000_000, 10)))

FULL = Sizes(
    wide=Shape(16384, 32000),
    tall=Shape(10_000_000, 10),
    text=Shape(1_000_000, 10, is_text=True),
    pair=Shape(16384, 32000),
    enclosures=((2000, 1000), (40, 50257)),
    threads=FULL_THREADS,
    jobs=(
        *(Shape(rows, 32000) for rows in (2048, 8192, 16384, 32768)),
        *(Shape(rows, 10, is_text=True) for rows in (1_000_000, 4_000_000)),
    ),
    sweeps=(
        over_logits([10_000, 100_000, 1_000_000, 10_000_000, 100_000_000], 100),
        over_classes([2, 10, 100, 1000, 10_000, 100_000, 1_000_000], 10_000_000),
        FULL_THREADS[0],
    ),
)
QUICK = Sizes(
    wide=Shape(2048, 10_000),
    tall=Shape(1_000_000, 10),
    text=Shape(100_000, 10, is_text=True),
    pair=Shape(2048, 10_000),
    enclosures=FULL.enclosures,
    threads=QUICK_THREADS,
    jobs=(Shape(2048, 10_000), Shape(8192, 10_000), Shape(1_000_000, 10, is_text=True)),
    sweeps=(
        over_logits([10_000, 100_000, 1_000_000, 10_000_000], 100),
        over_classes([10, 1000, 100_000], 5_000_000),
        QUICK_THREADS[0],
    ),
)
