"""The losses of a block by both paths, the truth, and what each path may differ from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.bounds.binary import binary_bound
from xentcli.bounds.classify import WITHIN, WRONG, classify
from xentcli.bounds.exponentials import SumErrors
from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.probable import BOUNDS, probable_rows
from xentcli.bounds.z_loss import with_z_loss
from xentcli.losses import library, manual, z_loss
from xentcli.losses.library import SmoothedParts
from xentcli.losses.reference import TINY, UNIT
from xentcli.losses.truth import sharpen, terms_of
from xentcli.losses.z_loss import LogSums, Squared
from xentcli.measuring.addends import Addends, LabelSums
from xentcli.measuring.case import Case, floats
from xentcli.measuring.facts import PathRows, distance
from xentcli.measuring.projected import of_product
from xentcli.measuring.streams import own_stream
from xentcli.measuring.transformed import Transformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xentcli.bounds.model import Bound
    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms
    from xentcli.measuring.facts import Bools, Floats, Interval
    from xentcli.question.block import Block
    from xentcli.question.policy import Policy, Tolerance
    from xentcli.question.problem import Problem

FLOAT64_BITS = 64  # more than float64 has
CHUNK_BYTES = 2 << 20  # logits of one call of torch: with what it makes of them they stay in the cache
CHUNK_ROWS = 1 << 13  # of one call where classes are few: its results are as large as its logits, then


@dataclass(frozen=True)
class Truth:
    """The true losses of a block's samples."""

    terms: Terms
    rows: Rows
    exactly: Bools  # which of them were enclosed by exact arithmetic, [rows]
    exact: Interval | None  # the sum of these; None where there are none
    moved: Floats | None = None  # what storing, or transforming, the paths' logits may move the losses by; [rows]
    free: Bools | None = None  # rows whose transformed logits the paths' format may not hold; [rows]
    plain: Rows | None = None  # without the z-loss; None where there is none
    log_sums: LogSums | None = None  # what the z-loss is made of; None where there is none

    @property
    def of_cross_entropy(self) -> Rows:
        """The enclosures of the cross-entropy alone."""
        return self.rows if self.plain is None else self.plain


@dataclass(frozen=True)
class Losses:
    """What both paths give a block's samples, as torch computes it."""

    library: torch.Tensor  # [N, d1, ...] or []
    manual: torch.Tensor  # [N, d1, ...] or []
    softmax: torch.Tensor | None  # [N, C, d1, ...] or [C]; None where it was let go
    chance: torch.Tensor | None  # the label's probability, of the samples' shape; None where it is not wanted
    parts: SmoothedParts | None = None  # of smoothed labels' losses; None where they are not wanted
    squared: Squared | None = None  # the terms that the library's are made of with a z-loss; None without

    @classmethod
    def of(cls, case: Case, *, in_parts: bool = False, as_samples: bool = False) -> Losses:
        """Those of all samples in one call, on the device where the paths compute.

        as_samples  leaves the layout of that call to `library.each_sample`
        """
        with own_stream(case.options.device):
            return cls._there(case.there, in_parts, as_samples=as_samples).here()

    @classmethod
    def _there(cls, case: Case, in_parts: bool, *, as_samples: bool) -> Losses:
        softmax = manual.probabilities(case.block)
        library_path = library.each_sample if as_samples else library.cross_entropy
        by_library = library_path(case.block, case.options)
        by_hand = manual.cross_entropy(case.block, case.options, softmax)
        wanted = case.block.has_labels and case.options.reduction == "none"
        chance = manual.label_probability(case.block, case.options, softmax) if wanted else None
        smoothed = in_parts and case.block.has_labels and case.options.label_smoothing
        parts = SmoothedParts.of(case.block, case.options) if smoothed else None
        return cls(by_library, by_hand, softmax, chance, parts)._with_z_loss(case)

    def _with_z_loss(self, case: Case) -> Losses:
        """With Z·logsumexp² added to each loss, where that is asked for."""
        factor = case.options.z_loss
        if factor is None:
            return self
        by_library, by_hand = (
            squares(case.block).masked_fill(~case.counted, 0.0) for squares in (z_loss.squares, z_loss.squares_by_hand)
        )
        return replace(
            self,
            library=self.library + factor * by_library,
            manual=self.manual + factor * by_hand,
            squared=Squared(self.library, by_library),
        )

    def here(self) -> Losses:
        """The same in this machine's memory."""
        if self.library.device.type == "cpu":
            return self
        return Losses(
            library=self.library.cpu(),
            manual=self.manual.cpu(),
            softmax=None if self.softmax is None else self.softmax.cpu(),
            chance=None if self.chance is None else self.chance.cpu(),
            parts=None if self.parts is None else self.parts.here(),
            squared=None if self.squared is None else self.squared.here(),
        )

    @classmethod
    def in_chunks(cls, case: Case, *, in_parts: bool, call: int = 0) -> Losses:
        """The same in calls on a few entries at a time, whose intermediate results stay in the cache.

        call  entries of a call on a device, counted from the first one of the input
        """
        if not case.block.sample_shape:
            return cls.of(case, in_parts=in_parts)
        chunks = [cls.of(part, in_parts=in_parts, as_samples=True) for part in _chunks(case, call)]
        chances = [each.chance for each in chunks if each.chance is not None]
        parts = [each.parts for each in chunks if each.parts is not None]
        squared = [each.squared for each in chunks if each.squared is not None]
        return cls(
            library=torch.cat([each.library for each in chunks]),
            manual=torch.cat([each.manual for each in chunks]),
            softmax=None,
            chance=torch.cat(chances) if chances else None,
            parts=SmoothedParts.joined(parts) if parts else None,
            squared=Squared.joined(squared) if squared else None,
        )

    def part(self, start: int, stop: int) -> Losses:
        """Those of some entries of the first axis; of one sample alone, its own."""
        if not self.library.ndim:
            return self
        softmax = None if self.softmax is None else self.softmax[start:stop]
        chance = None if self.chance is None else self.chance[start:stop]
        parts = None if self.parts is None else self.parts.part(start, stop)
        squared = None if self.squared is None else self.squared.part(start, stop)
        return Losses(self.library[start:stop], self.manual[start:stop], softmax, chance, parts, squared)

    @property
    def of_cross_entropy(self) -> torch.Tensor:
        """The library's losses before anything was added."""
        return self.library if self.squared is None else self.squared.plain


@dataclass(frozen=True)
class Part:
    """Some samples, or all, with their losses by both paths."""

    case: Case
    losses: Losses
    samples: int  # of the whole input
    streamed: bool = False  # it is read in blocks, so that torch's own total has to be followed through them
    keeps_addends: bool = False

    @classmethod
    def whole(cls, problem: Problem) -> Part:
        """All samples, as torch computes them in one call."""
        case = Case(problem.block(), problem.options)
        in_parts = problem.options.reduction != "none"
        return cls(case, Losses.of(case, in_parts=in_parts), problem.samples)

    @classmethod
    def read(cls, problem: Problem, start: int, stop: int, *, keeps_addends: bool = False) -> Part:
        """Some entries of torch's batch axis of a streamed input."""
        case = Case(problem.block(start, stop), problem.options)
        call = 0 if problem.options.device == "cpu" else problem.entries_a_call
        losses = Losses.in_chunks(case, in_parts=keeps_addends, call=call)
        return cls(case, losses, problem.samples, streamed=True, keeps_addends=keeps_addends)

    def part(self, start: int, stop: int) -> Part:
        """Some entries of the first axis, as they are."""
        return replace(self, case=self.case.part(start, stop), losses=self.losses.part(start, stop))

    def label_sums(self) -> LabelSums | None:
        """What `nll_loss` adds, as far as it can be known; None where it adds nothing."""
        parts, smoothing = self.losses.parts, self.case.options.label_smoothing
        nll = parts.nll if parts else None if smoothing else self.losses.of_cross_entropy
        wanted = self.case.block.has_labels and self.case.options.reduction != "none" and not self.case.form.binary
        wanted = wanted and self.case.block.product is None  # torch would multiply all rows at once
        if not wanted or nll is None or self.case.options.device != "cpu":
            return None
        return LabelSums.of(self.case, nll, self.samples)

    def addends(self) -> tuple[NDArray[Any], ...]:
        """What `torch.sum` adds, as a table; none where it is not kept."""
        if not self.keeps_addends:
            return ()
        parts, counted = self.losses.parts, self.case.counted if self.case.block.has_labels else None
        smooth, squared = parts.smooth if parts else None, self.losses.squared
        squares = None if squared is None else squared.squares
        return (Addends(self.losses.manual, smooth, counted, self.case.label_weights, squares).table(),)


@dataclass(frozen=True)
class Computed:
    """The losses of a block's samples, three times."""

    case: Case
    softmax: torch.Tensor | None  # of the logits' shape; None where it was let go
    chance: torch.Tensor | None  # the label's probability, [rows]; None where it is not wanted
    library: PathRows
    manual: PathRows
    truth: Truth | None  # None with --reference off

    def probabilities(self, rows: list[int]) -> torch.Tensor:
        """The softmax of some rows of the block; [rows, C]."""
        block = self.case.block
        if not block.sample_shape:
            return self._softmax(block).expand(len(rows), -1)
        entry, *inner = np.unravel_index(np.array(rows, np.intp), block.sample_shape)
        softmax = self.softmax
        if softmax is None:
            entries, entry = np.unique(entry, return_inverse=True)
            softmax = self._softmax(replace(block, logits=block.logits[torch.from_numpy(entries)]))
        return softmax.movedim(block.class_dim, -1)[(entry, *inner)]

    def _softmax(self, block: Block) -> torch.Tensor:
        """As the manual path has it where it computes."""
        return manual.probabilities(block.on(self.case.options.device)).cpu()


def _chunks(case: Case, call: int) -> Iterator[Case]:
    block = case.block
    fitting = CHUNK_BYTES * len(block.logits) // max(1, block.logits.nbytes)
    step = call or max(1, min(fitting, CHUNK_ROWS * len(block.logits) // max(1, block.samples)))
    first = block.first_row // max(1, math.prod(block.sample_shape[1:]))
    for start in range(-(first % call) if call else 0, max(1, len(block.logits)), step):
        yield case.part(max(start, 0), start + step)


def compute(part: Part, policy: Policy, *, bits: int | None) -> Computed:
    """The losses of a block by both paths next to the truth; arguments as for `measure`."""
    case, losses = part.case, part.losses
    truth = None if policy.reference == "off" else certify(case, bits, moments=policy.metrics)
    bounds = (None, None) if truth is None else bounds_of(case, truth)
    tolerance = policy.tolerance if case.options.reduction == "none" else None
    library_rows, manual_rows = (
        replace(_judged(floats(values), truth, bound, tolerance), probable=_probable(name, part, truth))
        for name, values, bound in zip(BOUNDS, (losses.library, losses.manual), bounds, strict=True)
    )
    chance = None if losses.chance is None else losses.chance.reshape(-1)
    return Computed(case, losses.softmax, chance, library_rows, manual_rows, truth)


def _probable(path: str, part: Part, truth: Truth | None) -> Floats | None:
    """What random rounding makes of each row's loss in a path; [rows]."""
    block = part.case.block
    is_plain = not block.is_derived and part.case.options.z_loss is None
    if truth is None or block.blur is not None or block.ends is not None or not is_plain:
        return None
    logits, values = truth.terms.logits, 2 * part.samples
    return probable_rows(path, part.case.model, truth.rows, part.case.form, logits=logits, values=values)


def _judged(values: Floats, truth: Truth | None, bound: Bound | None, tolerance: Tolerance | None) -> PathRows:
    magnitude = None if bound is None else bound.magnitude
    return PathRows(values, *judge_rows(values, truth, bound, tolerance), magnitude)


def certify(case: Case, bits: int | None, *, moments: bool = False) -> Truth:
    """Enclosures of the true losses; exact ones with `bits`, and where float64 overflows on the way to a number."""
    terms = terms_of(case.block, case.options)
    rows = terms.enclose(moments=moments)
    none = np.zeros(len(rows.loss), bool)
    if case.block.ends is not None:
        return Truth(terms, _enclosed(rows, *case.block.ends), none, None, _moved(rows, *case.block.ends))
    if case.block.blur is not None:
        return Truth(terms, _blurred(rows, case.block.blur), none, None)
    if case.block.transform is not None or case.block.product is not None:
        return _of_transformed(case, terms, rows, bits)
    known = Truth(terms, rows, none, None)
    if case.options.z_loss is not None:
        known = _with_z_loss(known, LogSums.of(rows, terms.logits), case.options.z_loss)
    chosen = known.rows.radius == np.inf if bits is None else known.rows.is_number
    return known if bits is None and not chosen.any() else _sharpened(known, case, bits, chosen)


def _with_z_loss(truth: Truth, log_sums: LogSums, factor: float) -> Truth:
    """The truth of losses to which the z-loss was added."""
    return replace(truth, rows=log_sums.added(truth.rows, factor), plain=truth.rows, log_sums=log_sums)


def _sharpened(truth: Truth, case: Case, bits: int | None, chosen: Bools) -> Truth:
    """The same with the losses of the chosen rows enclosed by exact arithmetic."""
    sharp, exact = sharpen(truth.rows, case.block, case.options, bits or FLOAT64_BITS, chosen)
    return replace(truth, rows=sharp, exactly=chosen, exact=exact)


def _of_transformed(case: Case, terms: Terms, rows: Rows, bits: int | None) -> Truth:
    """The truth of derived logits; the terms, and all statistics but the loss, are of the paths' own logits."""
    found = Transformed.of(case, rows) if case.block.product is None else of_product(case, rows)
    none = np.zeros(len(rows.loss), bool)
    truth = Truth(terms, found.known(rows), none, None, found.moved, found.free)
    if case.options.z_loss is not None:
        truth = _with_z_loss(truth, found.log_sums, case.options.z_loss)
    chosen = none if bits is None else truth.rows.is_number & ~found.beyond
    return _sharpened(truth, case, bits, chosen) if chosen.any() else truth


def _enclosed(rows: Rows, lower: Floats, upper: Floats) -> Rows:
    """Enclosures by the ends of each label's −log p; rows that have none, or that do not count, stay as they are.

    The loss is s times it: for s < 0 an unknown upper end is an unknown lower one, and nothing is claimed.
    """
    known = ~np.isnan(lower) & ~rows.ignored & np.isfinite(rows.loss)
    is_open = known & np.isinf(upper)
    upper = np.where(known & ~is_open, upper, lower)
    loss, radius = rows.scale * (lower + (upper - lower) / 2), np.abs(rows.scale) * (upper - lower) / 2
    radius = (radius + 4.0 * UNIT * np.abs(loss)) * (1.0 + 8.0 * UNIT) + TINY
    radius = np.where(is_open & (rows.scale < 0), np.inf, radius)
    return replace(
        rows,
        loss=np.where(known, loss, rows.loss),
        radius=np.where(known, radius, rows.radius),
        unbounded=is_open & (rows.scale > 0),
    )


def _moved(rows: Rows, lower: Floats, upper: Floats) -> Floats:
    """How far the loss of the stored numbers, which the paths compute, may be from the known ends; [rows]."""
    ends = np.where(np.isinf(upper), lower, upper), lower
    stored = rows.loss / np.where(rows.scale == 0.0, 1.0, rows.scale)
    distance = np.maximum(*(np.abs(stored - end) for end in ends)) * np.abs(rows.scale) * (1.0 + 8.0 * UNIT)
    moved: Floats = np.where(np.isnan(lower) | rows.ignored | ~np.isfinite(rows.loss), 0.0, distance + rows.radius)
    return moved


def _blurred(rows: Rows, blur: Floats) -> Rows:
    """Enclosures of the losses before the logits were quantised: each −log p moves by up to `blur`, [rows]."""
    factor = np.abs(rows.scale) + rows.coefficient_total
    return replace(rows, radius=(rows.radius + factor * blur) * (1.0 + 2.0**-50))


def bounds_of(case: Case, truth: Truth) -> tuple[Bound, Bound]:
    """What rounding allows the library and the manual path."""
    coefficients = truth.terms.coefficients if case.form.probabilities else None
    with np.errstate(all="ignore"):
        sums = SumErrors.of(case.model, truth.rows.excess, truth.rows.classes)
    labelled = partial(library_bound, case.model, truth.rows, case.form, sums=sums)
    by_library = _binary(case, truth) if case.form.binary else labelled()
    by_hand = manual_bound(case.model, truth.rows, case.form, truth.terms.logits, coefficients, sums=sums)
    if truth.moved is not None:
        by_library, by_hand = _widened(by_library, truth.moved), _widened(by_hand, truth.moved)
    if truth.free is not None:
        by_library, by_hand = by_library.free(truth.free), by_hand.free(truth.free)
    if truth.log_sums is None:
        return by_library, by_hand
    added = partial(with_z_loss, model=case.model, rows=truth.rows, log_sums=truth.log_sums, factor=case.form.z_loss)
    return added(by_library), added(by_hand)


def _binary(case: Case, truth: Truth) -> Bound:
    target, weight = case.block.target, case.form.weight
    labels = floats(target if case.block.has_labels else target.select(case.block.class_dim, 1))
    logits = truth.terms.logits[:, 1].astype(np.float64)
    return binary_bound(case.model, truth.rows, logits, labels, 1.0 if weight is None else float(weight[1]))


def _widened(bound: Bound, moved: Floats) -> Bound:
    """The same for the truth of other numbers than the path was given."""
    return replace(bound, below=bound.below + moved, above=bound.above + moved)


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
    with np.errstate(over="ignore", invalid="ignore"):
        allowed = tolerance.atol + tolerance.rtol * np.abs(truth.rows.loss)
    inside = distance(values, truth.rows.loss) <= allowed + truth.rows.radius
    if truth.rows.unbounded is not None:
        inside |= truth.rows.unbounded & (values >= truth.rows.loss)  # no upper end is known that they could exceed
    outside = np.where(status == WITHIN, WRONG, status)
    return allowed, np.where(inside, WITHIN, outside).astype(np.uint8)
