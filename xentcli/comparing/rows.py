"""The few numbers that are kept of each row of two sets of logits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.comparing.given import as_logits, widen_given
from xentcli.comparing.quantised import Moved, widen, widen_losses
from xentcli.comparing.tops import Tops, shared
from xentcli.losses.divergence import diverge
from xentcli.losses.truth import terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.losses.enclosed import Divergences
    from xentcli.question.block import Block
    from xentcli.question.problem import Options, Problem

    Table = NDArray[Any]
    Floats = NDArray[np.float64]

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
LINE = ("squares", "sum_base", "sum_steps", "norm_base", "cross", "counted")  # see `straight`
PLAIN = ("chance_base", "chance_other", "confidence_base", "greatest", *LINE)
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
    x, y, labels = terms.logits, terms_of(other.block, options).logits, terms.labels
    if len(counted) < len(labels):
        x, y, labels = x[counted], y[counted], labels[counted]
    table = np.zeros(len(counted), FIELDS)
    table["row"], table["label"] = counted + base.block.first_row, labels
    _take(diverge(x, y, labels), table)
    moved = base.moved_rows(counted), other.moved_rows(counted)
    if base.moved or other.moved:
        table["counted"] = 0.0  # nothing is told of the logits themselves
        widen(table, x, y, moved)
        for name, side in (("base", base), ("other", other)):
            if side.block.ends is not None:
                widen_losses(table, name, side.block.ends[:, counted])
    if base.half is not None and other.half is not None:
        halves = base.half[counted], other.half[counted]
        table["counted"] = 0.0  # nothing is told of logits that were none
        before = table.copy()
        widen(table, x, y, (Moved.by(halves[0]), Moved.by(halves[1])))
        widen_given(table, halves, before)
    for name in NEVER_NEGATIVE:
        np.maximum(table[f"{name}_lower"], 0.0, out=table[f"{name}_lower"])
    first = Tops.of(x, max(TOPS) + 1)
    tops = first, Tops.of(y, max(TOPS) + 1, first)
    slack = 2.0 * moved[0].half, 2.0 * moved[1].half
    _compare_tops(tops, (slack[0][:, None], slack[1][:, None]), x.shape[1], table)
    every = np.arange(len(labels))
    for name, logits, top, own in zip(("base", "other"), (x, y), tops, slack, strict=True):
        names = f"top_{name}", f"right_{name}_lower", f"right_{name}_upper"
        _judge_top(top, logits[every, labels].astype(np.float64), own, names, table)
    return table


def _take(found: Divergences, table: Table) -> None:
    for name in PAIRED:
        enclosed = getattr(found, name)
        table[name], table[f"{name}_lower"], table[f"{name}_upper"] = enclosed.value, enclosed.lower, enclosed.upper
    for name in (*PLAIN, "same"):
        table[name] = getattr(found, name)


def _judge_top(tops: Tops, own: Floats, slack: Floats, names: tuple[str, str, str], table: Table) -> None:
    """The first of the greatest logits, and whether the label is it: surely, or if ties are broken its way.

    own    the label's logit, [rows]
    slack  how far apart two logits may be and still be tied, [rows]
    """
    least = tops.values[:, 0] - slack
    is_top = own >= least
    table[names[0]], table[names[1]], table[names[2]] = tops.first, is_top & tops.is_alone(least), is_top


def _compare_tops(sides: tuple[Tops, Tops], slack: tuple[Floats, Floats], classes: int, table: Table) -> None:
    """How many of the most probable classes both sides share, as sets; ends where a tie decides which these are."""
    for count in TOPS:
        table[f"top{count}_lower"], table[f"top{count}_upper"] = shared(sides, min(count, classes), slack)
