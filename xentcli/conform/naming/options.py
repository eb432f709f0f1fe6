"""Mistakes of labels, weights, smoothing, ignored rows, reductions and strides."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.conform.cases import reports
from xentcli.conform.cases.layouts import laid_out
from xentcli.conform.judging.call import Call
from xentcli.conform.judging.hypothesis import Hypothesis

if TYPE_CHECKING:
    from collections.abc import Callable

    Results = tuple[torch.Tensor, ...]

ROUNDED = {"bfloat16": torch.bfloat16, "float16": torch.float16}
STORED = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "uint16": torch.uint16,
          "float16": torch.float16}  # fmt: skip
MOST_IN_ORDER = 1 << 17  # losses that are added one by one


def _with_labels(call: Call, labels: torch.Tensor, counted: torch.Tensor | None = None) -> Results:
    """Other labels, each of which is a class where it counts."""
    counts = call.counted if counted is None else counted
    safe = torch.where(counts, labels, 0)
    if bool(((safe < 0) | (safe >= call.classes)).any()):
        return ()
    shared = (1.0 - call.smoothing) * call.one_hot(safe) + call.smoothing / call.classes
    logs = call.logs if counted is None else -torch.log_softmax(call.leaf, 1)
    losses = call.losses(logs=logs, coefficients=call.weight * shared, counted=counts)
    return (call.result(losses, float(call.weight[safe][counts].sum())),)


def _off_by(step: int, call: Call) -> Results:
    return _with_labels(call, (call.labels + step) % call.classes) if call.labels is not None and call.classes else ()


def _stored(dtype: str, labels: torch.Tensor) -> torch.Tensor:
    """Integers as they come back from a type that may not hold them."""
    kind = STORED[dtype]
    return (labels.to(kind).clamp(max=65504.0) if kind.is_floating_point else labels.to(kind)).long()


def _wrapped(dtype: str, call: Call) -> Results:
    """What is ignored is known before."""
    if call.labels is None or not call.classes:
        return ()
    wrapped = _stored(dtype, call.labels)
    return () if torch.equal(wrapped, call.labels) else _with_labels(call, wrapped % call.classes)


def _wrapped_first(dtype: str, call: Call) -> Results:
    """What is ignored is found by what they have become."""
    if call.labels is None or not call.classes:
        return ()
    wrapped = _stored(dtype, call.labels)
    counted = wrapped != call.case.ignore_index
    return () if torch.equal(wrapped, call.labels) else _with_labels(call, wrapped % call.classes, counted)


def _wrapped_by_classes(dtype: str, call: Call) -> Results:
    """What is ignored, and what is negative, has become a class."""
    if call.labels is None or not call.classes:
        return ()
    taken = (_stored(dtype, call.labels) if dtype else call.labels) % call.classes
    return () if torch.equal(taken, call.labels) else _with_labels(call, taken, taken != call.case.ignore_index)


def _ignored_in(dtype: str, call: Call) -> Results:
    """The label itself is kept whole."""
    if call.labels is None:
        return ()
    counted = _stored(dtype, call.labels) != _stored(dtype, torch.tensor(call.case.ignore_index))
    return () if torch.equal(counted, call.counted) else _with_labels(call, call.labels, counted)


def _bytes_as_mask(call: Call) -> Results:
    """Those that are 1 count, and have the class 1."""
    target = call.inputs.target
    if call.labels is None or target.dtype != torch.uint8 or bool((target > 1).any()):
        return ()
    return _with_labels(call, torch.ones_like(call.labels), call.labels == 1)


def _byte_ignored(call: Call) -> Results:
    """−100 is 156 in uint8."""
    if call.labels is None or call.inputs.target.dtype != torch.uint8:
        return ()
    return _with_labels(call, call.labels, call.labels != call.case.ignore_index % 256)


def _negative_ignored(call: Call) -> Results:
    return _with_labels(call, call.labels, call.labels >= 0) if call.labels is not None else ()


def _default_ignored(call: Call) -> Results:
    return _with_labels(call, call.labels, call.labels != -100) if call.labels is not None else ()


def _ignored_count(call: Call) -> Results:
    """As if their label were class 0."""
    if call.labels is None:
        return ()
    return _with_labels(call, call.safe, torch.ones_like(call.counted))


def _ignored_times_zero(call: Call) -> Results:
    if call.labels is None or bool(call.counted.all()):
        return ()
    logs = -torch.log_softmax(call.leaf, 1)
    losses = (call.coefficients() * logs).sum(1) * call.counted
    return (call.result(torch.where(call.counted, call.losses(), losses)),)


def _weight_of_ignored(call: Call) -> Results:
    """Where there are weights, and only there."""
    return _counts_ignored(call) if call.weighted else ()


def _counts_ignored(call: Call) -> Results:
    if call.labels is None or call.case.reduction != "mean":
        return ()
    return (call.result(call.losses(), float(call.weight[call.safe].sum())),)


def _without_weights(call: Call) -> Results:
    if not call.weighted:
        return ()
    smoothed = (1.0 - call.smoothing) * call.targets() + call.smoothing / call.classes
    return (call.result(call.losses(coefficients=smoothed), float(call.counted.count_nonzero())),)


def _weights_of_neighbour(step: int, call: Call) -> Results:
    """They are those of the class beside it."""
    if not call.weighted or call.labels is None:
        return ()
    weight = call.weight.roll(step)
    losses = call.losses(coefficients=weight * (1.0 - call.smoothing) * call.targets()
                         + call.weight * call.smoothing / call.classes)  # fmt: skip
    return (call.result(losses, float(weight[call.safe][call.counted].sum())),)


def _without_smoothing(call: Call) -> Results:
    if not call.smoothing:
        return ()
    return (call.result(call.losses(coefficients=call.coefficients(0.0))),)


def _smoothing_shared(call: Call, share: torch.Tensor | float, counted: torch.Tensor | None = None) -> Results:
    """Each class gets such a share of the smoothing."""
    if not call.smoothing:
        return ()
    coefficients = call.weight * (1.0 - call.smoothing) * call.targets() + call.smoothing * share
    return (call.result(call.losses(coefficients=coefficients, counted=counted)),)


def _smoothing_by_last_axis(call: Call) -> Results:
    if call.inputs.logits.shape[-1] == call.classes:
        return ()
    return _smoothing_shared(call, call.weight / call.inputs.logits.shape[-1])


def _smoothing_by_sum(call: Call) -> Results:
    return _smoothing_shared(call, call.weight)


def _smoothing_unweighted(call: Call) -> Results:
    return _smoothing_shared(call, 1.0 / call.classes) if call.weighted else ()


def _smoothing_of_ignored(call: Call) -> Results:
    if call.labels is None or not call.smoothing:
        return ()
    smooth = -torch.log_softmax(call.leaf, 1).mean(1) * call.smoothing
    return (call.result(torch.where(call.counted, call.losses(), smooth)),)


def _smoothing_left_on(share: float, call: Call) -> Results:
    if call.labels is None:
        return ()
    terms = (1.0 - share) * call.coefficients() + share / call.classes
    return (call.result(call.losses(coefficients=terms)),)


def _positive_targets(call: Call) -> Results:
    """Classes whose probability is 0 are left out, and their share of the smoothing with them."""
    if call.labels is not None:
        return ()
    kept = torch.where(call.targets() > 0.0, call.coefficients(), 0.0)
    return (call.result(call.losses(coefficients=kept, zero_times_infinity=0.0)),)


def _hard_target(call: Call) -> Results:
    if call.labels is not None or not call.classes:
        return ()
    hard = call.one_hot(call.targets().argmax(1))
    smoothed = (1.0 - call.smoothing) * hard + call.smoothing / call.classes
    return (call.result(call.losses(coefficients=call.weight * smoothed, zero_times_infinity=0.0)),)


def _hard_and_unsmoothed(call: Call) -> Results:
    if call.labels is not None or not call.classes:
        return ()
    hard = call.weight * call.one_hot(call.targets().argmax(1))
    return (call.result(call.losses(coefficients=hard, zero_times_infinity=0.0)),)


def _times_one_hot(call: Call) -> Results:
    """A masked class has the loss ∞, and 0·∞ is NaN."""
    if call.labels is None or not bool(call.logs.isinf().any()):
        return ()
    return (call.result(torch.where(call.counted, (call.coefficients() * call.logs).sum(1), 0.0)),)


def _sum_for_mean(call: Call) -> Results:
    return (call.result(call.losses(), 1.0),) if call.case.reduction == "mean" else ()


def _mean_for_sum(call: Call) -> Results:
    if call.case.reduction != "sum" or not call.divisor:
        return ()
    return (call.result(call.losses()) / call.divisor,)


def _count_narrowed(dtype: str, call: Call) -> Results:
    if call.case.reduction != "mean":
        return ()
    return (call.result(call.losses(), float(torch.tensor(call.divisor).to(ROUNDED[dtype]))),)


def _count_in_16_bits(call: Call) -> Results:
    """In the logits' own dtype."""
    dtype = call.inputs.dtype
    return _count_narrowed(dtype, call) if dtype in ROUNDED else ()


def _sum_in_16_bits(call: Call) -> Results:
    kind = call.inputs.logits.dtype
    if call.inputs.dtype not in ROUNDED or call.case.reduction == "none":
        return ()
    total = call.losses().sum().to(kind).double()
    return ((total / (call.divisor if call.case.reduction == "mean" else 1.0)).reshape(1),)


def _inner_axes_left_out(call: Call) -> Results:
    inner = len(call.leaf) / max(1, call.batch)
    if call.case.reduction != "mean" or inner <= 1.0:
        return ()
    return (call.result(call.losses(), call.divisor / inner),)


def _inner_axes_not_moved(call: Call) -> Results:
    """[N, C, d1, ...] is cut into rows of C numbers as they lie."""
    if call.inputs.logits.ndim < 3 or not call.leaf.numel():
        return ()
    logs = -torch.log_softmax(torch.where(call.counted[:, None], _as_it_lies(call, call.leaf), 0.0), 1)
    if call.target is None:
        return (call.result(call.losses(logs=logs)),)
    mixed = (1.0 - call.smoothing) * _as_it_lies(call, call.target) + call.smoothing / call.classes
    return (call.result(call.losses(logs=logs, coefficients=call.weight * mixed)),)


def _as_it_lies(call: Call, rows: torch.Tensor) -> torch.Tensor:
    batch, classes, *inner = call.inputs.logits.shape
    return rows.reshape(batch, *inner, classes).movedim(-1, 1).reshape(-1, classes)


def _added_in_order(call: Call) -> Results:
    """One by one in the logits' own dtype."""
    losses = call.losses()
    if call.case.reduction == "none" or call.inputs.dtype == "float64" or not 1 < len(losses) <= MOST_IN_ORDER:
        return ()
    rounded = losses.detach().to(call.inputs.logits.dtype)
    added = _running_total(rounded).double() - losses.detach().sum()
    total = losses.sum() + added
    return ((total / (call.divisor if call.case.reduction == "mean" else 1.0)).reshape(1),)


def _running_total(values: torch.Tensor) -> torch.Tensor:
    if values.dtype in {torch.float32, torch.float16}:
        with np.errstate(over="ignore"):
            return torch.from_numpy(np.add.accumulate(values.numpy(), dtype=values.numpy().dtype))[-1]
    total = values.new_zeros(())
    for value in values:
        total = total + value
    return total


def _read_contiguously(name: str, call: Call) -> Results:
    """The array as a kernel reads it that walks through memory."""
    layout = call.case.layout.get(name, "contiguous")
    array = call.inputs.named().get(name)
    if array is None or layout == "contiguous":
        return ()
    laid = laid_out(array, layout)
    there = laid.untyped_storage().nbytes() // laid.element_size() - laid.storage_offset()
    if there < laid.numel() or laid.is_contiguous():
        return ()
    read = laid.as_strided(laid.shape, torch.empty(laid.shape).stride()).clone()
    arrays = call.inputs.named() | {name: read}
    given = replace(call.inputs, logits=arrays["logits"], target=arrays["target"], weight=arrays.get("weight"))
    other = Call(call.case, given)
    strange = other.labels is not None and bool((other.counted & (other.labels >= other.classes)).any())
    return () if strange else (other.result(other.losses()).detach(),)


OPTIONS = {each.code: each for each in (
    Hypothesis("labels-start-at-1", "every label is taken for the class before it", partial(_off_by, -1)),
    Hypothesis("labels-one-behind", "every label is taken for the class after it", partial(_off_by, 1)),
    *(Hypothesis(f"labels-in-{dtype}", f"labels are kept in {dtype}", partial(_wrapped, dtype),
                 f"a label that {dtype} cannot hold becomes another", reports.LABEL_WRAP) for dtype in STORED),
    *(Hypothesis(f"labels-in-{dtype}-first", f"labels are kept in {dtype}, and looked at there for ignore_index",
                 partial(_wrapped_first, dtype), f"a label that {dtype} cannot hold becomes another",
                 reports.LABEL_WRAP) for dtype in STORED),
    *(Hypothesis(f"labels-in-{dtype or 'classes'}-modulo",
                 f"labels are {f'kept in {dtype}, and ' if dtype else ''}taken modulo C, those that are ignored too",
                 partial(_wrapped_by_classes, dtype), "an ignored label becomes a class",
                 reports.LABEL_WRAP) for dtype in ("", *STORED)),
    Hypothesis("byte-ignored", "ignore_index is compared with uint8 labels in uint8", _byte_ignored,
               "-100 is 156 there, and the class 156 is ignored"),
    *(Hypothesis(f"ignored-in-{dtype}", f"labels are compared with ignore_index in {dtype}",
                 partial(_ignored_in, dtype), f"other labels are the same in {dtype}", reports.IGNORED_BEYOND)
      for dtype in STORED),
    Hypothesis("bytes-are-mask", "labels of bytes are a mask: where it is 1 the class is 1, and nothing else counts",
               _bytes_as_mask, known=reports.LABEL_WRAP),
    Hypothesis("ignored-when-negative", "what is negative is ignored, and ignore_index is not looked at",
               _negative_ignored),
    Hypothesis("ignored-by-default", "-100 is ignored, and ignore_index is not looked at", _default_ignored),
    Hypothesis("ignored-count", "ignored rows count, as rows of class 0", _ignored_count,
               known=reports.IGNORED_DENOMINATOR),
    Hypothesis("ignored-times-zero", "the loss of an ignored row is multiplied by 0", _ignored_times_zero,
               "0 times an infinite or missing loss is NaN", reports.MASKED),
    Hypothesis("ignored-count-in-mean", "the mean counts ignored rows, which weigh what class 0 weighs",
               _counts_ignored, known=reports.IGNORED_DENOMINATOR),
    Hypothesis("ignored-weight-in-mean", "a weighted mean counts ignored rows, which weigh what class 0 weighs",
               _weight_of_ignored,
               known=reports.IGNORED_DENOMINATOR),
    Hypothesis("no-weights", "weights are not looked at", _without_weights),
    *(Hypothesis(f"weight-of-{where}", f"a row has the weight of the class {where} its own",
                 partial(_weights_of_neighbour, step)) for where, step in (("after", -1), ("before", 1))),
    Hypothesis("no-smoothing", "label_smoothing is not looked at", _without_smoothing),
    Hypothesis("smoothing-by-last-axis", "smoothing is divided by the length of the last axis",
               _smoothing_by_last_axis, "the classes are on axis 1"),
    Hypothesis("smoothing-by-sum", "the smooth part is not divided by the number of classes", _smoothing_by_sum),
    Hypothesis("smoothing-without-weights", "the smooth part has no weights", _smoothing_unweighted,
               known=reports.SMOOTHING_WEIGHTED),
    Hypothesis("smoothing-of-ignored", "the smooth part of ignored rows counts", _smoothing_of_ignored,
               known=reports.SMOOTHING_IGNORED),
    *(Hypothesis(f"smoothing-left-on-{share:g}", f"a smoothing of {share:g} is left on",
                 partial(_smoothing_left_on, share)) for share in (1e-4, 1e-3, 1e-2, 0.1)),
    Hypothesis("positive-targets", "classes of target probability 0 are left out, of the smoothing too",
               _positive_targets),
    Hypothesis("hard-target", "target probabilities are taken for their greatest class", _hard_target),
    Hypothesis("hard-target-unsmoothed", "target probabilities are taken for their greatest class, without smoothing",
               _hard_and_unsmoothed),
    Hypothesis("times-one-hot", "the logarithms are multiplied by one-hot rows", _times_one_hot,
               "a masked class has 0 times infinity, which is NaN", reports.MASKED),
    Hypothesis("sum-for-mean", "the mean is the sum", _sum_for_mean),
    Hypothesis("mean-for-sum", "the sum is the mean", _mean_for_sum),
    *(Hypothesis(f"count-in-{dtype}", f"what the mean divides by is stored in {dtype}",
                 partial(_count_narrowed, dtype), "more than it can hold is infinite, or another number",
                 reports.HALF_MEAN) for dtype in ROUNDED),
    Hypothesis("count-in-16-bits", "what the mean divides by is stored in 16 bits", _count_in_16_bits,
               "float16 ends at 65504, and bfloat16 counts by twos beyond 256", reports.HALF_MEAN),
    Hypothesis("losses-summed-in-16-bits", "the sum of the losses is stored in 16 bits", _sum_in_16_bits,
               "float16 ends at 65504", reports.HALF_MEAN),
    Hypothesis("inner-axes-not-in-mean", "the mean does not count the inner axes", _inner_axes_left_out),
    Hypothesis("inner-axes-not-moved", "axes behind the classes are flattened as they lie, mixed with the classes",
               _inner_axes_not_moved, "logits.reshape(-1, C) needs logits.movedim(1, -1) before it",
               reports.REDUCTION),
    Hypothesis("added-one-by-one", "losses are added one by one, in their own dtype", _added_in_order,
               "each addition rounds next to the whole sum", reports.ACCUMULATION),
    *(Hypothesis(f"{name}-read-contiguously", f"the strides of the {name} are not looked at",
                 partial(_read_contiguously, name), "memory is read in its own order", reports.STRIDES)
      for name in ("logits", "target", "weight")),
)}  # fmt: skip


def _out_of_range(call: Call, counted: torch.Tensor) -> bool:
    return bool((counted & ((call.raw_labels < 0) | (call.raw_labels >= call.classes))).any())


def _wrapped_beyond(dtype: str, call: Call, *, first: bool) -> bool:
    """Whether a label that a type has changed is no class."""
    wrapped = _stored(dtype, call.raw_labels)
    counted = (wrapped != call.case.ignore_index) if first or call.labels is None else call.counted
    return bool((counted & (wrapped != call.raw_labels) & ((wrapped < 0) | (wrapped >= call.classes))).any())


REFUSED: dict[str, tuple[str, Callable[[Call], bool]]] = {  # what makes a label an error that is none
    "ignored-when-negative": ("", lambda call: _out_of_range(call, call.raw_labels >= 0)),
    "ignored-by-default": ("", lambda call: _out_of_range(call, call.raw_labels != -100)),
    **{
        f"labels-in-{dtype}{suffix}": ("", partial(_wrapped_beyond, dtype, first=bool(suffix)))
        for dtype in STORED
        for suffix in ("", "-first")
    },
    "ignored-is-error": ("an ignored label is an error", lambda call: bool((~call.counted).any())),
    "ignored-beyond-is-error": (
        "an ignored label that is no class is an error",
        lambda call: _out_of_range(call, ~call.counted),
    ),
}
