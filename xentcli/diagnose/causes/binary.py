"""Mistakes that take every class for a question of its own, to be answered with yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.scores import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats

LARGEST = 700.0  # exp of a greater logit is beyond float64
SURE = 0.999  # from here on 1 − p has too few digits
ONE_CLASS = "one class is right: F.cross_entropy(logits, labels), not F.binary_cross_entropy of one-hot targets"
LOG_OF_REST = "the logarithm is that of 1 - p: y * torch.log(p) + (1 - y) * torch.log1p(-p)"


def one_against_rest(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The binary cross-entropies of all classes, of sigmoids and of the softmax, added up or averaged."""
    setting = chunk.setting
    if setting.has_weight or setting.smoothing:
        return
    for name, (own, rest, log_rest) in (("sigmoids", _of_sigmoids(chunk)), ("softmax", _of_softmax(chunk))):
        others = setting.classes - (1.0 if setting.has_labels else chunk.shares.sum(axis=1))
        for way, mistake in _ways(name).items():
            losses = own + rest if mistake.code == BINARY else own - others + log_rest
            yield mistake, chunk.summed(losses / setting.classes if way.endswith("averaged") else losses)
    if setting.has_labels:
        yield ONE_LESS, chunk.summed(1.0 + chunk.nats)


def _of_sigmoids(chunk: Chunk) -> tuple[Floats, Floats, Floats]:
    """−Σ t·log p, −Σ (1 − t)·log(1 − p) and Σ (1 − t)·log p, where log(1 − p) is −log(1 + exp(x)); [rows] each."""
    softplus = _softplus(chunk)
    whole, wanted = softplus.sum(axis=1), _taken(chunk, softplus)
    own = wanted - _taken(chunk, chunk.rows)
    return own, whole - wanted, chunk.rows.sum(axis=1) - whole + own


def _of_softmax(chunk: Chunk) -> tuple[Floats, Floats, Floats]:
    """The same where all classes share one sum of exponentials."""
    complements = _complements(chunk)
    if chunk.setting.has_labels:
        own = chunk.nats
        complements[np.arange(len(own)), chunk.labels] = 0.0
    else:
        own = chunk.scores.contract(chunk.shares)
        complements *= 1.0 - chunk.shares
    return own, -complements.sum(axis=1), own - chunk.scores.contract(np.ones(chunk.setting.classes))


def _complements(chunk: Chunk) -> Floats:
    """log(1 − p), [rows, classes]; where p is next to 1, by the exponentials of the other classes."""
    complements: Floats = np.log1p(-chunk.probabilities)
    place = np.arange(len(complements))
    sure = place[chunk.probabilities[place, chunk.best] > SURE]
    others = chunk.exponentials[sure]
    others[np.arange(len(sure)), chunk.best[sure]] = 0.0
    complements[sure, chunk.best[sure]] = np.log(others.sum(axis=1)) - np.log(chunk.exponential_sums[sure])
    return complements


def _softplus(chunk: Chunk) -> Floats:
    """log(1 + exp(x)), [rows, classes]; by the exponentials that there are, where float64 holds them."""
    if not chunk.top.max() < LARGEST:
        return np.logaddexp(0.0, chunk.rows)
    powers = chunk.exponentials * np.exp(chunk.top)[:, None]
    return np.log1p(powers, out=powers)


def _taken(chunk: Chunk, values: Floats) -> Floats:
    """The label's value of each row, or those of all classes by their share; [rows]."""
    if chunk.setting.has_labels:
        return entry(values, chunk.labels)
    sums: Floats = (chunk.shares * values).sum(axis=1)
    return sums


BINARY, MISPLACED = "one-vs-rest-bce", "complement-misplaced"


def _ways(name: str) -> dict[str, Mistake]:
    """What may be made of one kind of probabilities."""
    entropies, misplaced = (
        f"the binary cross-entropies of the {name}",
        f"−[y·log p + (1 − y)·(1 − log p)] of the {name}",
    )
    summed, averaged = "added up over the classes", "averaged over all classes and samples"
    return {
        "binary averaged": Mistake(BINARY, f"{entropies}, {averaged}", ONE_CLASS),
        "binary": Mistake(BINARY, f"{entropies}, {summed}", ONE_CLASS),
        "misplaced averaged": Mistake(MISPLACED, f"{misplaced}, {averaged}", LOG_OF_REST, Rarity.VARIANT),
        "misplaced": Mistake(MISPLACED, f"{misplaced}, {summed}", LOG_OF_REST, Rarity.VARIANT),
    }


ONE_LESS = Mistake(
    MISPLACED,
    "1 − log p of the label, one more than the loss",
    "the loss of a sample is -torch.log(p): leave out the 1",
    Rarity.VARIANT,
)
