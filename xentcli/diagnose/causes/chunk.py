"""Some rows of the input as the mistakes see them: float64, with the statistics that they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.scores import Scores, Shifted, Turned
from xentcli.diagnose.causes.sums import Sums, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from xentcli.diagnose.causes.scores import Elementwise
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats
    from xentcli.question.block import Block

    Bools = NDArray[np.bool_]
    Integers = NDArray[np.int64]

ELEMENTS = 1 << 18  # logits of a chunk: 2 MiB as float64, so that what is derived from them stays in the cache


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some entries of torch's batch axis."""

    setting: Setting
    logits: torch.Tensor  # [entries, classes, d1, ...], as the paths see them; log p of given probabilities
    target: torch.Tensor  # labels [entries, d1, ...] or probabilities of the logits' shape
    first_row: int

    @cached_property
    def grid(self) -> torch.Tensor:
        """The logits as float64, [entries, classes, d1, ...]."""
        return self.logits.double()

    @cached_property
    def rows(self) -> Floats:
        """The logits, [rows, classes]."""
        return as_rows(self.grid)

    @cached_property
    def top(self) -> Floats:
        """The greatest logit of each row."""
        greatest: Floats = self.rows.max(axis=1)
        return greatest

    @cached_property
    def best(self) -> Integers:
        """The class of the greatest logit of each row."""
        place: Integers = self.rows.argmax(axis=1)
        return place

    @cached_property
    def exponentials(self) -> Floats:
        """exp(x − max x), [rows, classes]."""
        powers: Floats = np.exp(self.rows - self.top[:, None])
        return powers

    @cached_property
    def exponential_sums(self) -> Floats:
        """Σ exp(x − max x), [rows]."""
        sums: Floats = self.exponentials.sum(axis=1)
        return sums

    @cached_property
    def scores(self) -> Shifted:
        """The right −log p."""
        if not self.setting.is_normalised:
            return Shifted(np.zeros(len(self.rows)), self.rows)
        return Shifted(np.log(self.exponential_sums), self.rows - self.top[:, None])

    @cached_property
    def nats(self) -> Floats:
        """−log p of the labels, without weights and smoothing; [rows]."""
        return self.scores.at(self.labels)

    @cached_property
    def log_sum(self) -> Floats:
        """log Σ exp(x), [rows]."""
        return self.top + self.scores.base if self.setting.is_normalised else self.scores.base

    @cached_property
    def squares(self) -> Floats:
        """log² Σ exp(x), [rows]."""
        squares: Floats = np.square(self.log_sum)
        return squares

    @cached_property
    def right(self) -> Floats:
        """The losses as they should be; [rows]."""
        return self.losses(self.scores, self.labels, self.setting.weight)

    @cached_property
    def probabilities(self) -> Floats:
        """The softmax, [rows, classes]."""
        chances: Floats = self.exponentials / self.exponential_sums[:, None]
        return chances

    @cached_property
    def counted(self) -> Bools:
        """Which rows count."""
        if not self.setting.has_labels:
            return np.ones(len(self.rows), bool)
        counted: Bools = self._stored_labels != self.setting.ignore_index
        return counted

    @cached_property
    def labels(self) -> Integers:
        """The labels, 0 where a row does not count or has none."""
        if not self.setting.has_labels:
            return np.zeros(len(self.rows), np.int64)
        return np.where(self.counted, self._stored_labels, 0)

    @cached_property
    def _stored_labels(self) -> Integers:
        stored: Integers = self.target.reshape(-1).numpy()
        return stored

    @cached_property
    def shares(self) -> Floats:
        """The target probabilities, [rows, classes]."""
        return as_rows(self.target.double())

    @cached_property
    def smooth(self) -> Floats:
        """Σ_c w_c·(−log p_c) of each row."""
        return self.scores.contract(self.setting.weight)

    def scored(self, scores: Scores, labels: Integers | None = None, counted: Bools | None = None) -> Sums:
        """The sums of the losses with these −log p, and with other labels or rows that count."""
        own = self.labels if labels is None else labels
        losses = self.losses(scores, own, self.setting.weight)
        plain = losses
        if self.setting.has_weight:
            plain = self.losses(scores, own, np.ones(self.setting.classes))
        return self.summed(losses, plain, labels, counted)

    def turned(self, function: Elementwise) -> Sums:
        """The sums of the losses with a function of each log p in the place of −log p."""
        if not self.setting.has_labels or self.setting.smoothing:
            return self.scored(Turned(function, self.scores))
        own = function(-self.nats)
        added = self.setting.z_loss * self.squares if self.setting.z_loss else 0.0
        return self.summed(self._own_weights * own + added, own + added)

    def scored_right(self) -> Sums:
        """The sums of the losses as they should be."""
        plain = self.right
        if self.setting.has_weight:
            plain = self.losses(self.scores, self.labels, np.ones(self.setting.classes))
        return self.summed(self.right, plain)

    def losses(self, scores: Scores, labels: Integers, weight: Floats) -> Floats:
        """The samples' losses as the options say, with the z-loss of the right logits; [rows]."""
        own = self.cross_entropies(scores, labels, weight)
        return own + self.setting.z_loss * self.squares if self.setting.z_loss else own

    def cross_entropies(self, scores: Scores, labels: Integers, weight: Floats) -> Floats:
        """The samples' losses with nothing added, smoothed as the options say; [rows]."""
        share = self.setting.smoothing / self.setting.classes
        if not self.setting.has_labels:
            return scores.contract(weight * ((1.0 - self.setting.smoothing) * self.shares + share))
        own: Floats = weight[labels] * scores.at(labels)
        if not share:
            return own
        smooth = self.smooth if scores is self.scores and self.setting.weight is weight else scores.contract(weight)
        return (1.0 - self.setting.smoothing) * own + share * smooth

    def summed(
        self,
        losses: Floats,
        plain: Floats | None = None,
        labels: Integers | None = None,
        counted: Bools | None = None,
    ) -> Sums:
        """The sums of losses of all rows, of those that count; without `plain` they are not followed."""
        if labels is None and counted is None:
            return replace(self._counts, total=sum_of(losses, self._chosen), plain=self._sum(plain))
        counted = self.counted if counted is None else counted
        chosen = None if counted.all() else counted
        return Sums(
            total=sum_of(losses, chosen),
            plain=np.nan if plain is None else sum_of(plain, chosen),
            weight=sum_of(self.weights(labels), chosen),
            counted=int(np.count_nonzero(counted)),
            samples=len(counted),
        )

    def _sum(self, losses: Floats | None) -> float:
        return np.nan if losses is None else sum_of(losses, self._chosen)

    @cached_property
    def _chosen(self) -> Bools | None:
        """Which rows count; None where all do."""
        return None if self.counted.all() else self.counted

    @cached_property
    def _counts(self) -> Sums:
        """What is divided by, the same for most mistakes."""
        weight = sum_of(self.weights(), self._chosen)
        return Sums(weight=weight, counted=int(np.count_nonzero(self.counted)), samples=len(self.counted))

    def weights(self, labels: Integers | None = None) -> Floats:
        """What each row weighs: its label's weight, or that of all classes by their share."""
        return self._own_weights if labels is None or not self.setting.has_labels else self.setting.weight[labels]

    @cached_property
    def _own_weights(self) -> Floats:
        weights: Floats = (
            self.setting.weight[self.labels] if self.setting.has_labels else self.shares @ self.setting.weight
        )
        return weights


def chunks(block: Block, setting: Setting) -> Iterator[Chunk]:
    """The block's samples in their order, in pieces that fit a cache."""
    logits, target = block.logits.cpu(), block.target.cpu()
    if block.given == "probabilities":
        logits = logits.double().log()
    if logits.ndim == 1:
        logits, target = logits[None], target[None]
    step = _entries(setting)
    for start in range(0, len(logits), step):
        entries = slice(start, start + step)
        yield Chunk(setting, logits[entries], target[entries], block.first_row + start * setting.inner)


def _entries(setting: Setting) -> int:
    """Of torch's batch axis, in one chunk."""
    return max(1, ELEMENTS // max(1, setting.inner * setting.classes))


def count_of(setting: Setting) -> int:
    """How many chunks the whole input has, but for those that end with a block."""
    return -(-setting.entries // _entries(setting))


def as_rows(values: torch.Tensor) -> Floats:
    """[entries, classes, d1, ...] -> [rows, classes]."""
    rows: Floats = values.movedim(1, -1).reshape(-1, values.shape[1]).numpy()
    return rows
