"""Two sets of logits that fit together, or what does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.unfit import refuse
from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import Array, in_memory, stored_dtype
from xentcli.numbers.tensors import promoted
from xentcli.question.problem import BLOCK_BYTES, IGNORE_INDEX, Options, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.comparing.rows import Side
    from xentcli.numbers.arrays import Values

NO_LABELS = "<no labels>"
ROUNDED = ("float16", "bfloat16", "float32")  # formats whose rounding is a floor


@dataclass(frozen=True)
class Floor:
    """How noise alone is known: by a third set, the last of the others, or by rounding each side to a format."""

    name: str  # of the file, or of the format
    dtype: str = ""

    @classmethod
    def of(cls, name: str) -> Floor:
        return cls(name, name if name in ROUNDED else "")


@dataclass(frozen=True)
class Pairing:
    """The base and the other sides, over the same labels."""

    base: Problem
    others: tuple[Problem, ...]  # the last one is the floor, where that is a file
    floor: Floor | None = None
    worst: int = 0  # rows of which the most probable classes are kept

    @property
    def compared(self) -> tuple[Problem, ...]:
        """The other sides without the floor."""
        return self.others[:-1] if self.floor is not None and not self.floor.dtype else self.others

    @property
    def pairs(self) -> tuple[str, ...]:
        """What each two sides that are compared are called, in the order of `paired`: others, then rounded sides."""
        names = tuple(problem.logits.path for problem in self.others)
        if self.floor is None or not self.floor.dtype:
            return names
        rounded = (f"{path} in {self.floor.dtype}" for path in (self.base.logits.path, *names))
        return (*names, *rounded)

    def paired(self, sides: Sequence[Side]) -> list[tuple[Side, Side]]:
        """Each two sides that are compared, of some rows of the base and of all others."""
        first, *others = sides
        pairs = [(first, other) for other in others]
        if self.floor is None or not self.floor.dtype:
            return pairs
        return pairs + [(side, side.rounded(self.floor.dtype)) for side in sides]

    @property
    def has_labels(self) -> bool:
        return self.base.target.path != NO_LABELS

    @classmethod
    def of(
        cls, base: Array, labels: Array | None, others: Sequence[Array], options: Options, cut: int = BLOCK_BYTES,
        *, floor: Floor | None = None, worst: int = 0,
    ) -> Pairing:  # fmt: skip
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
            refuse(first.logits, other, first.class_axis)
        if floor is not None and floor.dtype:
            _check_rounding(floor, (base, *others))
        sides = tuple(Problem(other, first.target, options, cut) for other in others)
        return cls(first, sides, floor, worst)


def _check_rounding(floor: Floor, arrays: Sequence[Array]) -> None:
    """UsageError for a format that has all numbers of all sides, whose rounding moves none of them."""
    kept = [array for array in arrays if promoted(stored_dtype(array), floor.dtype) == floor.dtype]
    if len(kept) == len(arrays):
        raise UsageError(
            "rounding moves none of these logits, so it is no floor",
            at=arrays[0].path, found=f"--floor {floor.name}, of logits in {arrays[0].dtype}",
            expected="a format of fewer digits, or a third set of logits", hint="--floor FILE",
        )  # fmt: skip


def _labels(base: Array, options: Options) -> Array:
    """Class 0 for every sample, which nobody looks at."""
    axis = min(1, base.ndim - 1) if options.class_axis is None else options.class_axis
    axis %= max(1, base.ndim)
    shape = base.shape[:axis] + base.shape[axis + 1 :]
    zeros: Values = np.broadcast_to(np.int64(0), shape)
    return Array(*in_memory(zeros), NO_LABELS, "none", "int64", str)
