"""The few numbers that are kept of each row of two sets of logits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.comparing.given import as_logits, widen_given
from xentcli.comparing.quantised import Moved, widen, widen_losses
from xentcli.losses.divergence import Divergences, diverge
from xentcli.losses.truth import terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.question.block import Block
    from xentcli.question.problem import Options, Problem

    Table = NDArray[Any]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Logits = NDArray[np.float32] | NDArray[np.float64]

PAIRED = (
    "kl",
    "kl_reverse",
    "js",
    "tv",
    "entropy_base",
    "entropy_other",
    "loss_base",
    "loss_other",
    "loss_difference",
    "delta_p",
)
NEVER_NEGATIVE = ("kl", "kl_reverse", "js", "tv", "entropy_base", "entropy_other")
PLAIN = ("chance_base", "chance_other", "confidence_base", "greatest", "squares")
TOPS = (1, 5, 10)  # the most probable classes that are compared as sets
ENDS = ("_lower", "_upper")
FIELDS = [
    ("row", np.int64), ("label", np.int64),
    *((name + end, np.float64) for name in PAIRED for end in ("", *ENDS)),
    *((name, np.float64) for name in PLAIN),
    ("same", np.bool_), ("top_base", np.int32), ("top_other", np.int32),
    *((f"top{count}_{end}", np.int8) for count in TOPS for end in ("lower", "upper")),
    *((f"right_{side}_{end}", np.bool_) for side in ("base", "other") for end in ("lower", "upper")),
]  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Some samples of one side."""

    block: Block
    moved: Moved | None  # when its logits were stored in 16 bits
    half: Floats | None = None  # how far logits may be from the logarithms of the probabilities that were given

    @classmethod
    def read(cls, problem: Problem, start: int, stop: int) -> Side:
        """Some entries of torch's batch axis."""
        blur = problem.logits.blur
        moved = None
        if blur is not None:
            half, is_cut = blur.moved(start, stop)
            moved = Moved(half, is_cut != 0.0)
        block, open_by = as_logits(problem, problem.block(start, stop))
        return cls(block, moved, open_by)

    def rounded(self, dtype: str) -> Side:
        """The same logits rounded to a format; in the format that they are read in, so that more digits are kept."""
        kind = self.block.logits.dtype
        logits = self.block.logits.to(getattr(torch, dtype)).to(kind)
        return replace(self, block=replace(self.block, logits=logits, stored=None))

    def moved_rows(self, chosen: NDArray[np.int64]) -> Moved:
        """Of some of the rows; by nothing where the logits are as they were."""
        return self.moved.rows(chosen) if self.moved else Moved.nothing(len(chosen))


def table_of(base: Side, other: Side, options: Options) -> Table:
    """The rows of both that count."""
    terms = terms_of(base.block, options)
    assert terms.labels is not None
    counted = np.flatnonzero(terms.labels >= 0)
    x, y, labels = terms.logits[counted], terms_of(other.block, options).logits[counted], terms.labels[counted]
    table = np.zeros(len(counted), FIELDS)
    table["row"], table["label"] = counted + base.block.first_row, labels
    _take(diverge(x, y, labels), table)
    moved = base.moved_rows(counted), other.moved_rows(counted)
    if base.moved or other.moved:
        widen(table, x, y, moved)
        for name, side in (("base", base), ("other", other)):
            if side.block.ends is not None:
                widen_losses(table, name, side.block.ends[:, counted])
    if base.half is not None and other.half is not None:
        halves = base.half[counted], other.half[counted]
        before = table.copy()
        widen(table, x, y, (Moved.by(halves[0]), Moved.by(halves[1])))
        widen_given(table, halves, before)
    for name in NEVER_NEGATIVE:
        np.maximum(table[f"{name}_lower"], 0.0, out=table[f"{name}_lower"])
    open_by = 2.0 * moved[0].half[:, None], 2.0 * moved[1].half[:, None]
    _compare_tops((x, y), open_by, table)
    for name, logits, slack in zip(("base", "other"), (x, y), open_by, strict=True):
        _judge_top(logits, labels, slack, (f"top_{name}", f"right_{name}_lower", f"right_{name}_upper"), table)
    return table


def _take(found: Divergences, table: Table) -> None:
    for name in PAIRED:
        enclosed = getattr(found, name)
        table[name], table[f"{name}_lower"], table[f"{name}_upper"] = enclosed.value, enclosed.lower, enclosed.upper
    for name in (*PLAIN, "same"):
        table[name] = getattr(found, name)


def _judge_top(
    logits: Logits, labels: NDArray[np.int64], slack: Floats, names: tuple[str, str, str], table: Table
) -> None:
    """The first of the greatest logits, and whether the label is it: surely, or if ties are broken its way.

    slack  how far apart two logits may be and still be tied, [rows, 1]
    """
    rows = np.arange(len(logits))
    top = logits.argmax(axis=1)
    least = logits[rows, top][:, None] - slack
    is_top = logits[rows, labels] >= least[:, 0]
    alone = np.count_nonzero(logits >= least, axis=1) == 1
    table[names[0]], table[names[1]], table[names[2]] = top, is_top & alone, is_top


def _compare_tops(sides: tuple[Logits, Logits], slack: tuple[Floats, Floats], table: Table) -> None:
    """How many of the most probable classes both sides share, as sets; ends where a tie decides which these are."""
    classes = sides[0].shape[1]
    deepest = min(max(TOPS) + 1, classes)
    found = [torch.topk(torch.from_numpy(np.ascontiguousarray(side)), deepest, dim=1) for side in sides]
    values, places = zip(
        *((each.values.numpy().astype(np.float64), each.indices.numpy()) for each in found), strict=True
    )
    pairs = places[0][:, :, None] == places[1][:, None, :]  # [rows, deepest, deepest]
    for count in TOPS:
        sure, possible, are_open = zip(
            *(_members(each, min(count, classes), own) for each, own in zip(values, slack, strict=True)), strict=True
        )
        lower, upper = (
            (pairs & one[:, :, None] & two[:, None, :]).sum(axis=(1, 2)).clip(max=count)
            for one, two in (sure, possible)
        )
        table[f"top{count}_lower"] = lower
        table[f"top{count}_upper"] = np.where(are_open[0] | are_open[1], min(count, classes), upper)


def _members(values: Floats, count: int, slack: Floats) -> tuple[Bools, Bools, Bools]:
    """Which of the greatest logits, [rows, deepest], are surely, or possibly, among the first `count` of their row.

    And the rows of which classes that are not among these may be, too.
    """
    last = values[:, count - 1 : count]
    possible = values >= last - slack
    if values.shape[1] == count:
        return possible, possible, np.zeros(len(values), bool)
    sure = values > values[:, count : count + 1] + slack
    return sure, possible, possible[:, -1]
