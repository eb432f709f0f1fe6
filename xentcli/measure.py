"""From a block of samples to its facts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.exactsum import ExactSum
from xentcli.facts import (
    NAMED_ROWS,
    Floats,
    Measured,
    PathFacts,
    PathRows,
    RangeFacts,
    Reduced,
    TruthFacts,
    distance,
    infinite_where_nan,
    ratio,
)
from xentcli.losses import library, manual, truth
from xentcli.records import STATUSES, ClassProbability, Sample, Worst, WorstPair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.losses.digits import Interval
    from xentcli.losses.reference import Rows
    from xentcli.policy import Policy
    from xentcli.problem import Block, Options

TOP_CLASSES = 5  # shown of a sample that has more than ALL_CLASSES
ALL_CLASSES = 10


@dataclass(frozen=True)
class Computed:
    """The losses of a block's samples, three times; [rows]."""

    block: Block
    softmax: torch.Tensor  # of the logits' shape
    library: PathRows
    manual: PathRows
    reduced: tuple[Reduced | None, Reduced | None]  # as torch reduces the paths' losses; None where it does not
    truth: Rows | None  # None with --reference off
    exact: Interval | None  # the sum of the finite true losses, where each was enclosed exactly


def measure(
    block: Block, options: Options, policy: Policy, *, whole: bool, shown: int, bits: int | None
) -> Measured:  # fmt: skip
    """All facts of one block.

    whole  the block is the whole input, so that torch's own reduction of it is asked for
    shown  samples below this row are wanted in tables, and the worst ones
    bits   relative precision of the true losses; None is what one float64 pass gives
    """
    computed = compute(block, options, policy, whole=whole, bits=bits)
    counted = block.target != options.ignore_index if block.has_labels else torch.ones(block.sample_shape)
    measured = Measured(
        samples=block.samples,
        ignored=block.samples - int(counted.count_nonzero()),
        weight=_label_weight(block, counted),
        logits=range_of((block.stored or block).logits),
        target=range_of(block.target[counted] if block.has_labels else (block.stored or block).target),
        library=path_facts(computed.library, computed.reduced[0], computed),
        manual=path_facts(computed.manual, computed.reduced[1], computed),
        truth=None if computed.truth is None else _truth_facts(computed.truth, computed.exact),
        stored_truth=_stored_truth(block, options, policy, bits),
        pair=_worst_pair(computed),
    )
    first = range(max(0, min(block.samples, shown - block.first_row)))
    worst = (row - block.first_row for row in measured.worst_rows())
    return replace(measured, shown=tuple(_show(sorted({*first, *worst}), computed, options.ignore_index)))


def compute(block: Block, options: Options, policy: Policy, *, whole: bool, bits: int | None) -> Computed:
    """The losses of a block by both paths, and the truth."""
    softmax = manual.probabilities(block)
    by_library = library.cross_entropy(block, options)
    by_hand = manual.cross_entropy(block, options, softmax)
    rows, exact = (None, None) if policy.reference == "off" else truth.certify(block, options, bits)
    return Computed(
        block=block,
        softmax=softmax,
        library=PathRows(_floats(by_library)),
        manual=PathRows(_floats(by_hand)),
        reduced=_reduce(block, options, by_hand) if whole and options.reduction != "none" else (None, None),
        truth=rows,
        exact=exact,
    )


def _reduce(block: Block, options: Options, by_hand: torch.Tensor) -> tuple[Reduced, Reduced]:
    """Both reduced values, each by the one torch expression that stands for it."""
    by_library = library.cross_entropy(block, options, options.reduction)
    return Reduced(by_library.item()), Reduced(manual.reduce(by_hand, block, options).item())


def range_of(values: torch.Tensor) -> RangeFacts:
    """The extremes of the finite values, and how many are not."""
    if not values.numel():
        return RangeFacts()
    low, high = (float(end) for end in values.aminmax())
    if math.isfinite(low) and math.isfinite(high):
        return RangeFacts(low, high)
    finite = range_of(values[values.isfinite()])
    return replace(finite, nan=int(values.isnan().sum()), infinite=int(values.isinf().sum()))


def path_facts(path: PathRows, reduced: Reduced | None, computed: Computed) -> PathFacts:
    """The facts of one path over a block."""
    if computed.truth is None or path.status is None or path.allowed is None:
        return PathFacts(ExactSum.of(path.values), ExactSum(), Counter(), {}, None, reduced)
    counts = dict(zip(STATUSES, np.bincount(path.status, minlength=len(STATUSES)).tolist(), strict=True))
    named = {status: np.flatnonzero(path.status == code)[:NAMED_ROWS] for code, status in enumerate(STATUSES) if code}
    return PathFacts(
        total=ExactSum.of(path.values),
        allowed=ExactSum.of(path.allowed),
        statuses=Counter({status: count for status, count in counts.items() if count}),
        named={
            status: tuple((rows + computed.block.first_row).tolist()) for status, rows in named.items() if rows.size
        },
        worst=_worst(path, path.allowed, computed.truth, computed.block.first_row),
        reduced=reduced,
    )


def _truth_facts(rows: Rows, exact: Interval | None) -> TruthFacts:
    return TruthFacts(ExactSum.of(rows.loss), ExactSum.of(rows.radius), exact)


def _stored_truth(block: Block, options: Options, policy: Policy, bits: int | None) -> TruthFacts | None:
    """The truth of the numbers before --dtype took digits from them."""
    if block.stored is None or policy.reference == "off":
        return None
    return _truth_facts(*truth.certify(block.stored, options, bits))


def _label_weight(block: Block, counted: torch.Tensor) -> ExactSum:
    """The sum of the weights of the labels that count."""
    if block.weight is None or not block.has_labels:
        return ExactSum()
    return ExactSum.of(_floats(block.weight[block.target[counted]]))


def _worst(path: PathRows, allowed: Floats, rows: Rows, first_row: int) -> Worst | None:
    if not path.values.size:
        return None
    error = distance(path.values, rows.loss)
    row = int(np.argmax(ratio(error, allowed)))
    numbers = (float(values[row]) for values in (path.values, error, allowed, rows.loss))
    return Worst(row + first_row, *numbers)


def _worst_pair(computed: Computed) -> WorstPair | None:
    """The sample where the two paths are furthest apart; the first of several."""
    left, right = computed.library.values, computed.manual.values
    if not left.size:
        return None
    row = int(np.argmax(infinite_where_nan(distance(left, right))))
    reference = None if computed.truth is None else float(computed.truth.loss[row])
    return WorstPair(row + computed.block.first_row, float(left[row]), float(right[row]), reference)


def _show(rows: list[int], computed: Computed, ignore_index: int) -> Iterable[Sample]:
    """The samples at these rows of the block as tables show them."""
    block = computed.block
    index = np.unravel_index(rows, block.sample_shape) if block.sample_shape else ()
    probabilities = computed.softmax.movedim(block.class_dim, -1)[index].reshape(len(rows), -1)  # [chosen, C]
    labels = block.target.reshape(-1)[rows].tolist() if block.has_labels else [None] * len(rows)
    lower, upper = _ends(computed.truth, rows)
    for at, (row, label) in enumerate(zip(rows, labels, strict=True)):
        has_label = label is not None and label != ignore_index
        yield Sample(
            row=row + block.first_row,
            label=label,
            ignored=label == ignore_index,
            probability=float(probabilities[at, label]) if has_label else None,
            library=float(computed.library.values[row]),
            manual=float(computed.manual.values[row]),
            lower=lower[at],
            upper=upper[at],
            probabilities=_most_probable(probabilities[at]),
        )


def _ends(rows: Rows | None, chosen: list[int]) -> tuple[list[float | None], list[float | None]]:
    """The enclosures of the chosen rows."""
    if rows is None:
        return [None] * len(chosen), [None] * len(chosen)
    return rows.lower[chosen].tolist(), rows.upper[chosen].tolist()


def _most_probable(probabilities: torch.Tensor) -> tuple[ClassProbability, ...]:
    count = len(probabilities) if len(probabilities) <= ALL_CLASSES else TOP_CLASSES
    values, classes = probabilities.topk(count)
    return tuple(ClassProbability(index, value) for index, value in zip(classes.tolist(), values.tolist(), strict=True))


def _floats(values: torch.Tensor) -> Floats:
    """As float64, [rows]."""
    widened: Floats = values.detach().reshape(-1).double().cpu().numpy()
    return widened
