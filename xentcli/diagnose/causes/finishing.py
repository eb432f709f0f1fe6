"""Mistakes after the samples' losses are known: what they are divided by, and in which unit the result is told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.diagnose.causes.divisors import misdivided
from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.rounding import HALVES, stored_in
from xentcli.diagnose.causes.sums import Sums, quotient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.setting import Setting
    from xentcli.numbers.precision import Precision

BITS = Mistake("bits", "the loss in bits, divided by ln 2", "the loss is in nats: multiply by ln 2 = 0.693147")
BASE10 = Mistake("base10", "the loss by logarithms of base 10", "the loss is in nats: multiply by ln 10 = 2.302585")
PERPLEXITY = Mistake("perplexity", "the perplexity, exp(loss)", "this is no loss: take its natural logarithm")
BASE2 = Mistake(
    "perplexity-base2",
    "2^loss, a wrong perplexity, as the loss is in nats",
    "the perplexity of a loss in nats is exp(loss)",
)
EXP_OF_BITS = Mistake(
    "perplexity-base2",
    "exp of the loss in bits, a wrong perplexity",
    "the perplexity of a loss in bits is 2^loss; of one in nats, exp(loss)",
)
NEGATED = Mistake("negated", "the loss with the other sign: the mean log-likelihood", "the loss is its negative")

FOCAL_OF_MEAN = Mistake(
    "focal",
    "the focal loss made of the mean loss, (1 − e^−L)²·L, instead of each sample's",
    'take it of each sample: ce = F.cross_entropy(logits, labels, reduction="none")',
    Rarity.VARIANT,
)
COUNT_BYTES = "divide by the bytes of the text: losses.sum() / math.log(2) / len(text.encode())"
FOUR_BYTES = Mistake(
    "bytes-for-tokens", "the loss in bits, divided by 4 as if every token had 4 bytes", COUNT_BYTES, Rarity.VARIANT
)
TOKENS = Mistake(
    "bytes-for-tokens", "the bits of a token called bits of a byte, as tokens were counted", COUNT_BYTES, Rarity.VARIANT
)


def finished(value: float, setting: Setting) -> Iterator[tuple[Mistake, float]]:
    """The same loss, told otherwise."""
    yield BITS, value / math.log(2.0)
    yield BASE10, value / math.log(10.0)
    yield PERPLEXITY, power(math.e, value)
    yield BASE2, power(2.0, value)
    yield EXP_OF_BITS, power(math.e, value / math.log(2.0))
    yield NEGATED, -value
    if value > 0.0:
        yield FOCAL_OF_MEAN, value * math.expm1(-value) ** 2
    if setting.inner > 1 and setting.reduction == "mean":
        yield FOUR_BYTES, value / math.log(16.0)
        yield TOKENS, value / math.log(2.0)
    for precision in HALVES:
        if setting.precision.bits > precision.bits:
            yield stored(precision), stored_in(precision, value)


def divided(sums: Sums, setting: Setting) -> Iterator[tuple[Mistake, float]]:
    """The same losses, otherwise divided or weighed."""
    if setting.reduction == "mean":
        yield from _instead_of_mean(sums, setting)
    else:
        yield _mean("the samples that count", sums.counted), quotient(sums.total, sums.counted)
        if setting.has_weight:
            yield _mean("their total weight", sums.weight), quotient(sums.total, sums.weight)
            yield _forgotten("sum"), sums.plain
        if sums.counted != sums.samples:
            yield _mean("all samples", sums.samples, Rarity.VARIANT), quotient(sums.total, sums.samples)


def _instead_of_mean(sums: Sums, setting: Setting) -> Iterator[tuple[Mistake, float]]:
    yield _sum(sums.counted), sums.total
    if setting.has_weight:
        of_labels = setting.has_labels
        yield _denominator(sums, of_labels), quotient(sums.total, sums.counted if of_labels else sums.weight)
        yield _forgotten("mean"), quotient(sums.plain, sums.counted if of_labels else sums.samples)
        yield _forgotten("sum", Rarity.VARIANT), sums.plain
    if sums.counted != sums.samples:
        yield _all_samples(sums), quotient(sums.total, sums.samples)
    yield from misdivided(sums, setting)


def power(base: float, exponent: float) -> float:
    """base^exponent, infinite where it overflows."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def _sum(count: int) -> Mistake:
    return Mistake(
        "sum-instead-of-mean",
        f"the sum of the {count:,} losses",
        'reduction="mean", or --reduction sum if the sum is meant',
    )


def _mean(over: str, divisor: float, rarity: Rarity = Rarity.COMMON) -> Mistake:
    return Mistake(
        "mean-instead-of-sum",
        f"the mean over {over}, {divisor:,.7g}, where the sum was asked for",
        'reduction="sum", or --reduction mean if the mean is meant',
        rarity,
    )


def _denominator(sums: Sums, of_labels: bool) -> Mistake:
    right, wrong = (f"{sums.weight:.7g}, the labels' total weight", f"{sums.counted:,}, the number of samples")
    if not of_labels:
        right, wrong = f"{sums.samples:,}, the number of samples", f"{sums.weight:.7g}, the total weight"
    return Mistake(
        "weighted-mean-denominator",
        f"the weighted sum of the losses divided by {wrong}",
        f"torch divides by {right}",
    )


def _forgotten(reduction: str, rarity: Rarity = Rarity.COMMON) -> Mistake:
    return Mistake(
        "weights-forgotten",
        f"the {reduction} of the losses without class weights",
        "--weight FILE, and F.cross_entropy(..., weight=weight)",
        rarity,
    )


def _all_samples(sums: Sums) -> Mistake:
    return Mistake(
        "ignored-in-denominator",
        f"the sum of the {sums.counted:,} losses that count divided by all {sums.samples:,} samples",
        f"divide by the samples that count: losses.sum() / (labels != ignore_index).sum(), here {sums.counted:,}",
    )


def stored(precision: Precision) -> Mistake:
    """The result in fewer digits."""
    return Mistake(
        "low-precision",
        f"the loss stored in {precision.name}",
        "keep the loss in float32: loss.float() comes too late, compute it so",
        Rarity.VARIANT,
    )
