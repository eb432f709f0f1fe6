"""The few numbers that are kept of each row of two sets of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.losses.divergence import Divergences, diverge
from xentcli.losses.truth import terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.question.block import Block
    from xentcli.question.problem import Options

    Table = NDArray[Any]
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
PLAIN = ("chance_base", "chance_other", "confidence_base", "greatest", "squares")
TOPS = (1, 5, 10)  # the most probable classes that are compared as sets
RADIUS = "_radius"
FIELDS = [
    ("row", np.int64), ("label", np.int64),
    *((name + end, np.float64) for name in PAIRED for end in ("", RADIUS)),
    *((name, np.float64) for name in PLAIN),
    ("same", np.bool_), ("top_base", np.int32), ("top_other", np.int32),
    *((f"top{count}_{end}", np.int8) for count in TOPS for end in ("lower", "upper")),
    *((f"right_{side}_{end}", np.bool_) for side in ("base", "other") for end in ("lower", "upper")),
]  # fmt: skip


def table_of(base: Block, other: Block, options: Options) -> Table:
    """The rows of two blocks that count."""
    terms = terms_of(base, options)
    assert terms.labels is not None
    counted = np.flatnonzero(terms.labels >= 0)
    x, y, labels = terms.logits[counted], terms_of(other, options).logits[counted], terms.labels[counted]
    table = np.zeros(len(counted), FIELDS)
    table["row"], table["label"] = counted + base.first_row, labels
    _take(diverge(x, y, labels), table)
    _compare_tops(x, y, table)
    for side, logits in (("base", x), ("other", y)):
        _judge_top(logits, labels, side, table)
    return table


def _take(found: Divergences, table: Table) -> None:
    for name in PAIRED:
        enclosed = getattr(found, name)
        table[name], table[name + RADIUS] = enclosed.value, enclosed.radius
    for name in (*PLAIN, "same"):
        table[name] = getattr(found, name)


def _judge_top(logits: Logits, labels: NDArray[np.int64], side: str, table: Table) -> None:
    """The first of the greatest logits, and whether the label is it: surely, or if ties are broken its way."""
    rows = np.arange(len(logits))
    top = logits.argmax(axis=1)
    table[f"top_{side}"] = top
    greatest = logits[rows, top][:, None]
    is_top = logits[rows, labels] == greatest[:, 0]
    alone = np.count_nonzero(logits == greatest, axis=1) == 1
    table[f"right_{side}_lower"], table[f"right_{side}_upper"] = is_top & alone, is_top


def _compare_tops(base: Logits, other: Logits, table: Table) -> None:
    """How many of the most probable classes both sides share, as sets; ends where a tie decides which these are."""
    classes = base.shape[1]
    deepest = min(max(TOPS) + 1, classes)
    sides = [torch.topk(torch.from_numpy(np.ascontiguousarray(side)), deepest, dim=1) for side in (base, other)]
    for count in TOPS:
        wanted = min(count, classes)
        lower, upper = (_shared(sides, wanted, sure=sure) for sure in (True, False))
        table[f"top{count}_lower"], table[f"top{count}_upper"] = lower, upper


def _shared(sides: list[Any], count: int, *, sure: bool) -> NDArray[np.int64]:
    """Classes among the `count` greatest of both: surely, or as many as there can be.

    A class ties for the last place where its logit is that of the first class left out; those beyond the deepest that
    is known may be any.
    """
    masks, are_open = [], []
    for values, _ in sides:
        last = values[:, count - 1 : count]
        is_tied = (
            values[:, count : count + 1] == last
            if values.shape[1] > count
            else torch.zeros_like(last, dtype=torch.bool)
        )
        inside = torch.arange(values.shape[1]) < count
        masks.append((inside & ~(is_tied & (values == last))) if sure else (values >= last) & (inside | is_tied))
        are_open.append(is_tied[:, 0] & (values[:, -1:] == last)[:, 0])
    (_, one), (_, two) = sides
    same = (one[:, :, None] == two[:, None, :]) & masks[0][:, :, None] & masks[1][:, None, :]
    shared = same.sum(dim=(1, 2)).clamp(max=count)
    if not sure:
        shared = torch.where(are_open[0] | are_open[1], count, shared)
    found: NDArray[np.int64] = shared.numpy()
    return found
