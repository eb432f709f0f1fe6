"""Mistakes of a divisor: by the classes too, twice, not at all, or by another number that the input has."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.diagnose.causes.groups import BATCHES
from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.sums import quotient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.diagnose.causes.setting import Setting
    from xentcli.diagnose.causes.sums import Sums

STEPS = dict.fromkeys((4, 2, 8), Rarity.COMMON) | dict.fromkeys((16, 32, 64), Rarity.VARIANT)


def misdivided(sums: Sums, setting: Setting) -> Iterator[tuple[Mistake, float]]:
    """The same losses divided by another number, the likely ones first."""
    value = sums.reduced(setting)
    if setting.reduction != "mean":
        return
    yield over_classes(setting.classes), quotient(value, setting.classes)
    yield twice(sums.counted, ""), quotient(value, sums.counted)
    if setting.inner > 1:
        yield twice(setting.entries, "of the batch"), quotient(value, setting.entries)
    if setting.inner > 1 and setting.entries > 1:
        yield per_sequence(setting.entries), quotient(sums.total, setting.entries)
    for steps, rarity in STEPS.items():
        if steps != sums.counted:  # that is the sum
            yield undivided(steps, rarity), value * steps


def by_own_numbers(sums: Sums, setting: Setting, known: Iterable[float]) -> Iterator[tuple[Mistake, float]]:
    """The right value times every ratio of two of the input's own numbers, but for values that are known already."""
    value = sums.reduced(setting)
    told = {_shortened(each) for each in (value, *known)}
    for ratio, why in ratios(sums, setting):
        other = value * float(ratio)
        if _shortened(other) not in told:
            told.add(_shortened(other))
            yield times(ratio, why, setting.reduction), other
    if setting.has_weight and setting.reduction == "mean":
        whole = float(setting.weight.sum())
        yield over_weights(whole), quotient(sums.total, whole)


def _shortened(value: float) -> str:
    """A value without the digits that rounding changes."""
    return f"{value:.12g}"


def ratios(sums: Sums, setting: Setting) -> Iterator[tuple[Fraction, str]]:
    """Ratios and what they are made of: one number alone first, then two, then batches of usual sizes."""
    numbers = named_numbers(sums, setting)
    for name, number in numbers.items():
        yield from ((Fraction(1, number), f"{name} = {number:,}"), (Fraction(number), f"{name} = {number:,}"))
    for over, above in numbers.items():
        for under, below in numbers.items():
            yield Fraction(above, below), f"{over} = {above:,} and {under} = {below:,}"
    if setting.reduction == "mean" and sums.weight == sums.counted:
        for batch in BATCHES:
            yield (
                Fraction(sums.counted, batch),
                f"the sum of {sums.counted:,} losses was divided by a batch of {batch:,}",
            )


def named_numbers(sums: Sums, setting: Setting) -> dict[str, int]:
    """The numbers that somebody may divide by, under the names that reports and torch give them."""
    numbers = {
        "C": setting.classes,
        "N": sums.counted,
        "B": setting.entries if setting.inner > 1 else 0,
        "T": setting.sequence if setting.inner > 1 else 0,
        "all samples": sums.samples,
        "ignored": sums.samples - sums.counted,
        "C − 1": setting.classes - 1,
        "N − 1": sums.counted - 1,
        "T − 1": setting.sequence - 1 if setting.inner > 1 else 0,
        "B·(T − 1)": setting.entries * (setting.sequence - 1) if setting.inner > 1 else 0,
    }
    return {name: number for name, number in numbers.items() if number > 1}


def over_classes(classes: int) -> Mistake:
    """The mean of all entries of one-hot × log p."""
    return Mistake(
        "mean-over-classes",
        f"the true mean × 1/{classes:,}: the losses divided by N·C, and C = {classes:,}",
        "add up over the classes, average over the samples: -(one_hot * log_p).sum(1).mean(), not .mean()",
    )


def twice(count: int, of: str) -> Mistake:
    """A mean that is divided once more."""
    return Mistake(
        "averaged-twice",
        f"the mean divided by the {count:,} samples{f' {of}' if of else ''} once more",
        'divide once: F.cross_entropy(logits, labels) is the mean already; before dividing, reduction="sum"',
    )


def per_sequence(entries: int) -> Mistake:
    """The sum over positions, averaged over sequences or images alone."""
    return Mistake(
        "sum-per-sequence",
        f"the sum of the losses divided by the {entries:,} entries of the batch, not by their positions",
        "divide by the positions that count: losses.sum() / (labels != ignore_index).sum()",
    )


def undivided(steps: int, rarity: Rarity) -> Mistake:
    """Means of micro-batches, added up."""
    return Mistake(
        "not-divided-by-steps",
        f"{steps} times the loss, as {steps} accumulation steps add up to whose losses were not divided by {steps}",
        f"(loss / {steps}).backward() in each step, and the mean of the {steps} losses in the log",
        rarity,
    )


def times(ratio: Fraction, why: str, reduction: str) -> Mistake:
    """A ratio of the input's own numbers."""
    return Mistake(
        "wrong-divisor",
        f"the true {reduction} × {told_as(ratio)}, and {why}",
        "divide by what is counted: losses.sum() / (labels != ignore_index).sum()",
        Rarity.SEARCHED,
    )


def told_as(ratio: Fraction) -> str:
    """A ratio in digits: 1/3, 24."""
    return f"{ratio.numerator:,}" if ratio.denominator == 1 else f"{ratio.numerator:,}/{ratio.denominator:,}"


def over_weights(total: float) -> Mistake:
    """The weights of the classes for those of the samples."""
    return Mistake(
        "wrong-divisor",
        f"the weighted sum of the losses divided by {total:.7g}, the sum of the class weights",
        "torch divides by the weights of the labels: weight[labels].sum()",
        Rarity.VARIANT,
    )
