"""Mistakes that end in an infinity or NaN: exponentials and probabilities that a format cannot hold, masked classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake
from xentcli.numbers.precision import FLOAT16, FLOAT32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats
    from xentcli.numbers.precision import Precision

MASKED_PRODUCT = Mistake(
    "masked-product",
    "the sum of one-hot × log p over all classes, where a masked class makes 0 times an infinity",
    "choose the label's log p instead of multiplying: log_p.gather(1, labels[:, None])",
)


def overflowing(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The losses with an infinity or NaN wherever the way of computing them ends in one."""
    if not chunk.setting.has_labels:
        return
    right = chunk.right
    masked = np.isneginf(chunk.rows).any(axis=1) & np.isfinite(right)
    yield MASKED_PRODUCT, chunk.summed(np.where(masked, np.nan, right))
    label = chunk.rows[np.arange(len(right)), chunk.labels]
    for precision in dict.fromkeys((chunk.setting.precision, FLOAT32, FLOAT16)):
        if precision.bits <= chunk.setting.precision.bits:
            gone = chunk.scores.at(chunk.labels) > -_least(precision)
            yield underflow(precision), chunk.summed(np.where(gone, np.inf, right))
            yield unshifted_softmax(precision), chunk.summed(_softmax(chunk.log_sum, label, right, precision))
            yield unshifted_sum(precision), chunk.summed(_log_sum(chunk.log_sum, right, precision))


def underflow(precision: Precision) -> Mistake:
    """A probability that becomes 0."""
    return Mistake(
        "softmax-underflow",
        f"−log(softmax(x)) in {precision.name}, where a probability below {precision.smallest:.2g} becomes 0",
        "take F.log_softmax(logits, dim=1) or F.cross_entropy: no probability is made that could underflow",
    )


def unshifted_softmax(precision: Precision) -> Mistake:
    """exp(x) / Σ exp(x) as it stands in the book."""
    return Mistake(
        "exp-overflow",
        f"−log(exp(x) / Σ exp(x)) in {precision.name}, which holds no exponential of a logit above "
        f"{math.log(precision.largest):.4g}",
        "take the row's maximum off the logits first, as torch.softmax does",
    )


def unshifted_sum(precision: Precision) -> Mistake:
    """log Σ exp(x) as it stands in the book."""
    return Mistake(
        "exp-overflow",
        f"log(Σ exp(x)) − x[y] in {precision.name}, which holds no exponential of a logit above "
        f"{math.log(precision.largest):.4g}",
        "torch.logsumexp takes the row's maximum off first",
    )


def _least(precision: Precision) -> float:
    """The logarithm of the greatest number that rounds to 0."""
    return (precision.least_exponent - 1) * math.log(2.0)


def _log_sum(log_sum: Floats, right: Floats, precision: Precision) -> Floats:
    high, low = log_sum > math.log(precision.largest), log_sum < _least(precision)
    return np.where(high, np.inf, np.where(low, -np.inf, right))


def _softmax(log_sum: Floats, label: Floats, right: Floats, precision: Precision) -> Floats:
    largest, smallest = math.log(precision.largest), _least(precision)
    undefined = (label > largest) | (log_sum < smallest)  # inf / inf, or 0 / 0
    zero = (log_sum > largest) | (label < smallest)
    return np.where(undefined, np.nan, np.where(zero, np.inf, right))
