"""From a block of samples to its facts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.bounds.classify import WITHIN
from xentcli.losses.machine import subnormals_kept
from xentcli.measuring.case import Case, floats
from xentcli.measuring.each_row import EachRow
from xentcli.measuring.facts import (
    NAMED_ROWS,
    Floats,
    Measured,
    PathFacts,
    PathRows,
    RangeFacts,
    StoredFacts,
    TruthFacts,
    Unlikely,
    distance,
    infinite_where_nan,
    ratio,
)
from xentcli.measuring.inspect import inspect, look_closely
from xentcli.measuring.paths import certify, compute
from xentcli.measuring.predictions import columns_kept, predictions_of
from xentcli.measuring.row_sums import SHARES, row_sums
from xentcli.measuring.scores import scores_of
from xentcli.numbers.checksum import Checksum
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.report import STATUSES, ClassProbability, Sample, Worst, WorstPair
from xentcli.records.samples import FIELDS, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from xentcli.losses.reference import Rows
    from xentcli.measuring.each_row import Gathered
    from xentcli.measuring.paths import Computed, Part, Truth
    from xentcli.measuring.row_sums import RowSums
    from xentcli.measuring.scores import Scores
    from xentcli.measuring.traits import Traits
    from xentcli.question.policy import Policy
    from xentcli.records.samples import Table

TOP_CLASSES = 5  # shown of a sample that has more than ALL_CLASSES
ALL_CLASSES = 10


def measure(
    part: Part,
    policy: Policy,
    *,
    shown: int,
    bits: int | None,
    as_rows: bool = False,
    gathered: Gathered | None = None,
) -> Measured:
    """All facts of one block.

    shown     samples below this row are wanted in tables, and the worst ones
    bits      relative precision of the true losses; None is what one float64 pass gives
    as_rows   whether what metrics keep of each row is to be put beside other rows, or other numbers of these
    gathered  where they are kept else; None is in memory of the block's own
    """
    _ = part.case.model  # of the kernels as this thread has them, which flushes perhaps
    with subnormals_kept():
        computed = compute(part, policy, bits=bits)
        predictions = _rows_kept(computed, policy) if as_rows else _columns_kept(computed, policy, gathered)
        return replace(_measured(part, computed, policy, shown=shown, bits=bits), **predictions)


def _measured(part: Part, computed: Computed, policy: Policy, *, shown: int, bits: int | None) -> Measured:
    case = computed.case
    block, stored = case.block, case.block.stored or case.block
    logits = range_of(stored.untransformed.logits)
    facts = None if computed.truth is None else truth_facts(computed.truth)
    measured = Measured(
        samples=block.samples,
        ignored=case.ignored,
        divisor=case.divisor,
        divisor_size=case.divisor_size,
        logits=logits,
        target=range_of(block.target[case.counted] if case.ignored else stored.target),
        library=path_facts(computed.library, computed),
        manual=path_facts(computed.manual, computed),
        truth=facts,
        stored=None if computed.truth is None else _stored_facts(case, bits),
        pair=_worst_pair(computed),
        traits=None if facts is None else _traits(computed, logits, facts),
        scores=_scores(computed),
    )
    first = range(max(0, min(block.samples, shown - block.first_row)))
    worst = (row - block.first_row for row in measured.worst_rows())
    every = (_table(slice(None), computed, computed.chance),) if case.options.reduction == "none" else ()
    return replace(
        measured,
        shown=tuple(_show(sorted({*first, *worst}), computed)),
        row_sums=_row_sums(computed),
        label_sums=part.label_sums() if part.streamed or computed.truth is not None else None,
        tables=every,
        addends=part.addends(),
        checksums=block.checksums,
        allowances=(computed.library.allowed,)
        if policy.keeps_allowances and computed.library.allowed is not None
        else (),
    )


def _traits(computed: Computed, logits: RangeFacts, facts: TruthFacts) -> Traits:
    truth = computed.truth
    assert truth is not None
    return inspect(computed.case, truth.terms, truth.rows, logits, None if facts.exact else facts.middle)


def _scores(computed: Computed) -> Scores | None:
    truth = computed.truth
    if truth is None:
        return None
    return scores_of(computed.case.block, truth.terms, truth.of_cross_entropy, alone=truth.log_sums is None)


def _row_sums(computed: Computed) -> RowSums | None:
    given, truth = computed.case.block.given, computed.truth
    if given not in SHARES or truth is None:
        return None
    return row_sums(given, truth.terms, ~truth.rows.ignored, computed.case.block.first_row)


def _columns_kept(computed: Computed, policy: Policy, gathered: Gathered | None) -> dict[str, Any]:
    """What metrics are made of, with columns of what they ask of each row."""
    if not policy.metrics or computed.truth is None:
        return {}
    terms, rows, first_row = computed.truth.terms, computed.truth.rows, computed.case.block.first_row
    count = int(np.count_nonzero(~rows.ignored))
    each = EachRow.empty(count, rows.classes) if gathered is None else gathered.at(first_row, count)
    found = predictions_of(terms, rows, first_row, policy.worst, each.columns)
    each.total.add(each.losses)
    return {"predictions": found, "each_row": (each,)}


def _rows_kept(computed: Computed, policy: Policy) -> dict[str, Any]:
    """The same with rows of `COLUMNS`, and their checksum where they are saved."""
    if not policy.metrics or computed.truth is None:
        return {}
    terms, rows, first_row = computed.truth.terms, computed.truth.rows, computed.case.block.first_row
    names = columns_kept(scored=policy.keeps_scores)
    ordered = np.empty((np.count_nonzero(~rows.ignored), len(names)))
    found = predictions_of(terms, rows, first_row, policy.worst, dict(zip(names, ordered.T, strict=True)))
    if not found.brier.total.is_finite:
        ordered[np.isnan(ordered)] = np.nan  # of several, which come as the vectors of a block go
    kept = None if computed.case.block.checksums is None else Checksum.of(ordered)
    return {"predictions": found, "ordered": (ordered,), "kept": kept}


def measure_head(case: Case) -> Traits:
    """What is asked of the first samples of an input alone, as a block of their own."""
    return look_closely(case, range_of((case.block.stored or case.block).logits))


def range_of(values: torch.Tensor) -> RangeFacts:
    """The extremes of the finite values, and how many are not."""
    if not values.numel():
        return RangeFacts()
    low, high = (float(end) + 0.0 for end in values.aminmax())  # one zero, whichever of both comes first
    if math.isfinite(low) and math.isfinite(high):
        return RangeFacts(low, high)
    finite = range_of(values[values.isfinite()])
    return replace(finite, nan=int(values.isnan().sum()), infinite=int(values.isinf().sum()))


def path_facts(path: PathRows, computed: Computed) -> PathFacts:
    """The facts of one path over a block."""
    if computed.truth is None or path.status is None or path.allowed is None:
        return PathFacts(ExactSum.of(path.values), ExactSum(), Counter(), {}, None, ExactSum())
    counts = dict(zip(STATUSES, np.bincount(path.status, minlength=len(STATUSES)).tolist(), strict=True))
    others = [(code, status) for code, status in enumerate(STATUSES) if code and counts[status]]
    named = {status: np.flatnonzero(path.status == code)[:NAMED_ROWS] for code, status in others}
    return PathFacts(
        total=ExactSum.of(path.values),
        allowed=ExactSum.of(path.allowed),
        statuses=Counter({status: count for status, count in counts.items() if count}),
        named={status: tuple((rows + computed.case.block.first_row).tolist()) for status, rows in named.items()},
        worst=_worst(path, path.allowed, computed.truth.rows, computed.case.block.first_row),
        magnitude=ExactSum() if path.magnitude is None else ExactSum.of(path.magnitude),
        greatest=float(path.allowed.max(initial=0.0)),
        unlikely=_unlikely(path, computed.truth.rows, computed.case.block.first_row),
    )


def _unlikely(path: PathRows, rows: Rows, first_row: int) -> Unlikely:
    """The rows that are right, though random rounding hardly makes such an error."""
    if path.probable is None:
        return Unlikely()
    error = distance(path.values, rows.loss) - rows.radius
    times = np.where(path.status == WITHIN, ratio(error, path.probable), 0.0)
    found = np.flatnonzero(times > 1.0)
    if not found.size:
        return Unlikely()
    return Unlikely(found.size, tuple((found[:NAMED_ROWS] + first_row).tolist()), float(times.max()))


def truth_facts(truth: Truth) -> TruthFacts:
    """The sums of a block's enclosures: of those in float64, and of the exact ones."""
    unbounded = 0 if truth.rows.unbounded is None else int(truth.rows.unbounded.sum())
    if truth.exact is None:
        return TruthFacts(ExactSum.of(truth.rows.loss), ExactSum.of(truth.rows.radius), None, unbounded)
    others = truth.rows.rows(np.flatnonzero(~truth.exactly).tolist())
    return TruthFacts(ExactSum.of(others.loss), ExactSum.of(others.radius), truth.exact, unbounded)


def _stored_facts(case: Case, bits: int | None) -> StoredFacts | None:
    """The truth of the numbers before a cast took digits from them."""
    if case.block.stored is None:
        return None
    stored = Case(case.block.stored, case.options)
    return StoredFacts(truth_facts(certify(stored, bits)), stored.divisor)


def _worst(path: PathRows, allowed: Floats, rows: Rows, first_row: int) -> Worst | None:
    if not path.values.size:
        return None
    error = distance(path.values, rows.loss)
    row = int(np.argmax(ratio(error, allowed)))
    value = float(path.values[row])
    limit = float(allowed[row]) if math.isfinite(value) else None  # no infinity is allowed by size
    return Worst(row + first_row, value, float(error[row]), limit, float(rows.loss[row]))


def _worst_pair(computed: Computed) -> WorstPair | None:
    """The sample where the two paths are furthest apart; the first of several."""
    left, right = computed.library.values, computed.manual.values
    if not left.size:
        return None
    row = int(np.argmax(infinite_where_nan(distance(left, right))))
    reference = None if computed.truth is None else float(computed.truth.rows.loss[row])
    return WorstPair(row + computed.case.block.first_row, float(left[row]), float(right[row]), reference)


def _show(rows: list[int], computed: Computed) -> Iterator[Sample]:
    """The samples at these rows of the block as tables show them."""
    if not rows:
        return
    softmax = computed.probabilities(rows)  # [chosen, C]
    for sample, probabilities in zip(
        records(_table(rows, computed, _chances(softmax, rows, computed))), softmax, strict=True
    ):
        yield replace(sample, probabilities=_most_probable(probabilities))


def _chances(softmax: torch.Tensor, rows: list[int], computed: Computed) -> torch.Tensor | None:
    """The probability of each label, [chosen], of class 0 where it does not count; None without labels."""
    block, counted = computed.case.block, computed.case.counted
    if not block.has_labels:
        return None
    labels = block.target.masked_fill(~counted, 0).reshape(-1)[rows]
    return softmax.gather(1, labels[:, None]).squeeze(1)


def _table(rows: list[int] | slice, computed: Computed, chances: torch.Tensor | None) -> Table:
    """What there is to tell of the samples at these rows of the block, whose labels have these probabilities."""
    case, truth = computed.case, computed.truth
    ignored = ~case.counted.reshape(-1)[rows]
    known: dict[str, NDArray[Any]] = {
        "row": np.arange(case.block.first_row, case.block.first_row + case.block.samples)[rows],
        "ignored": ignored.cpu().numpy(),
        "library": computed.library.values[rows],
        "manual": computed.manual.values[rows],
    }
    if chances is not None:
        known["label"] = case.block.target.reshape(-1)[rows].cpu().numpy()
        known["probability"] = floats(chances.masked_fill(ignored, math.nan))
    if truth is not None:
        chosen = truth.rows.rows(rows)
        known |= {"lower": chosen.lower, "upper": chosen.upper}
    return _joined(known)


def _joined(columns: dict[str, NDArray[Any]]) -> Table:
    """Columns as the fields of one table; one that is not known has none."""
    kinds = [(name, kind) for name, kind in FIELDS.items() if name in columns]
    joined = np.empty(len(columns["row"]), kinds)
    for name, values in columns.items():
        joined[name] = values
    return joined


def _most_probable(probabilities: torch.Tensor) -> tuple[ClassProbability, ...]:
    count = len(probabilities) if len(probabilities) <= ALL_CLASSES else TOP_CLASSES
    values, classes = probabilities.topk(count)
    return tuple(ClassProbability(index, value) for index, value in zip(classes.tolist(), values.tolist(), strict=True))
