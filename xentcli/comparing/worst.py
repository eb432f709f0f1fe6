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

    Integers = NDArray[np.int64]

TOPS = 3  # classes of a side that are told


def worst_of(base: Side, other: Side, table: NDArray[Any], most: int) -> Worst:
    """Of one block; `table` has its rows."""
    chosen = np.argsort(-table["kl"], kind="stable")[:most]
    rows = table["row"][chosen]
    tops = [_tops(side.block, rows - base.block.first_row) for side in (base, other)]
    numbers = zip(rows.tolist(), table["kl"][chosen].tolist(), *tops, strict=True)
    return Worst(most, tuple(Tops(row, kl, one, two) for row, kl, one, two in numbers))


def _tops(block: Block, samples: Integers) -> list[tuple[Top, ...]]:
    """Of some samples; of equal logits the first class, as far as they are seen."""
    logits = block.logits.movedim(block.class_dim, -1)  # [..., classes]
    places = np.unravel_index(samples, logits.shape[:-1]) if logits.ndim > 1 else ()
    chosen = (logits[tuple(map(torch.from_numpy, places))] if places else logits[None]).double()
    count = min(TOPS, block.classes)
    numbers = chosen.sort(dim=1, descending=True, stable=True).indices[:, :count]
    chances = chosen.softmax(dim=1).gather(1, numbers)
    return [tuple(map(Top, *both)) for both in zip(numbers.tolist(), chances.tolist(), strict=True)]
