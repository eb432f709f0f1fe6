"""Two sets of logits that fit together, or what does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.question.problem import BLOCK_BYTES, IGNORE_INDEX, Options, Problem
from xentcli.running.identity import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.numbers.arrays import Values
    from xentcli.question.share import RowRange

NO_LABELS = "<no labels>"


@dataclass(frozen=True)
class Pairing:
    """The base and the other sides, over the same labels."""

    base: Problem
    others: tuple[Problem, ...]

    @property
    def has_labels(self) -> bool:
        return self.base.target.path != NO_LABELS

    @property
    def sides(self) -> tuple[Problem, ...]:
        """The base, and all others."""
        return (self.base, *self.others)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.base.sample_shape

    @property
    def samples(self) -> int:
        return self.base.samples

    @property
    def classes(self) -> int:
        return self.base.classes

    @property
    def sample_bytes(self) -> int:
        """What the logits of one sample take on all sides."""
        return sum(side.sample_bytes for side in self.sides)

    @property
    def block_bytes(self) -> int:
        """What the logits of a block take on the base's side."""
        return self.base.block_bytes

    @property
    def in_parts(self) -> bool:
        return self.base.in_parts

    @property
    def compared(self) -> bool:
        return self.base.compared

    @property
    def streamed(self) -> bool:
        """Whether one of the sides is more than is in memory at once."""
        return any(side.streamed for side in self.sides)

    def spans(self, rows: RowRange | None = None) -> Iterator[tuple[int, int]]:
        """Where the blocks of all sides begin and end."""
        return self.base.spans(rows)

    def read_as(self, **how: Any) -> Pairing:
        """The same, as `Problem.read_as` has it for each side."""
        return Pairing(self.base.read_as(**how), tuple(other.read_as(**how) for other in self.others))

    @classmethod
    def of(
        cls, base: Array, labels: Array | None, others: Sequence[Array], options: Options, cut: int = BLOCK_BYTES
    ) -> Pairing:
        """All of them, checked, in blocks of so many bytes; InputError that names what does not fit."""
        if labels is None:
            options = replace(options, ignore_index=IGNORE_INDEX)  # every row counts
        first = Problem(base, _labels(base, options) if labels is None else labels, options, cut)
        if not first.has_labels:
            raise InputError(
                "two sets of logits are compared over labels", at=first.target.path, found="target probabilities",
                expected="class indices, one a sample", hint="leave the labels out to compare divergences alone",
            )  # fmt: skip
        for other in others:
            _check(first, other)
        return cls(first, tuple(Problem(other, first.target, options, cut) for other in others))


def _labels(base: Array, options: Options) -> Array:
    """Class 0 for every sample, which nobody looks at."""
    axis = min(1, base.ndim - 1) if options.class_axis is None else options.class_axis
    axis %= max(1, base.ndim)
    shape = base.shape[:axis] + base.shape[axis + 1 :]
    zeros: Values = np.broadcast_to(np.int64(0), shape)
    return Array(*in_memory(zeros), NO_LABELS, NOTHING, "int64", str)


def _check(base: Problem, other: Array) -> None:
    """InputError for other logits than those of the same rows and classes."""
    shape, own = base.logits.shape, other.shape
    if own == shape:
        return
    at = f"{base.logits.path} and {other.path}"
    found = f"shapes {base.logits.described()} and {other.described()}"
    if len(own) == len(shape):
        axis = base.class_axis
        rows, theirs = (size[:axis] + size[axis + 1 :] for size in (shape, own))
        if rows == theirs:
            raise InputError(
                "the two have other classes", at=at, found=found, expected="as many classes",
                hint=f"a padded vocabulary? compare the first {min(shape[axis], own[axis]):,} classes of both",
            )  # fmt: skip
        if sum(a != b for a, b in zip(rows, theirs, strict=True)) == 1:
            raise InputError(
                "the two have other samples", at=at, found=found, expected="the same samples in the same order",
                hint="is one of them shifted or cut off?",
            )  # fmt: skip
    raise InputError("the two have other shapes", at=at, found=found, expected="the same shape")
