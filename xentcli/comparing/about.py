"""What a comparison is about, as far as its report needs to know it: the inputs without their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.running.reporting import Source

if TYPE_CHECKING:
    from xentcli.comparing.problem import Pairing


@dataclass(frozen=True)
class PairOptions:
    """How the sides are read."""

    ignore_index: int
    class_axis: int  # from the front
    input: str


@dataclass(frozen=True)
class PairAbout:
    """The base, the labels and the other sides."""

    base: Source
    labels: Source | None
    others: dict[str, Source]  # by their number, from 1 on
    options: PairOptions

    @classmethod
    def of(cls, pairing: Pairing) -> PairAbout:
        """Of all that is compared."""
        base = pairing.base
        sources = (Source.of(other.logits, other.samples) for other in pairing.others)
        return cls(
            base=Source.of(base.logits, base.samples),
            labels=Source.of(base.target, base.samples) if pairing.has_labels else None,
            others={str(number): source for number, source in enumerate(sources, 1)},
            options=PairOptions(base.options.ignore_index, base.class_axis, base.options.input),
        )

    @property
    def classes(self) -> int:
        return self.base.shape[self.options.class_axis]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis but the class axis."""
        axis, shape = self.options.class_axis, self.base.shape
        return shape[:axis] + shape[axis + 1 :]

    @property
    def samples(self) -> int:
        """Those of the whole input."""
        return math.prod(self.sample_shape)
