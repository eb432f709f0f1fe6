"""From a case to the calls that an implementation can be asked: by its own reductions, targets and options.

Each call is a case of its own, certified as such: nothing that an implementation says is put together here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from xentcli.conform.asking.declaration import REDUCTIONS, SILENT, Declaration
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.question.problem import Reduction

SINGLE_ROWS = 12  # of a case that are asked alone
SUBSTITUTES: dict[Reduction, tuple[Reduction, ...]] = {"none": ("mean", "sum"), "sum": ("mean", "none"), "mean": ()}
# of one sample all three are alike
ONE_SAMPLE: dict[Reduction, tuple[Reduction, ...]] = {
    "none": ("mean", "sum"),
    "sum": ("mean", "none"),
    "mean": ("sum", "none"),
}
REDUCING = frozenset({"reductions", "half-accumulation", "half-overflow"})  # families about the reduction itself
HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Offer:
    """What an implementation offers.

    words     reduction -> what it must be asked for to give it
    refused   reduction -> what it said instead
    """

    declared: Declaration = SILENT
    words: Mapping[Reduction, Reduction] = field(default_factory=lambda: {name: name for name in REDUCTIONS})
    refused: Mapping[Reduction, str] = field(default_factory=dict)


EVERYTHING = Offer()


@dataclass(frozen=True)
class Plan:
    """The calls that decide a case, or why it cannot be asked."""

    calls: tuple[Case, ...] = ()
    missing: str = ""
    note: str = ""  # how it is asked, where that is not how it stands


def plan(case: Case, inputs: Inputs, offer: Offer) -> Plan:
    """How the case is asked of an implementation that offers this."""
    missing = next(filter(None, (check(case, inputs, offer.declared) for check in CHECKS)), "")
    if missing:
        return Plan(missing=missing)
    translated = inputs
    for translate in TRANSLATIONS:
        case, translated = translate(case, translated, offer.declared)
    if translated is not inputs:
        case = _of(case, translated)
    return Plan((case,)) if case.reduction in offer.words else _by_another_reduction(case, translated, offer)


def _of(case: Case, inputs: Inputs) -> Case:
    """The case about other arrays, as often repeated."""
    return replace(case, load=lambda: inputs)


def _wrong_dtype(_case: Case, inputs: Inputs, declared: Declaration) -> str:
    return "" if declared.dtypes is None or inputs.dtype in declared.dtypes else f"not offered: {inputs.dtype}"


def _wrong_shape(_case: Case, inputs: Inputs, declared: Declaration) -> str:
    name = {1: "single", 2: "rows"}.get(inputs.logits.ndim, "inner")
    words = {"single": "logits without a batch axis", "rows": "rows of logits", "inner": "axes behind the classes"}
    return "" if declared.shapes is None or name in declared.shapes else f"not offered: {words[name]}"


def _unknown_option(case: Case, inputs: Inputs, declared: Declaration) -> str:
    used = {
        "weight": inputs.weight is not None,
        "ignore_index": inputs.has_labels and declared.ignore_index is None and bool(_ignored(case, inputs).any()),
        "label_smoothing": case.label_smoothing != 0.0,
    }
    options = used if declared.options is None else declared.options
    return next((f"not offered: {name}" for name, is_used in used.items() if is_used and name not in options), "")


def _other_ignored_index(case: Case, inputs: Inputs, declared: Declaration) -> str:
    """Another index is asked for by name, or the one that there is is a class that counts."""
    fixed = declared.ignore_index
    if fixed is None or not inputs.has_labels or case.ignore_index == fixed:
        return ""
    ignored = _ignored(case, inputs)
    taken = bool(((inputs.target.long() == fixed) & ~ignored).any())
    if (case.ignore_index != IGNORED and bool(ignored.any())) or taken:
        return f"its ignore_index is {fixed}, and no other"
    return "" if _fits(fixed, inputs.target.dtype) else f"its ignore_index is {fixed}, which its labels cannot hold"


def _wrong_targets(case: Case, inputs: Inputs, declared: Declaration) -> str:
    """Labels of a class, or in a type, that one-hot targets do not have."""
    if declared.targets is None:
        return ""
    if not inputs.has_labels:
        return "" if "probabilities" in declared.targets else "not offered: target probabilities"
    if "labels" in declared.targets:
        return ""
    if "one-hot" not in declared.targets:
        return "not offered: labels"
    if case.expects != "value" or inputs.target.dtype != torch.int64 or bool(_ignored(case, inputs).any()):
        return "one-hot targets have no such labels"
    return ""


def _no_gradient(case: Case, _inputs: Inputs, declared: Declaration) -> str:
    return "" if declared.gradient or not case.gradient else "not offered: a gradient"


CHECKS: tuple[Callable[[Case, Inputs, Declaration], str], ...] = (
    _wrong_dtype, _wrong_shape, _unknown_option, _other_ignored_index, _wrong_targets, _no_gradient,
)  # fmt: skip
IGNORED = -100  # torch's default


def _with_its_ignored_index(case: Case, inputs: Inputs, declared: Declaration) -> tuple[Case, Inputs]:
    """The ignored labels by the name that the implementation has for them."""
    fixed = declared.ignore_index
    if fixed is None or not inputs.has_labels or case.ignore_index == fixed:
        return case, inputs
    target = inputs.target.masked_fill(_ignored(case, inputs), fixed)
    return replace(case, ignore_index=fixed), replace(inputs, target=target)


def _with_one_hot(case: Case, inputs: Inputs, declared: Declaration) -> tuple[Case, Inputs]:
    """Labels as probabilities of 0 and 1, on the class axis."""
    targets = declared.targets
    if targets is None or "one-hot" not in targets or "labels" in targets or not inputs.has_labels:
        return case, inputs
    axis = min(1, inputs.logits.ndim - 1)
    rows = torch.nn.functional.one_hot(inputs.target, inputs.logits.shape[axis])
    return case, replace(inputs, target=rows.movedim(-1, axis).to(inputs.logits.dtype))


TRANSLATIONS = (_with_its_ignored_index, _with_one_hot)


def _by_another_reduction(case: Case, inputs: Inputs, offer: Offer) -> Plan:
    """The mean in place of the losses, and the losses of single rows; a mean itself nothing can stand for."""
    rows = len(inputs.logits) if inputs.logits.ndim > 1 else 1
    samples = rows * inputs.logits[:1, :1].numel() if inputs.logits.ndim > 1 else 1
    known = ONE_SAMPLE if samples == 1 and not case.rows else SUBSTITUTES
    other = next((name for name in known[case.reduction] if name in offer.words), None)
    about = case.family in REDUCING and samples > 1 and not (case.reduction == "none" and inputs.logits.dtype in HALVES)
    if other is None or about or case.large:
        said = offer.refused.get(case.reduction, "")
        return Plan(missing=f"no reduction {case.reduction!r}" + (f": {said}" if said else ""))
    if (samples == 1 and not case.rows) or case.reduction == "sum" or case.expects != "value":
        return Plan((_reduced(case, inputs, other),), note=_note(case, other))
    alone = _single_rows(case, inputs, other)
    whole = () if inputs.logits.dtype in HALVES and alone else (_reduced(case, case.asked(inputs), other),)
    if case.family in BETWEEN_ROWS and not bool(inputs.logits.isfinite().all()):
        return Plan(missing=f"a {other} cannot tell rows apart")
    return Plan((*whole, *alone), note=_note(case, other))


BETWEEN_ROWS = frozenset({"batch"})  # families about what rows do to one another


def _note(case: Case, other: Reduction) -> str:
    """How it is asked; the smoke cases only show that it is there."""
    rows = " of all rows and of each" if case.reduction == "none" else ""
    return "" if case.family == SMOKE else f"no reduction {case.reduction!r}: asked by the {WORDS[other]}{rows}"


WORDS = {"mean": "mean", "sum": "sum", "none": "losses"}


def _reduced(case: Case, inputs: Inputs, reduction: Reduction) -> Case:
    """The same samples by another reduction; an upstream gradient must be of its shape."""
    upstream = inputs.upstream
    if upstream is not None and upstream.ndim and reduction != "none":
        upstream = None
    if upstream is not None and not upstream.ndim and reduction == "none":
        upstream = upstream.expand(inputs.target.shape if inputs.has_labels else _samples(inputs.logits).shape[:-1])
    changed = replace(inputs, upstream=upstream)
    layout = {name: how for name, how in case.layout.items() if name != "upstream" or upstream is inputs.upstream}
    return replace(case, reduction=reduction, rows=None, layout=layout, load=lambda: changed)


def _single_rows(case: Case, inputs: Inputs, reduction: Reduction) -> tuple[Case, ...]:
    """Calls of one sample each, those that count; some of many."""
    logits = _samples(inputs.logits).reshape(-1, inputs.logits.shape[min(1, inputs.logits.ndim - 1)])
    counted = torch.arange(len(logits))
    if inputs.has_labels:
        counted = counted[~_ignored(case, inputs).reshape(-1)]
    step = max(1, -(-len(counted) // SINGLE_ROWS))
    return tuple(_single_row(case, inputs, logits, int(row), reduction) for row in counted[::step])


def _single_row(case: Case, inputs: Inputs, logits: torch.Tensor, row: int, reduction: Reduction) -> Case:
    if inputs.has_labels:
        target = inputs.target.reshape(-1)[row : row + 1]
    else:
        target = _samples(inputs.target).reshape(logits.shape)[row : row + 1]
    upstream = inputs.upstream
    if upstream is not None and upstream.ndim:
        upstream = upstream.reshape(-1)[row]
    alone = replace(inputs, logits=logits[row : row + 1], target=target, upstream=upstream)
    layout = {name: how for name, how in case.layout.items() if name != "upstream"}
    return replace(case, reduction=reduction, rows=None, layout=layout, load=lambda: alone)


def _samples(values: torch.Tensor) -> torch.Tensor:
    """The class axis last: [N, d1, ..., C]."""
    return values.movedim(min(1, values.ndim - 1), -1)


def _ignored(case: Case, inputs: Inputs) -> torch.Tensor:
    return inputs.target.long() == case.ignore_index


def _fits(value: int, dtype: torch.dtype) -> bool:
    limits = torch.iinfo(dtype)
    return limits.min <= value <= limits.max
