"""Wrong sums over the classes of a row, for KL one way: ε, cuts, the most probable classes, forgotten logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.diagnose.causes.mistake import Rarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.diagnose.causes.mistake import Mistake

    Floats = NDArray[np.float64]

EPSILONS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
STEPS, SPAN = 65535.0, 16.0  # of the codes that llama.cpp stores, and the nats that they span
CUTS = (-16.0,)  # log-probabilities, as llama.cpp stores none below
FLOORS = (1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)  # probabilities
MOST = (2, 3, 5, 8, 10, 20, 32, 40, 50, 64, 100, 128, 200, 256, 500, 512, 1000, 1024)  # classes that people keep


@dataclass(frozen=True)
class Logs:
    """Log-probabilities of both sides, the one that the sum is weighed with first; [rows, classes]."""

    p: Floats
    q: Floats
    logits: Floats  # of the second

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Logs:
        return cls(_log_softmax(x), _log_softmax(y), y)

    @cached_property
    def chances(self) -> Floats:
        return np.exp(self.p)

    @cached_property
    def others(self) -> Floats:
        return np.exp(self.q)

    @cached_property
    def steps(self) -> Floats:
        """log p − log q, 0 of classes that neither side has."""
        return np.where(np.isneginf(self.p) & np.isneginf(self.q), 0.0, self.p - self.q)

    @cached_property
    def terms(self) -> Floats:
        """p (log p − log q)."""
        return _times(self.chances, self.steps)


def _log_softmax(logits: Floats) -> Floats:
    gaps = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = gaps - np.log(np.exp(gaps).sum(axis=1, keepdims=True))
    return logs


def _times(chances: Floats, logs: Floats) -> Floats:
    """Their product, 0 where the chance is."""
    return np.where(chances == 0.0, 0.0, chances * logs)


def wrong_terms(logs: Logs) -> Iterator[tuple[Mistake, float]]:
    """Each mistake, and the sum over the rows of what it makes of them."""
    with np.errstate(all="ignore"):
        for family in (_absolute, _stored, _forgotten, _cut, _with_epsilon, _of_most_probable):
            for mistake, values in family(logs):
                yield mistake, float(values.sum())


def stored_as_codes(logs: Floats) -> Floats:
    """Log-probabilities as llama.cpp stores them: 65,536 steps between the greatest and 16 nats below, in float32."""
    top = logs.max(axis=1, keepdims=True)
    low = np.maximum(logs.min(axis=1, keepdims=True), top - SPAN).astype(np.float32).astype(np.float64)
    scale = ((top - low) / STEPS).astype(np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        steps = np.floor(np.maximum(logs - low, 0.0) / scale + 0.5)
    stored: Floats = np.where(scale > 0.0, low + scale * np.nan_to_num(steps), low)
    return stored


def _stored(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    """The sum that llama-perplexity prints: of a base in its 16 bits, whose probabilities do not add up to 1."""
    stored = stored_as_codes(logs.p)
    terms = _times(np.exp(stored), stored - logs.q)
    what = "llama-perplexity's sum, of a base in 16 bits and without log p of −16 or less"
    yield PAIR_CODES["sixteen-bit-base"].mistake(what), terms.sum(axis=1, where=stored > CUTS[0])


def _absolute(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    cause = PAIR_CODES["absolute-differences"]
    yield cause.mistake("Σ p |log p − log q|"), np.abs(logs.terms).sum(axis=1)
    yield cause.mistake("½ Σ p (log p − log q)²", Rarity.VARIANT), 0.5 * (logs.terms * logs.steps).sum(axis=1)


def _forgotten(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    cause = PAIR_CODES["logarithm-forgotten"]
    own = _times(logs.chances, logs.p)
    yield cause.mistake("Σ p (log p − q), q no logarithm"), (own - logs.chances * logs.others).sum(axis=1)
    yield cause.mistake("Σ p (log p − y), y logits"), (own - _times(logs.chances, logs.logits)).sum(axis=1)


def _cut(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    cause = PAIR_CODES["cut-tail"]
    for least in CUTS:
        kept = logs.p > least
        yield cause.mistake(f"the sum over classes with log p > {least:g}"), logs.terms.sum(axis=1, where=kept)
    for floor in FLOORS:
        kept = logs.chances > floor
        what = f"the sum over classes with p > {floor:g}"
        yield cause.mistake(what, Rarity.SEARCHED), logs.terms.sum(axis=1, where=kept)


def _with_epsilon(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    cause = PAIR_CODES["epsilon-in-logarithm"]
    own = _times(logs.chances, logs.p)
    for epsilon in EPSILONS:
        one, two = np.log(logs.chances + epsilon), np.log(logs.others + epsilon)
        least = np.log(epsilon)
        low, high = np.maximum(logs.p, least), np.maximum(logs.q, least)
        raised = ((logs.chances + epsilon) * (one - two)).sum(axis=1)
        ways = {
            f"log((p + ε)/(q + ε)), ε = {epsilon:g}": (logs.chances * (one - two)).sum(axis=1),
            f"log(p/(q + ε)), ε = {epsilon:g}": (own - logs.chances * two).sum(axis=1),
            f"log p and log q of at least log ε, ε = {epsilon:g}": (logs.chances * (low - high)).sum(axis=1),
            f"p and q of at least ε = {epsilon:g}": (np.exp(low) * (low - high)).sum(axis=1),
            f"p + ε and q + ε, ε = {epsilon:g}": raised,
            f"p + ε and q + ε, normalised, ε = {epsilon:g}": raised / (1.0 + logs.p.shape[1] * epsilon),
            f"log q of at least log ε, ε = {epsilon:g}": (own - logs.chances * high).sum(axis=1),
        }
        for what, values in ways.items():
            yield cause.mistake(f"the sum with {what}", Rarity.SEARCHED), values


def _of_most_probable(logs: Logs) -> Iterator[tuple[Mistake, Floats]]:
    """The k most probable classes of the first side: their terms, and their share of both sides, added up."""
    cause, classes = PAIR_CODES["top-k-classes"], logs.p.shape[1]
    kept = [count for count in MOST if count < classes]
    if not kept:
        return
    order = np.argsort(-logs.p, axis=1, kind="stable")[:, : kept[-1]]
    terms, own, theirs = (
        np.cumsum(np.take_along_axis(values, order, axis=1), axis=1)
        for values in (logs.terms, logs.chances, logs.others)
    )
    for count in kept:
        term, p, q = terms[:, count - 1], own[:, count - 1], theirs[:, count - 1]
        ways = {
            "renormalised on both sides": term / p - np.log(p) + np.log(q),
            "renormalised on the first side alone": term / p - np.log(p),
            "renormalised on the second side alone": term + p * np.log(q),
            "as they are": term,
            "the rest as one more class": term + (1.0 - p) * (np.log1p(-p) - np.log1p(-q)),
        }
        for what, values in ways.items():
            yield cause.mistake(f"the sum over the {count:,} most probable classes, {what}", Rarity.SEARCHED), values
