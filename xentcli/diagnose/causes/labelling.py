"""Mistakes about the labels: counted from one, shifted along the sequence, ignored or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Bools, Chunk, Integers
    from xentcli.diagnose.causes.setting import Setting

SHIFTS = (1, -1, 2, -2)


def relabelled(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with other labels."""
    if chunk.setting.has_labels:
        yield from _one_based(chunk)
        yield from _shifted(chunk)


def recounted(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with other samples ignored."""
    setting = chunk.setting
    if not setting.has_labels:
        return
    for value in dict.fromkeys((0, setting.most_frequent, setting.classes - 1)):
        counted = chunk.counted & (chunk.labels != value)
        yield undeclared(value, setting), chunk.scored(chunk.scores, counted=counted)
    everything = np.ones(len(chunk.counted), bool)
    for value in scored_as(setting):
        labels = np.where(chunk.counted, chunk.labels, value)
        yield counted_as(value, setting), chunk.scored(chunk.scores, labels, everything)
    masked = chunk.losses(chunk.scores, chunk.labels, setting.weight) * chunk.counted  # NaN times 0 is NaN
    yield MULTIPLIED, Sums(float(np.sum(masked)), weight=chunk.summed(masked).weight, samples=len(masked))


def scored_as(setting: Setting) -> list[int]:
    """The classes that an ignored label may be taken for, the likely ones first."""
    wrapped = setting.ignore_index % setting.classes
    likely = [setting.ignore_index] if 0 <= setting.ignore_index < setting.classes else [0, wrapped]
    return list(dict.fromkeys([*likely, setting.classes - 1]))


MULTIPLIED = Mistake(
    "ignored-counted",
    "the loss with the ignored samples multiplied by 0, which makes NaN of a NaN or an infinity",
    "choose the samples that count, losses[mask], instead of multiplying losses * mask",
)


def counted_as(value: int, setting: Setting) -> Mistake:
    """The ignored samples scored as this class."""
    first = value == scored_as(setting)[0]
    return Mistake(
        "ignored-counted",
        f"the loss with the samples of the ignored label {setting.ignore_index} scored as class {value}",
        f"F.cross_entropy(..., ignore_index={setting.ignore_index})",
        Rarity.COMMON if first else Rarity.VARIANT,
    )


def undeclared(value: int, setting: Setting) -> Mistake:
    """The samples of this label left out."""
    also = "" if setting.ignore_index < 0 else f" and label {setting.ignore_index}"
    return Mistake(
        "ignored-counted",
        f"the loss without the samples of label {value}{also}",
        f"is {value} padding? --ignore-index {value}",
        Rarity.COMMON if value == 0 else Rarity.VARIANT,
    )


def _one_based(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    classes = chunk.setting.classes
    for mistake, step, wraps in ONE_BASED:
        labels = (chunk.labels + step) % classes
        outside = (chunk.labels + step < 0) | (chunk.labels + step >= classes)
        yield mistake, chunk.scored(chunk.scores, labels, chunk.counted & (wraps | ~outside))


def _shifted(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    for step in SHIFTS:
        for rolled in (False, True):
            labels, inside = neighbours(chunk, step)
            counted = labels != chunk.setting.ignore_index
            counted &= inside | rolled
            sums = chunk.scored(chunk.scores, np.where(counted, labels, 0), counted)
            yield shifted_by(step, rolled), sums if rolled else replace(sums, samples=int(np.count_nonzero(inside)))
            if not rolled and abs(step) == 1:
                yield counted_before(step), replace(sums, weight=chunk.summed(chunk.nats).weight)


def neighbours(chunk: Chunk, step: int) -> tuple[Integers, Bools]:
    """The labels `step` positions on in each sequence, from the other end beyond its own, and which are inside."""
    length = chunk.setting.sequence
    rows = chunk.first_row + np.arange(len(chunk.rows))
    position = rows % length
    wanted = rows - position + (position + step) % length
    labels: Integers = chunk.setting.labels[wanted].astype(np.int64)
    return labels, (position + step >= 0) & (position + step < length)


def shifted_by(step: int, rolled: bool) -> Mistake:
    """Each label replaced by another of its sequence."""
    count = "one position" if abs(step) == 1 else "two positions"
    where = "late" if step > 0 else "early"
    ends = "the ends rolled round" if rolled else "the positions at the ends left out"
    return Mistake(
        "labels-shifted",
        f"the loss with each label {count} too {where}, {ends}",
        "shift once: logits[:, :-1] against tokens[:, 1:], or let the model do it, not both",
        Rarity.COMMON if abs(step) == 1 and not rolled else Rarity.VARIANT,
    )


def counted_before(step: int) -> Mistake:
    """The same sum over the samples of all labels."""
    plain = shifted_by(step, rolled=False)
    what = f"{plain.what}, divided by the samples that counted before the shift"
    return replace(
        plain, what=what, remedy="count after the shift: (labels[:, 1:] != -100).sum()", rarity=Rarity.VARIANT
    )


def _off_by_one(step: int, wraps: bool) -> Mistake:
    sign = "1 added to" if step > 0 else "1 subtracted from"
    ends = "one beyond the classes taken from the other end" if wraps else "those beyond the classes left out"
    return Mistake(
        "labels-one-based",
        f"the loss with {sign} every label, {ends}",
        f"labels are 0 to C − 1: labels {'−' if step > 0 else '+'} 1",
        Rarity.COMMON if wraps else Rarity.VARIANT,
    )


ONE_BASED = [(_off_by_one(step, wraps), step, wraps) for wraps in (True, False) for step in (1, -1)]
