"""The sum or mean over a whole input as torch computes it, and what that reduction may lose."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from xentcli.bounds.reduction import library_reduction, manual_reduction
from xentcli.losses import library, manual
from xentcli.losses.cascade import cascade_mean, cascade_sum
from xentcli.measuring.facts import Reduced
from xentcli.numbers.exactsum import ExactSum, nearest_float

if TYPE_CHECKING:
    import torch

    from xentcli.measuring.case import Case
    from xentcli.measuring.facts import Measured
    from xentcli.measuring.paths import Part


def with_reductions(measured: Measured, whole: Part, *, certified: bool) -> Measured:
    """The facts of a whole input with torch's own sums or means of it, by both paths."""
    case, losses = whole.case, whole.losses
    library_sum = reduce_library(case, losses.library, measured.library.magnitude if certified else None)
    manual_sum = reduce_manual(case, losses.manual, measured.manual.magnitude if certified else None)
    return replace(
        measured,
        library=replace(measured.library, reduced=library_sum),
        manual=replace(measured.manual, reduced=manual_sum),
    )


def reduce_library(case: Case, losses: torch.Tensor, magnitude: ExactSum | None) -> Reduced:
    """`F.cross_entropy` with the user's reduction; `losses` are its own with reduction "none"."""
    value = library.cross_entropy(case.block, case.options, case.options.reduction)
    if magnitude is None:
        return Reduced(value.item())
    allowed = library_reduction(
        case.sums_model(losses),
        case.form,
        mean=case.options.reduction == "mean",
        samples=case.block.samples,
        classes=case.block.classes,
        magnitude=magnitude.value(),
        denominator=nearest_float(case.denominator),
    )
    explained = None if allowed.overflow else _explained_slack(case, losses, value)
    if explained is None:
        return Reduced(value.item(), allowed.slack, allowed.overflow)
    return Reduced(value.item(), explained, reproduced=True)


def reduce_manual(case: Case, losses: torch.Tensor, magnitude: ExactSum | None) -> Reduced:
    """The manual path's `sum()` or `mean()`, or its quotient of sums with class weights."""
    value = manual.reduce(losses, case.block, case.options).item()
    if magnitude is None:
        return Reduced(value)
    allowed = manual_reduction(
        case.sums_model(losses),
        mean=case.options.reduction == "mean",
        weighted=case.options.reduction == "mean" and case.block.has_labels and case.block.weight is not None,
        samples=case.block.samples,
        magnitude=magnitude.value(),
        denominator=nearest_float(case.denominator),
    )
    return Reduced(value, allowed.slack, allowed.overflow)


def _explained_slack(case: Case, losses: torch.Tensor, value: torch.Tensor) -> float | None:
    """How far torch's own order of additions is from the exact sum, where that order gives the very value."""
    if not case.block.has_labels or case.options.label_smoothing or losses.device.type != "cpu":
        return None
    flat, counted = losses.reshape(-1), case.counted.reshape(-1)
    if case.options.reduction == "sum":
        again = cascade_sum(flat, counted)
    else:
        again = cascade_mean(flat, counted, case.label_weights)
    total = ExactSum.of(flat.double().numpy())
    if again.item() != value.item() or not total.is_finite or not case.denominator:
        return None
    return nearest_float(abs(Fraction(value.item()) - total.fraction() / case.denominator))
