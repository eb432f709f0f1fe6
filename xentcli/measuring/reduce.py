"""The sum or mean over a whole input as torch computes it, and what that reduction may lose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from xentcli.bounds.model import LossForm, PathModel
from xentcli.bounds.reduction import Amounts, library_reduction, manual_reduction
from xentcli.losses import library, manual, z_loss
from xentcli.losses.cascade import is_torchs_order
from xentcli.losses.machine import subnormals_kept, vector_lanes
from xentcli.losses.threads import label_total
from xentcli.measuring.addends import Addends
from xentcli.measuring.facts import Reduced
from xentcli.numbers.exactsum import nearest_float
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import sent

if TYPE_CHECKING:
    from xentcli.bounds.reduction import ReductionBound
    from xentcli.measuring.addends import LabelSums
    from xentcli.measuring.case import Case
    from xentcli.measuring.facts import Measured, PathFacts
    from xentcli.measuring.paths import Part
    from xentcli.records.report import OptionsInfo


@dataclass(frozen=True)
class Reduction:
    """How the losses of an input are put together.

    model  what is assumed of sums in the losses' format
    form   which loss it is
    """

    model: PathModel
    form: LossForm
    mean: bool
    classes: int
    certified: bool  # whether what it may lose is asked for
    device: str
    entries: int = 1  # of the batch axis, which a device may add up one by one

    @classmethod
    def of(cls, case: Case, losses: torch.Tensor, *, certified: bool) -> Reduction:
        """Of a block like all others, with its losses."""
        mean = case.options.reduction == "mean"
        model, device = case.sums_model(losses), case.options.device
        return cls(model, case.form, mean, case.block.classes, certified, device, len(case.block.logits))

    @classmethod
    def asked(cls, options: OptionsInfo, kind: Literal["labels", "probabilities"], classes: int) -> Reduction:
        """Of what a report is about, whose losses are in the format of the logits."""
        return cls(
            model=PathModel(PRECISIONS[options.dtype], lanes=vector_lanes() or 1),
            form=LossForm(
                kind == "probabilities",
                np.ones(classes) if options.weight else None,
                options.label_smoothing,
                binary=options.binary,
                z_loss=options.z_loss or 0.0,
            ),
            mean=options.reduction == "mean",
            classes=classes,
            certified=options.reference != "off",
            device=options.device,
        )

    def in_format(self, dtype: str) -> Reduction:
        """Of losses in another format, as torch promotes them."""
        return replace(self, model=replace(self.model, precision=PRECISIONS[dtype]))

    def denominator(self, measured: Measured) -> Fraction:
        return measured.divisor.fraction() if self.mean else Fraction(1)

    @property
    def is_weighted(self) -> bool:
        """Whether a mean is divided by weights."""
        labels = not self.form.probabilities and not self.form.binary
        return self.mean and labels and self.form.weight is not None

    def amounts(self, measured: Measured, facts: PathFacts) -> Amounts:
        """What the errors of a path's reduction scale with."""
        size = measured.divisor_size.fraction() if self.mean else Fraction(1)
        return Amounts.of(facts.magnitude, self.denominator(measured), size)

    def library(self, value: torch.Tensor, again: torch.Tensor | None, measured: Measured) -> Reduced:
        """`F.cross_entropy` with the user's reduction, as torch gives it, and as it comes of adding in its order."""
        if not self.certified:
            return Reduced(value.item())
        allowed = self.library_bound(measured)
        is_explained = again is not None and again.item() == value.item() and math.isfinite(value.item())
        slack = self._lost(value.item(), measured.library, self.denominator(measured)) if is_explained else None
        is_proven = slack is not None and slack <= allowed.slack
        if slack is None or ((allowed.overflow or self.form.z_loss) and not is_proven):
            return Reduced(value.item(), allowed.slack, allowed.overflow)
        return Reduced(value.item(), slack, reproduced=True)

    def library_bound(self, measured: Measured) -> ReductionBound:
        """What `F.cross_entropy` may lose when it reduces these losses; of one logit a sample, `torch.mean`."""
        if self.form.binary:
            amounts = self.amounts(measured, measured.library)
            return manual_reduction(
                self.model, mean=self.mean, weighted=False, samples=measured.samples, amounts=amounts
            )
        return library_reduction(
            self.model,
            self.form,
            mean=self.mean,
            samples=measured.samples,
            classes=self.classes,
            amounts=self.amounts(measured, measured.library),
            entries=self.entries,
        )

    def manual(self, value: torch.Tensor, measured: Measured) -> Reduced:
        """The manual path's `sum()` or `mean()`, or its quotient of sums with class weights."""
        if not self.certified:
            return Reduced(value.item())
        allowed = self.manual_bound(measured)
        slack = self._lost(value.item(), measured.manual, self.denominator(measured))
        if slack is not None and slack <= allowed.slack:  # the sum is torch's own of these very losses
            return Reduced(value.item(), slack)
        return Reduced(value.item(), allowed.slack, allowed.overflow)

    def manual_bound(self, measured: Measured) -> ReductionBound:
        """What the manual path may lose when it reduces these losses."""
        return manual_reduction(
            self.model,
            mean=self.mean,
            weighted=self.is_weighted,
            samples=measured.samples,
            amounts=self.amounts(measured, measured.manual),
        )

    def overflowed(self, facts: PathFacts, bound: ReductionBound, measured: Measured) -> Reduced | None:
        """The infinity that torch gives in any order, whose sum is stored in the format; None where that is not sure.

        The samples' losses are rounded as well, from what torch adds: by a few units at the most.
        """
        denominator, magnitude = self.denominator(measured), facts.magnitude
        if not (self.certified and denominator and facts.total.is_finite and magnitude.is_finite):
            return None
        if not (bound.overflow and math.isfinite(bound.slack)):
            return None
        rounding = 4 * Fraction(self.model.precision.unit_roundoff) * magnitude.fraction()
        total, lost = facts.total.fraction(), Fraction(bound.slack) * abs(denominator) + rounding
        if abs(total) - lost < self.model.precision.overflow:
            return None
        return Reduced(math.copysign(math.inf, total / denominator), bound.slack, bound.overflow)

    def labels_total(self, measured: Measured) -> torch.Tensor | None:
        """The sum or mean of the labels' losses as `nll_loss` gives it; None where that is not known."""
        sums = measured.label_sums
        if sums is None or not is_torchs_order(sums.losses.dtype):
            return None
        total = sums.losses.total()
        return total / _divisor(sums, measured.counted) if self.mean else total

    def with_squares(
        self, total: torch.Tensor | None, squares: torch.Tensor | None, counted: torch.Tensor | None
    ) -> torch.Tensor | None:
        """The cross-entropy's total with that of the squares of logsumexp, where there is a z-loss; else as it is."""
        if total is None or not self.form.z_loss:
            return total
        return None if squares is None else total + self.form.z_loss * z_loss.reduced(squares, counted, mean=self.mean)

    def _lost(self, value: float, facts: PathFacts, denominator: Fraction) -> float | None:
        """How far the order of additions took the value from the exact sum of the same losses."""
        if not (math.isfinite(value) and facts.total.is_finite and denominator):
            return None
        return nearest_float(abs(Fraction(value) - facts.total.fraction() / denominator))


def with_reductions(measured: Measured, whole: Part, *, certified: bool) -> Measured:
    """The facts of a whole input with torch's own sums or means of it, by both paths."""
    case, losses = whole.case.there, whole.losses
    asked = Reduction.of(case, losses.library, certified=certified)
    counted = case.counted if case.block.has_labels else None
    squares = None if losses.squared is None else sent(losses.squared.squares, case.options.device)
    value = asked.with_squares(
        library.cross_entropy(case.block, case.options, case.options.reduction), squares, counted
    )
    assert value is not None  # the squares are there where they are asked for
    weights = None if case.label_weights is None else case.label_weights[case.counted.reshape(-1)]
    by_hand = manual.reduce(sent(losses.manual, case.options.device), counted, weights, mean=asked.mean).cpu()
    again = AGAIN[asked.device](whole, asked, measured) if certified and asked.device in AGAIN else None
    again = asked.with_squares(again, squares, counted)
    with subnormals_kept():
        return _reduced(measured, asked.library(value.cpu(), again, measured), asked.manual(by_hand, measured))


def _again(whole: Part, asked: Reduction, measured: Measured) -> torch.Tensor | None:
    """What `F.cross_entropy` reduces to, step by step in torch's own order; None where that is not known."""
    case, parts = whole.case, whole.losses.parts
    if asked.form.binary:
        return whole.losses.library.mean() if asked.mean else whole.losses.library.sum()
    if asked.form.probabilities:
        return library.probabilities_total(case.block, case.options, mean=asked.mean)
    nll = asked.labels_total(measured)
    if nll is None or not asked.form.smoothing:
        return nll
    smooth = None if parts is None else parts.smooth
    return _smoothed(nll, Addends(whole.losses.manual, smooth, case.counted.reshape(-1), case.label_weights), asked)


def _again_on_cuda(whole: Part, asked: Reduction, measured: Measured) -> torch.Tensor | None:
    """The same on a CUDA device, of labels' losses that one block of threads adds up."""
    if not (asked.form.is_added_up and asked.model.stores_label_quotients and whole.losses.library.ndim):
        return None
    weights, counted = whole.case.label_weights, whole.case.counted.reshape(-1)
    weights = None if weights is None else weights.where(counted, 0.0)
    return label_total(whole.losses.library, weights, measured.counted, mean=asked.mean)


AGAIN = {"cpu": _again, "cuda": _again_on_cuda}  # where torch's own order is known


def with_streamed_reductions(measured: Measured, asked: Reduction) -> Measured:
    """The facts of all samples of a streamed input with torch's own sums or means, where its order can be followed."""
    if asked.device != "cpu":
        return measured
    addends = Addends.joined(measured.addends) if measured.addends else None
    value = asked.labels_total(measured)
    if value is not None and asked.form.smoothing:
        value = None if addends is None else _smoothed(value, addends, asked)
    if asked.form.z_loss:
        value = None if addends is None else asked.with_squares(value, addends.squares, addends.counted)
    by_hand = None if addends is None else _by_hand(addends, asked)
    facts = replace(measured, addends=())
    with subnormals_kept():
        return _reduced(
            facts,
            _library_overflow(facts, asked) if value is None else asked.library(value, value, facts),
            _manual_overflow(facts, asked) if by_hand is None else asked.manual(by_hand, facts),
        )


def _library_overflow(measured: Measured, asked: Reduction) -> Reduced | None:
    """Of target probabilities, whose products torch adds up before it divides; a z-loss is no part of that sum."""
    if not asked.form.probabilities or asked.form.z_loss:
        return None
    return asked.overflowed(measured.library, asked.library_bound(measured), measured)


def _manual_overflow(measured: Measured, asked: Reduction) -> Reduced | None:
    """Of what is not a plain mean, which torch divides before it is stored."""
    if asked.mean and not asked.is_weighted:
        return None
    return asked.overflowed(measured.manual, asked.manual_bound(measured), measured)


def _reduced(measured: Measured, by_library: Reduced | None, by_hand: Reduced | None) -> Measured:
    return replace(
        measured,
        library=replace(measured.library, reduced=by_library),
        manual=replace(measured.manual, reduced=by_hand),
    )


def _divisor(sums: LabelSums, counted: int) -> torch.Tensor:
    dtype = getattr(torch, sums.losses.dtype)
    return torch.tensor(counted).to(dtype) if sums.weights is None else sums.weights.total()


def _by_hand(addends: Addends, asked: Reduction) -> torch.Tensor:
    return manual.reduce(addends.manual, addends.counted, addends.counted_weights, mean=asked.mean)


def _smoothed(nll: torch.Tensor, addends: Addends, asked: Reduction) -> torch.Tensor | None:
    """The smoothed total of both parts, the second of which is a `torch.sum` over all samples."""
    if addends.smooth is None or addends.counted is None:
        return None
    smooth, weights = addends.smooth.sum(), addends.counted_weights
    if asked.mean:
        smooth = smooth / (int(addends.counted.sum()) if weights is None else weights.sum())
    return library.smoothed(nll, smooth, asked.form.smoothing, asked.classes)
