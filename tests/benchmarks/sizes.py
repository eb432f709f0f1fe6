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
    sweeps: tuple[Sweep, ...]

    @property
    def most_bytes(self) -> int:
        """On the disk at one time."""
        shapes = (self.wide, self.tall, self.text)
        return max(
            2 * self.pair.most_bytes,
            *(shape.most_bytes for shape in shapes),
            *(sweep.most_bytes for sweep in self.sweeps),
        )


FULL = Sizes(
    wide=Shape(16384, 32000),
    tall=Shape(10_000_000, 10),
    text=Shape(1_000_000, 10, is_text=True),
    pair=Shape(16384, 32000),
    enclosures=((2000, 1000), (40, 50257)),
    sweeps=(
        over_logits([10_000, 100_000, 1_000_000, 10_000_000, 100_000_000], 100),
        over_classes([2, 10, 100, 1000, 10_000, 100_000, 1_000_000], 10_000_000),
        over_threads(Shape(8192, 32000)),
    ),
)
QUICK = Sizes(
    wide=Shape(2048, 10_000),
    tall=Shape(1_000_000, 10),
    text=Shape(100_000, 10, is_text=True),
    pair=Shape(2048, 10_000),
    enclosures=FULL.enclosures,
    sweeps=(
        over_logits([10_000, 100_000, 1_000_000, 10_000_000], 100),
        over_classes([10, 1000, 100_000], 5_000_000),
        over_threads(Shape(2048, 10_000)),
    ),
)
