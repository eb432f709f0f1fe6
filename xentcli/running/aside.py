"""What blocks tell of every sample, kept aside while their sums add up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xentcli.measuring.each_row import Gathered
from xentcli.sources.stored import Spool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured
    from xentcli.question.problem import Problem
    from xentcli.records.samples import Rows


class Aside:
    """Takes it from the blocks of a problem, in their order, and gives it to the facts of all of them."""

    def __init__(self, problem: Problem, before: tuple[Rows, ...], gathered: Gathered | None = None) -> None:
        """`before` is what an interrupted run kept of the rows before these, as `Measured.ordered`."""
        self._problem, self._before = problem, before
        self._tables = Spool(problem.logits.path, "the samples' losses")
        self._ordered = Spool(problem.logits.path, "the samples' predictions")
        self._gathered = gathered
        self._addends: list[NDArray[Any]] = []
        self._allowances: list[NDArray[np.float64]] = []

    def taken_from(self, block: Measured) -> Measured:
        """The block's facts without what they tell of every sample."""
        for rows in block.tables:
            self._tables.append(rows[:])
        for rows in block.ordered:
            self._ordered.append(rows[:])
        for each in block.each_row:
            self._gathered = self._gathered or Gathered(self._problem.samples, self._problem.classes)
            self._gathered.append(each)
        self._addends.extend(block.addends)
        self._allowances.extend(block.allowances)
        return replace(block, tables=(), each_row=(), ordered=(), addends=(), allowances=())

    @property
    def ordered(self) -> tuple[Rows, ...]:
        """So far, with what was kept before."""
        return (*self._before, *self._ordered.tables())

    def given_to(self, total: Measured) -> Measured:
        """The facts of all blocks with what each told of every sample."""
        return replace(
            total,
            tables=self._tables.tables(),
            each_row=() if self._gathered is None else (self._gathered.all(),),
            ordered=self.ordered,
            addends=tuple(self._addends),
            allowances=tuple(self._allowances),
        )
