"""The losses of a block by both paths, the truth, and what each path may differ from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.classify import WITHIN, WRONG, classify
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.case import Case, floats
from xentcli.facts import PathRows, distance
from xentcli.losses import library, manual
from xentcli.losses.truth import sharpen, terms_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from xentcli.bounds.model import Bound
    from xentcli.facts import Floats, Interval
    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms
    from xentcli.policy import Policy, Tolerance
    from xentcli.problem import Problem


@dataclass(frozen=True)
class Truth:
    """The true losses of a block's samples."""

    terms: Terms
    rows: Rows
    exact: Interval | None  # the sum of the finite ones, where each was enclosed exactly


@dataclass(frozen=True)
class Losses:
    """What both paths give a block's samples, as torch computes it."""

    softmax: torch.Tensor  # [N, C, d1, ...] or [C]
    library: torch.Tensor  # [N, d1, ...] or []
    manual: torch.Tensor  # [N, d1, ...] or []

    @classmethod
    def of(cls, case: Case) -> Losses:
        softmax = manual.probabilities(case.block)
        by_library = library.cross_entropy(case.block, case.options)
        return cls(softmax, by_library, manual.cross_entropy(case.block, case.options, softmax))

    def part(self, start: int, stop: int) -> Losses:
        """Those of some entries of the first axis; of one sample alone, its own."""
        if not self.library.ndim:
            return self
        return Losses(self.softmax[start:stop], self.library[start:stop], self.manual[start:stop])


@dataclass(frozen=True)
class Part:
    """Some samples, or all, with their losses by both paths."""

    case: Case
    losses: Losses

    @classmethod
    def of(cls, problem: Problem, start: int = 0, stop: int | None = None) -> Part:
        """Some entries of torch's batch axis, read and computed."""
        case = Case(problem.block(start, stop), problem.options)
        return cls(case, Losses.of(case))

    def part(self, start: int, stop: int) -> Part:
        """Some entries of the first axis, as they are."""
        return Part(self.case.part(start, stop), self.losses.part(start, stop))


@dataclass(frozen=True)
class Computed:
    """The losses of a block's samples, three times."""

    case: Case
    softmax: torch.Tensor  # of the logits' shape
    library: PathRows
    manual: PathRows
    truth: Truth | None  # None with --reference off


def compute(part: Part, policy: Policy, *, bits: int | None) -> Computed:
    """The losses of a block by both paths next to the truth; arguments as for `measure`."""
    case, losses = part.case, part.losses
    truth = None if policy.reference == "off" else certify(case, bits)
    bounds = (None, None) if truth is None else bounds_of(case, truth)
    tolerance = policy.tolerance if case.options.reduction == "none" else None
    library_rows, manual_rows = (
        _judged(floats(values), truth, bound, tolerance)
        for values, bound in zip((losses.library, losses.manual), bounds, strict=True)
    )
    return Computed(case, losses.softmax, library_rows, manual_rows, truth)


def _judged(values: Floats, truth: Truth | None, bound: Bound | None, tolerance: Tolerance | None) -> PathRows:
    magnitude = None if bound is None else bound.magnitude
    return PathRows(values, *judge_rows(values, truth, bound, tolerance), magnitude)


def certify(case: Case, bits: int | None) -> Truth:
    """Enclosures of the true losses; with `bits` the exact ones, and the enclosure of their sum."""
    terms = terms_of(case.block, case.options)
    rows = terms.enclose()
    return Truth(terms, rows, None) if bits is None else Truth(terms, *sharpen(rows, case.block, case.options, bits))


def bounds_of(case: Case, truth: Truth) -> tuple[Bound, Bound]:
    """What rounding allows the library and the manual path."""
    coefficients = truth.terms.coefficients if case.form.probabilities else None
    return (
        library_bound(case.model, truth.rows, case.form),
        manual_bound(case.model, truth.rows, case.form, truth.terms.logits, coefficients),
    )


def judge_rows(
    values: Floats, truth: Truth | None, bound: Bound | None, tolerance: Tolerance | None
) -> tuple[Floats | None, NDArray[np.uint8] | None]:
    """The allowance of each loss and what it is, as an index into STATUSES; [rows].

    A user's tolerance takes the place of the bound; an infinity that the bound explains is explained all the same.
    """
    if truth is None or bound is None:
        return None, None
    status = classify(values, truth.rows, bound)
    if tolerance is None:
        return bound.allowed, status
    allowed = tolerance.atol + tolerance.rtol * np.abs(truth.rows.loss)
    inside = distance(values, truth.rows.loss) <= allowed + truth.rows.radius
    outside = np.where(status == WITHIN, WRONG, status)
    return allowed, np.where(inside, WITHIN, outside).astype(np.uint8)
