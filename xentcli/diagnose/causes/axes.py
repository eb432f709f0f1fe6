"""Mistakes about which axis the classes are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.diagnose.causes.chunk import as_rows
from xentcli.diagnose.causes.mistake import Guess, Mistake
from xentcli.diagnose.causes.scores import Mapped, softmax_scores
from xentcli.diagnose.causes.sums import Sums, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats

CODE = "wrong-class-axis"
HELD = 600.0  # what a logit may be below another before float64 loses its exponential beside the other's
SAY_WHICH = "torch wants logits [N, C, ...] and softmax over dim=1; --class-axis says where the classes are in the file"
OVER_BATCH = Mistake(
    CODE, "the loss with the softmax taken over the samples, axis 0, instead of the classes", SAY_WHICH
)
TRANSPOSED = Mistake(CODE, "the loss with samples and classes, which are equally many, taken for each other", SAY_WHICH)
SWAPPED = Mistake(
    CODE, "the loss with the classes taken from the last axis, which is as long as the class axis", SAY_WHICH
)
RESHAPED = Mistake(
    CODE,
    "the loss of logits [N, C, ...] cut into rows of C by reshape(-1, C), which mixes samples and classes",
    "move the class axis first: logits.movedim(1, -1).reshape(-1, C)",
)
VIEWED = Mistake(
    CODE,
    "the loss of logits [N, ..., C] made [N, C, ...] by view or reshape, which mixes samples and classes",
    "move the axis instead of reshaping: logits.movedim(-1, 1)",
)


def misread_axes(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss over other axes of the same entries."""
    grid, inner = chunk.grid, tuple(chunk.grid.shape[2:])
    for axis in range(2, grid.ndim):
        yield over_axis(axis), chunk.scored(Mapped(np.negative, as_rows(torch.log_softmax(grid, axis))))
    if inner and inner[-1] == chunk.setting.classes:
        yield SWAPPED, chunk.scored(softmax_scores(as_rows(grid.transpose(1, -1))))
    if inner and chunk.setting.inner > 1:
        yield RESHAPED, chunk.scored(softmax_scores(grid.reshape(-1, grid.shape[1]).numpy()))
        viewed = grid.movedim(1, -1).reshape(grid.shape)
        yield VIEWED, chunk.scored(softmax_scores(as_rows(viewed)))


def over_axis(axis: int) -> Mistake:
    """The softmax over one of the axes behind the classes."""
    return Mistake(
        CODE, f"the loss with the softmax taken over axis {axis} of [N, C, ...] instead of the classes", SAY_WHICH
    )


class OverBatch:
    """The loss with the softmax over the samples: a log-sum-exp for each class, which blocks add to."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.log_sums = np.full((setting.classes, setting.inner), -np.inf)
        self.sums, self.scale = np.zeros((setting.classes, setting.inner)), -np.inf  # of exp(x − scale), elsewhere
        self.coefficients = np.zeros((setting.classes, setting.inner))  # what each class's log-sum-exp counts
        self.own = Sums()

    def add(self, chunk: Chunk) -> None:
        """Adds some entries."""
        scale = max(self.scale, float(chunk.top.max()))
        if self.setting.inner == 1 and chunk.rows.min() > scale - HELD:
            self.sums *= np.exp(self.scale - scale)
            self.sums += (np.exp(chunk.top - scale) @ chunk.exponentials)[:, None]
            self.scale = scale
        else:
            flat = chunk.grid.reshape(len(chunk.grid), self.setting.classes, -1)  # [entries, classes, inner]
            self.log_sums = np.logaddexp(self.log_sums, torch.logsumexp(flat, 0).numpy())
        self.coefficients += _coefficients(chunk)
        self.own += chunk.scored(Mapped(np.negative, chunk.rows))

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        log_sums = np.logaddexp(self.log_sums, np.log(self.sums) + (self.scale if self.sums.any() else 0.0))
        total = self.own.total + float((self.coefficients * log_sums)[self.coefficients != 0.0].sum())
        sums = Sums(total, weight=self.own.weight, counted=self.own.counted, samples=self.own.samples)
        yield Guess((OVER_BATCH,), sums.reduced(self.setting))


class Transposed:
    """The loss of square logits [N, N] with samples and classes taken for each other."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.applies = setting.has_labels and setting.problem.sample_shape == (setting.classes,)
        self.applies &= not setting.smoothing
        self.log_sums = np.full(setting.classes, -np.inf)
        self.own = np.zeros(setting.classes)

    def add(self, chunk: Chunk) -> None:
        """Adds some rows, which are classes here."""
        if not self.applies:
            return
        self.log_sums = np.logaddexp(self.log_sums, torch.logsumexp(chunk.grid, 0).numpy())
        labels = self.setting.labels.astype(np.int64)
        here = np.flatnonzero((labels >= chunk.first_row) & (labels < chunk.first_row + len(chunk.rows)))
        self.own[here] = chunk.rows[labels[here] - chunk.first_row, here]

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        if self.applies:
            labels = self.setting.labels.astype(np.int64)
            counted = labels != self.setting.ignore_index
            weight = self.setting.weight[np.where(counted, labels, 0)]
            total = sum_of(weight * (self.log_sums - self.own), counted)
            sums = Sums(total, weight=sum_of(weight, counted), samples=len(labels))
            yield Guess((TRANSPOSED,), sums.reduced(self.setting))


def _coefficients(chunk: Chunk) -> Floats:
    """What each class counts for in all entries, at each of their positions; [classes, inner]."""
    setting, share = chunk.setting, chunk.setting.smoothing / chunk.setting.classes
    classes, inner = setting.classes, setting.inner
    if not setting.has_labels:
        shares: Floats = chunk.shares.reshape(-1, inner, classes).sum(axis=0).T
        count = len(chunk.rows) / inner
        spread: Floats = setting.weight[:, None] * ((1.0 - setting.smoothing) * shares + share * count)
        return spread
    place = np.arange(len(chunk.rows)) % inner
    coefficients: Floats = share * np.outer(setting.weight, np.bincount(place, chunk.counted, inner))
    own = np.bincount(chunk.labels * inner + place, chunk.weights() * chunk.counted, classes * inner)
    coefficients += (1.0 - setting.smoothing) * own.reshape(classes, inner)
    return coefficients
