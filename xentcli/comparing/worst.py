"""The most probable classes of both sides, of the rows of a block that differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.records.breakdown import Top, Tops, Worst

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.comparing.rows import Side
    from xentcli.question.block import Block

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

TOPS = 3  # classes of a side that are told
LEAST = 1e-250  # a label's probability that others can be told from


def worst_of(base: Side, other: Side, table: NDArray[Any], most: int) -> Worst:
    """Of one block; `table` has its rows."""
    rows = table[np.argsort(-table["kl"], kind="stable")[:most]]
    tops = [_tops(side.block, rows, rows[name]) for side, name in ((base, "chance_base"), (other, "chance_other"))]
    numbers = zip(rows["row"].tolist(), rows["kl"].tolist(), *tops, strict=True)
    return Worst(most, tuple(Tops(row, kl, one, two) for row, kl, one, two in numbers))


def _tops(block: Block, rows: NDArray[Any], chances: Floats) -> list[tuple[Top, ...]]:
    """Of some rows, whose labels have these probabilities; of equal logits the first class, as far as they are seen.

    The other probabilities are told from the label's, p_c = p_y exp(x_c − x_y), without another sum over the classes.
    """
    logits = _logits(block, rows["row"] - block.first_row)
    labels = logits[np.arange(len(rows)), rows["label"]]
    found = _greatest(logits.copy(), min(TOPS, block.classes))
    with np.errstate(all="ignore"):
        own = chances[:, None] * np.exp(np.take_along_axis(logits, found, 1) - labels[:, None])
    for row in np.flatnonzero(~(chances > LEAST)):
        own[row] = torch.from_numpy(logits[row]).softmax(0).numpy()[found[row]]
    tops = np.minimum(own, 1.0).tolist()
    return [tuple(map(Top, *both)) for both in zip(found.tolist(), tops, strict=True)]


def _logits(block: Block, samples: Integers) -> Floats:
    """Of some samples, [samples, classes]."""
    logits = block.logits.movedim(block.class_dim, -1)
    places = np.unravel_index(samples, logits.shape[:-1]) if logits.ndim > 1 else ()
    chosen = logits[tuple(map(torch.from_numpy, places))] if places else logits[None]
    wide: Floats = chosen.double().numpy().reshape(len(samples), block.classes)
    return wide


def _greatest(logits: Floats, count: int) -> Integers:
    """The places of the greatest, the first of equal ones first; the logits are overwritten."""
    found = np.empty((len(logits), count), np.int64)
    rows = np.arange(len(logits))
    for place in range(count):
        found[:, place] = logits.argmax(axis=1)
        logits[rows, found[:, place]] = -np.inf
    return found
