"""What a comparison is about, as far as its report needs to know it: the inputs without their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.comparing.problem import Floor  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.numbers.given import Given  # noqa: TC001 (the same)
from xentcli.running.grouping import Layout
from xentcli.running.reporting import Source

if TYPE_CHECKING:
    from xentcli.comparing.problem import Pairing


@dataclass(frozen=True)
class PairOptions:
    """How the sides are read."""

    ignore_index: int
    class_axis: int  # from the front
    input: Given
    worst: int  # rows of which the most probable classes are kept


@dataclass(frozen=True)
class PairAbout:
    """The base, the labels and the other sides."""

    base: Source
    labels: Source | None
    others: dict[str, Source]  # by their number, from 1 on; the last one is the floor, where that is a file
    class_names: tuple[str, ...]
    floor: Floor | None
    options: PairOptions

    @classmethod
    def of(cls, pairing: Pairing) -> PairAbout:
        """Of all that is compared."""
        base, given = pairing.base, pairing.base.options
        sources = (Source.of(other.logits, other.samples) for other in pairing.others)
        return cls(
            base=Source.of(base.logits, base.samples),
            labels=Source.of(base.target, base.samples) if pairing.has_labels else None,
            others={str(number): source for number, source in enumerate(sources, 1)},
            class_names=base.class_names,
            floor=pairing.floor,
            options=PairOptions(given.ignore_index, base.class_axis, given.input, pairing.worst),
        )

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    @property
    def layout(self) -> Layout:
        """Of the rows of all sides."""
        return Layout(self.base, self.options.class_axis, self.class_names, self.has_labels, hint="--labels FILE")

    @property
    def compared(self) -> tuple[Source, ...]:
        """The other sides without the floor."""
        others = tuple(self.others.values())
        return others[:-1] if self.floor is not None and not self.floor.dtype else others

    @property
    def pairs(self) -> int:
        """How many times two sides were compared: each other with the base, and each with itself when it is rounded."""
        rounded = self.floor is not None and bool(self.floor.dtype)
        return len(self.others) + rounded * (1 + len(self.others))

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
