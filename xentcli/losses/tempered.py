"""The loss at a temperature, and which way it falls: what the best temperature is found and proven by.

With d_c = max x − x_c of a row, y its label and β = 1/T the inverse temperature, the loss and its slope are

    L(β) = log D + β·d_y        L′(β) = d_y − E        D = Σ exp(−β·d_c),  E = Σ d_c·exp(−β·d_c)/D

and L″ = Σ d_c²·exp(−β·d_c)/D − E² ≥ 0: the mean slope rises with β, so that it has one root at most.

In float64, with u = 2⁻⁵³: β·d_c is off by 2u of itself, which moves exp by 2·746·u where it is not 0; exp errs by
E₀ = 8 units, additions by h, the tree's height.  So D is off by k·u, k = 1492 + E₀ + h + 2, and E by twice that,
relatively; what underflows is below C·2⁻¹⁰²²·max d.  The slope is off by 2k·u·E + 3u·(d_y + E) + C·2⁻¹⁰²²·max d, the
loss by k·u + E₀·u·log D + 4u·L.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.class_sums import WORKING_SET, fold
from xentcli.losses.reference import KERNEL, TINY, UNIT
from xentcli.numbers.exactsum import ExactSum
from xentcli.statistics.calibration import Bins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.losses.class_sums import Floats, Integers, Logits

EXPONENT = 1492.0
OUTWARD = 1.0 + 2.0**-20


@dataclass(frozen=True)
class Tempered:
    """Sums over rows at one inverse temperature."""

    slope: ExactSum
    slope_radius: ExactSum
    bend: ExactSum  # L″, for the next step of Newton's method alone
    loss: ExactSum
    loss_radius: ExactSum
    bins: Bins  # of the confidences at this temperature

    def __add__(self, other: Tempered) -> Tempered:
        return Tempered(
            slope=self.slope + other.slope,
            slope_radius=self.slope_radius + other.slope_radius,
            bend=self.bend + other.bend,
            loss=self.loss + other.loss,
            loss_radius=self.loss_radius + other.loss_radius,
            bins=self.bins + other.bins,
        )


def tempered(logits: Logits, labels: Integers, beta: float) -> Tempered:
    """The sums over rows with a label each, [rows, classes] and [rows]; there is at least one row.

    A label whose logit is −inf has an infinite slope, a row without a softmax a NaN.
    """
    step = max(1, WORKING_SET // logits.shape[1])
    with np.errstate(all="ignore"):
        parts = [
            _of_chunk(logits[start : start + step], labels[start : start + step], beta)
            for start in range(0, len(logits), step)
        ]
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total


def _of_chunk(logits: Logits, labels: Integers, beta: float) -> Tempered:
    wide, rows, classes = logits.astype(np.float64), np.arange(len(logits)), logits.shape[1]
    top = logits.argmax(axis=1)
    gaps = wide[rows, top][:, None] - wide
    own = gaps[rows, labels]
    shares = np.exp(-beta * gaps)
    gaps[shares == 0.0] = 0.0  # a masked class adds nothing, though 0·∞ is no number
    farthest = gaps.max(axis=1)
    weighted = gaps * shares
    squares = fold(gaps * weighted)
    mean, total = fold(weighted), fold(shares).copy()
    mean, squares = mean / total, squares / total
    log_sum = np.log(total)
    loss = log_sum + beta * own
    k = (EXPONENT + KERNEL + (classes - 1).bit_length() + 2.0) * UNIT
    of_slope = 2.0 * k * mean + 3.0 * UNIT * (own + mean) + classes * TINY * farthest
    of_loss = k + KERNEL * UNIT * log_sum + 4.0 * UNIT * loss
    confidence = 1.0 / total
    return Tempered(
        slope=ExactSum.of(own - mean),
        slope_radius=ExactSum.of(OUTWARD * of_slope),
        bend=ExactSum.of(squares - mean * mean),
        loss=ExactSum.of(loss),
        loss_radius=ExactSum.of(OUTWARD * of_loss),
        bins=Bins.of(confidence, OUTWARD * confidence * (k + UNIT), top == labels, _ties(logits, own)),
    )


def _ties(logits: Logits, own: Floats) -> NDArray[np.bool_]:
    """Rows whose label has the greatest logit, and is not alone with it."""
    first: NDArray[np.bool_] = own == 0.0
    first[first] = np.count_nonzero(logits[first] == logits[first].max(axis=1, keepdims=True), axis=1) > 1
    return first
