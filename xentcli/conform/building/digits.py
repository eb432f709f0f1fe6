"""The digits of certified gradients: all of a small one, and chosen entries of a large one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.conform.judging.precise import CONTEXT, precise_rows
from xentcli.losses.truth import exact_rows
from xentcli.measuring.case import Case as Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.conform.cases.case import Case, Inputs

WHOLE = 128  # entries of a gradient that is written out
ROWS = 3  # of a large one that are, and the last
BORDERS = (0, 1, 7, 8, 31, 32, 255, 256, 511, 512, 1023, 1024, 4095, 4096, 16383, 16384, 32767, 32768)


def slope_digits(case: Case, inputs: Inputs, digits: int) -> dict[str, Any]:
    """What the corpus says of a case's gradient."""
    if inputs.variable != "logits":
        return {"gradient": [[_text(each, digits) for each in row] for row in _shares(case, inputs)]}
    if inputs.logits.numel() <= WHOLE:
        return {"gradient": [[_text(each, digits) for each in row] for _, row in precise_rows(case, inputs)]}
    chosen = np.zeros(inputs.block.samples, bool)
    chosen[:ROWS] = chosen[-1] = True
    labels = inputs.block.target.reshape(-1).tolist()
    entries = [
        {"row": row, "class": index, "gradient": _text(slopes[index], digits)}
        for row, slopes in precise_rows(case, inputs, chosen)
        for index in _chosen(labels[row], len(slopes))
    ]
    return {"entries": entries}


def _chosen(label: int, classes: int) -> list[int]:
    """The label, its neighbours, and the classes at borders of blocks."""
    near = {label - 1, label, label + 1, classes - 1, *BORDERS}
    return sorted(index for index in near if 0 <= index < classes)


def _text(number: Decimal, digits: int) -> str:
    return f"{number:.{digits - 1}e}"


def _shares(case: Case, inputs: Inputs) -> list[list[Decimal]]:
    """The gradient with respect to the target or the weight, as `judging.shares` defines it, to 60 digits."""
    samples = Samples(inputs.block, case.options)
    upstream = [Fraction(each) for each in ([1.0] if inputs.upstream is None else inputs.upstream.tolist())]
    keep, even = 1 - Fraction(case.label_smoothing), Fraction(case.label_smoothing) / inputs.block.classes
    ones = [1.0] * inputs.block.classes
    weight = [Fraction(each) for each in (ones if inputs.weight is None else inputs.weight.tolist())]
    targets = _targets(inputs)
    rows, losses = [], []
    for row, (logits, _) in exact_rows(inputs.block, case.options):
        surprise = _minus_logs(logits)
        scale = upstream[row if len(upstream) > 1 else 0] / samples.denominator
        share = [keep * each + even for each in targets[row]]
        factors = [keep * each for each in weight] if inputs.variable == "target" else share
        rows.append([_times(scale * each, log) for each, log in zip(factors, surprise, strict=True)])
        losses += [_times(scale * w * q, log) for w, q, log in zip(weight, share, surprise, strict=True)]
    if inputs.variable == "target":
        return rows
    taken = [Fraction(0)] * len(weight)
    if case.reduction == "mean" and inputs.has_labels:
        counted = [each for row, each in targets.items() if samples.counted.reshape(-1)[row]]
        taken = [sum(column, Fraction(0)) / samples.denominator for column in zip(*counted, strict=True)]
    columns = zip(zip(*rows, strict=True), taken, strict=True)
    return [[CONTEXT.subtract(_sum(column), _times(part, _sum(losses))) for column, part in columns]]


def _targets(inputs: Inputs) -> dict[int, list[Fraction]]:
    """The targets as probabilities, one-hot for labels; by row."""
    block = inputs.block
    if block.has_labels:
        return {row: [Fraction(label == index) for index in range(block.classes)]
                for row, label in enumerate(block.target.reshape(-1).tolist())}  # fmt: skip
    rows = block.target.movedim(block.class_dim, -1).reshape(-1, block.classes).tolist()
    return {row: list(map(Fraction, each)) for row, each in enumerate(rows)}


def _minus_logs(logits: Sequence[float]) -> list[Decimal]:
    greatest = Decimal(max(logits))
    gaps = [CONTEXT.subtract(greatest, Decimal(each)) for each in logits]
    whole = _sum([CONTEXT.exp(-gap) for gap in gaps])
    return [CONTEXT.add(CONTEXT.ln(whole), gap) for gap in gaps]


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    return reduce(CONTEXT.add, numbers, Decimal(0))


def _times(factor: Fraction, number: Decimal) -> Decimal:
    return CONTEXT.divide(CONTEXT.multiply(Decimal(factor.numerator), number), Decimal(factor.denominator))
