"""From a row's logits to its probabilities, step by step, of the classes that matter most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.records.pictures import ClassSteps

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 10  # classes of a row


def class_steps(logits: NDArray[Any], label: int, total: float) -> tuple[ClassSteps, ...]:
    """The classes with the greatest logits, the first of equal ones first, and the label, of one row.

    logits  [classes]; total  Σ exp(x_c − max x), of all
    """
    chosen = _chosen(logits, label)
    values = logits[chosen].astype(np.float64)
    with np.errstate(all="ignore"):
        shifted = values - float(logits.max())
        exponentials = np.exp(shifted)
        columns = (chosen, values, shifted, exponentials, exponentials / total)
    return tuple(ClassSteps(*found) for found in zip(*(column.tolist() for column in columns), strict=True))


def _chosen(logits: NDArray[Any], label: int) -> NDArray[np.int64]:
    """Which classes; the label is the last of them where others are before it."""
    place = max(len(logits) - MOST, 0)
    least = np.partition(logits, place)[place]
    found = np.flatnonzero(logits >= least)
    found = found[np.argsort(-logits[found], kind="stable")][:MOST]
    return found if label in found else np.append(found[: MOST - 1], label)
