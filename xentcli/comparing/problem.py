"""Two sets of logits that fit together, or what does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.unfit import refuse
from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.question.problem import BLOCK_BYTES, IGNORE_INDEX, Options, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.numbers.arrays import Values

NO_LABELS = "<no labels>"


@dataclass(frozen=True)
class Pairing:
    """The base and the other sides, over the same labels."""

    base: Problem
    others: tuple[Problem, ...]

    @property
    def has_labels(self) -> bool:
        return self.base.target.path != NO_LABELS

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
            refuse(first.logits, other, first.class_axis)
        return cls(first, tuple(Problem(other, first.target, options, cut) for other in others))


def _labels(base: Array, options: Options) -> Array:
    """Class 0 for every sample, which nobody looks at."""
    axis = min(1, base.ndim - 1) if options.class_axis is None else options.class_axis
    axis %= max(1, base.ndim)
    shape = base.shape[:axis] + base.shape[axis + 1 :]
    zeros: Values = np.broadcast_to(np.int64(0), shape)
    return Array(*in_memory(zeros), NO_LABELS, "none", "int64", str)
