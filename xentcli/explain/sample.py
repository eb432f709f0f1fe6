"""One sample of a problem: which, in what block it is computed, and it alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.measuring.case import Case
from xentcli.measuring.facts import ratio
from xentcli.measuring.measure import measure
from xentcli.measuring.paths import Part
from xentcli.question.policy import Policy

if TYPE_CHECKING:
    import torch

    from xentcli.measuring.facts import Measured
    from xentcli.question.block import Block
    from xentcli.question.problem import Problem
    from xentcli.running.passes import Pass


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample among those that torch computes it with, so that its numbers are the very ones of the whole input."""

    whole: Case  # the block that holds it
    offset: int  # its row in that block
    alone: Case  # a block of it alone, of as many dimensions

    @property
    def index(self) -> tuple[int, ...]:
        """Where it stands in the block, over every axis but the class axis."""
        return _index(self.whole.block, self.offset)

    def of(self, losses: torch.Tensor) -> torch.Tensor:
        """Its own among the block's losses; []."""
        return losses.reshape(-1)[self.offset]

    def classes_of(self, values: torch.Tensor) -> torch.Tensor:
        """Its own among values of the logits' shape; [C]."""
        return values.movedim(self.whole.block.class_dim, -1)[self.index]


def sample_of(problem: Problem, row: int) -> Sample:
    """The sample at `row`; UsageError where there is none."""
    if row >= problem.samples:
        raise UsageError(
            f"there is no row {row}",
            at=problem.logits.path,
            found=f"{problem.samples:,} row{'s' * (problem.samples != 1)}, counted from 0",
            expected=f"at most {problem.samples - 1}" if problem.samples else "",
        )
    blocks = (block for block in problem.blocks() if row < block.first_row + block.samples)
    block = next(blocks)
    offset = row - block.first_row
    return Sample(Case(block, problem.options), offset, Case(alone(block, offset), problem.options))


def worst_row(problem: Problem, told: Pass) -> int:
    """The row whose error is the greatest part of what rounding allows, by either path; InputError without rows."""
    if not problem.samples:
        raise InputError("there are no rows to explain", at=problem.logits.path, found="0 samples")
    policy = Policy(rows=0)
    facts = (measure(Part.read(problem, *span), policy, shown=0, bits=None) for span in problem.spans())
    total: Measured | None = None
    for each in facts:
        total = each if total is None else (total + each).candidates(0)
        told.reached(total.samples)
    assert total is not None  # there is at least one block
    worst = [path.worst for path in (total.library, total.manual) if path.worst is not None]
    errors, allowed = np.array([(each.error, each.allowed or 0.0) for each in worst]).T
    return worst[int(np.argmax(ratio(errors, allowed)))].row


def alone(block: Block, offset: int) -> Block:
    """The block of this one sample; every axis stays, with one entry."""
    if not block.sample_shape:
        return block
    first, *others = (slice(each, each + 1) for each in _index(block, offset))
    labels, classes = (first, *others), (first, slice(None), *others)
    return replace(
        block,
        logits=block.logits[classes],
        target=block.target[labels if block.has_labels else classes],
        first_row=block.first_row + offset,
        stored=None if block.stored is None else alone(block.stored, offset),
        blur=None if block.blur is None else block.blur[offset : offset + 1],
        ends=None if block.ends is None else block.ends[:, offset : offset + 1],
    )


def _index(block: Block, offset: int) -> tuple[int, ...]:
    return tuple(int(each) for each in np.unravel_index(offset, block.sample_shape)) if block.sample_shape else ()
