"""Ways to get −log p of every class: the right one, and what mistakes make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from xentcli.measuring.facts import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

Elementwise = Callable[[Floats], Floats]


class Scores(Protocol):
    """−log p of each class of some rows, right or wrong."""

    def at(self, labels: NDArray[np.int64]) -> Floats:
        """That of one class of each row; [rows]."""
        ...

    def contract(self, coefficients: Floats) -> Floats:
        """Σ_c a_c·(−log p_c), with a of shape [classes] or [rows, classes]; [rows]."""
        ...


@dataclass(frozen=True, eq=False)
class Shifted:
    """base − value: a row's logarithm of a sum of exponentials less the class's logit."""

    base: Floats  # [rows]
    values: Floats  # [rows, classes]

    def at(self, labels: NDArray[np.int64]) -> Floats:
        return self.base - entry(self.values, labels)

    def contract(self, coefficients: Floats) -> Floats:
        if coefficients.ndim == 1:
            sums: Floats = self.base * coefficients.sum() - self.values @ coefficients
            return sums
        products: Floats = coefficients.sum(axis=1) * self.base - (coefficients * self.values).sum(axis=1)
        return products


@dataclass(frozen=True, eq=False)
class Scaled:
    """base − factor·value: the same of logits that were multiplied."""

    base: Floats  # [rows]
    values: Floats  # [rows, classes]
    factor: float

    def at(self, labels: NDArray[np.int64]) -> Floats:
        return self.base - self.factor * entry(self.values, labels)

    def contract(self, coefficients: Floats) -> Floats:
        return Shifted(self.base, self.factor * self.values).contract(coefficients)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A function of each class's number alone."""

    function: Elementwise
    values: Floats  # [rows, classes]

    def at(self, labels: NDArray[np.int64]) -> Floats:
        return self.function(entry(self.values, labels))

    def contract(self, coefficients: Floats) -> Floats:
        sums: Floats = (coefficients * self.function(self.values)).sum(axis=1)
        return sums


@dataclass(frozen=True, eq=False)
class Turned:
    """A function of each class's log p alone, which is made only of the classes that are asked for."""

    function: Elementwise
    scores: Shifted

    def at(self, labels: NDArray[np.int64]) -> Floats:
        return self.function(-self.scores.at(labels))

    def contract(self, coefficients: Floats) -> Floats:
        return Mapped(self.function, self.scores.values - self.scores.base[:, None]).contract(coefficients)


@dataclass(frozen=True, eq=False)
class Rounded:
    """base − value with both and the difference rounded to a format."""

    base: Floats  # [rows], unrounded
    values: Floats  # [rows, classes], of the format
    rounding: Elementwise

    def at(self, labels: NDArray[np.int64]) -> Floats:
        return self.rounding(self.rounding(self.base) - entry(self.values, labels))

    def contract(self, coefficients: Floats) -> Floats:
        differences = self.rounding(self.rounding(self.base)[:, None] - self.values)
        sums: Floats = (coefficients * differences).sum(axis=1)
        return sums


def entry(values: Floats, labels: NDArray[np.int64]) -> Floats:
    """One number of each row; [rows]."""
    chosen: Floats = values[np.arange(len(values)), labels]
    return chosen


def softmax_scores(logits: Floats) -> Shifted:
    """The right one, of these logits: log Σ exp(x) − x, both less the row's maximum.  [rows, classes]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return Shifted(np.log(np.exp(shifted).sum(axis=1)), shifted)
