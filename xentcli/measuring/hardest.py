"""The rows with the highest losses of a block, and what the model says instead: a few of every run, at no price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.records.report import WorstLoss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms

    Floats = NDArray[np.float64]

KEPT = 3
SPAN = 256  # rows of which one maximum is taken first: two passes over all of them would cost more than the sum


def highest(losses: Floats, counted: NDArray[np.bool_] | None, most: int) -> NDArray[np.intp]:
    """The rows with the highest losses, the highest first, of equal ones the first; none that is NaN."""
    if counted is not None:
        losses = np.where(counted, losses, np.nan)
    whole = len(losses) // SPAN * SPAN
    peaks = np.fmax.reduce(losses[:whole].reshape(-1, SPAN), axis=1)
    spans = _first(peaks, np.arange(len(peaks)), most)  # none but these holds one of the highest
    near = np.concatenate([(spans[:, None] * SPAN + np.arange(SPAN)).ravel(), np.arange(whole, len(losses))])
    near.sort()
    return _first(losses[near], near, most)


def _first(values: Floats, places: NDArray[Any], most: int) -> NDArray[np.intp]:
    order = np.argsort(-values, kind="stable")[:most]
    return places[order[~np.isnan(values[order])]]


def hardest(terms: Terms, rows: Rows, losses: Floats, first_row: int) -> tuple[WorstLoss, ...]:
    """Those of a block with labels, whose −log p are `losses`."""
    ignored = rows.ignored
    chosen = highest(losses, ~ignored if ignored.any() else None, KEPT)
    with np.errstate(all="ignore"):
        return tuple(_told(terms, rows, int(row), float(losses[row]), first_row) for row in chosen)


def _told(terms: Terms, rows: Rows, row: int, loss: float, first_row: int) -> WorstLoss:
    assert terms.labels is not None
    logits, label = terms.logits[row].astype(np.float64), int(terms.labels[row])
    top, others = int(logits.argmax()), np.delete(logits, label)
    rival = others.max(initial=-np.inf)
    own, confidence, other = PROBABILITIES[terms.given](loss, logits[top], float(rows.excess[row]), rival)
    return WorstLoss(row + first_row, label, loss, float(own), top, float(confidence), float(own - other))


def _of_logits(loss: float, top: float, excess: float, rival: float) -> Iterable[Any]:
    confidence = 1.0 / (1.0 + excess)
    return np.exp(-loss), confidence, np.exp(-(top - rival)) * confidence


def _of_logarithms(loss: float, top: float, _excess: float, rival: float) -> Iterable[Any]:
    return np.exp(-loss), np.exp(top), np.exp(rival)


def _of_probabilities(loss: float, top: float, _excess: float, rival: float) -> Iterable[Any]:
    return np.exp(-loss), top, max(rival, 0.0)


# what the label, the most probable class and the greatest of the others have
PROBABILITIES = {
    "logits": _of_logits,
    "binary": _of_logits,
    "log-probabilities": _of_logarithms,
    "probabilities": _of_probabilities,
}
