"""The mistake of a mean of means: per sequence, or per micro-batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.labelling import neighbours, shifted_by
from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.sums import quotient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats

BATCHES = (*(2**power for power in range(1, 11)), 3, 5, 6, 10, 12, 20, 24, 25, 48, 50, 96, 100, 200, 250, 500, 1000)
SPLITS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 32, 64)  # steps of gradient accumulation, processes of a data-parallel run
REMEDY = "add up losses and weights over all groups, and divide once: sum of sums / sum of counts"


class GroupMeans:
    """The plain mean of the means of groups of so many consecutive rows, which come in any pieces."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows = 0
        self.open = np.zeros(2)  # the sums of losses and of weights of the last, unfinished group
        self.total, self.powers, self.filled, self.empty = 0.0, 0.0, 0, 0

    def add(self, losses: Floats, weights: Floats) -> None:
        """Adds some rows; a row that does not count has a loss and a weight of 0."""
        pairs = np.stack((losses, weights))  # [2, rows]
        starts = np.arange(-self.rows % self.size, len(losses), self.size)
        first = int(starts[0]) if len(starts) else len(losses)
        self.open += pairs[:, :first].sum(axis=1)
        if len(starts):
            self._close(self.open[:, None] if self.rows else np.zeros((2, 0)))
            sums = np.add.reduceat(pairs, starts, axis=1)
            self._close(sums[:, :-1])
            self.open = sums[:, -1]
        self.rows += len(losses)

    def means(self) -> tuple[float, float]:
        """The mean over all groups, and that over those in which something counts."""
        self._finish()
        every = np.nan if self.empty else quotient(self.total, self.filled)
        return every, quotient(self.total, self.filled)

    def mean_power(self) -> float:
        """The mean of exp(mean) over the groups in which something counts."""
        self._finish()
        return quotient(self.powers, self.filled)

    def _finish(self) -> None:
        if self.rows:
            self._close(self.open[:, None])
        self.open, self.rows = np.zeros(2), 0

    def _close(self, sums: Floats) -> None:
        weights = sums[1]
        filled = weights != 0.0
        means = sums[0, filled] / weights[filled]
        self.total += float(means.sum())
        self.powers += float(np.exp(means).sum())
        self.filled += int(np.count_nonzero(filled))
        self.empty += int(np.count_nonzero(~filled))


class MeansOfMeans:
    """All the groups that one might have taken the means of."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        applies = setting.reduction == "mean" and setting.samples
        self.groups = {mistake: GroupMeans(size) for mistake, size in groupings(setting)} if applies else {}
        several = applies and setting.has_labels and setting.inner > 1 and setting.entries > 1
        self.shifted = {shifted_by(step, rolled=False): step for step in (1, -1)} if several else {}
        self.moved = {mistake: GroupMeans(setting.sequence) for mistake in self.shifted}

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""
        setting = self.setting
        counted = chunk.counted
        if not self.groups:
            return
        losses = np.where(counted, chunk.right, 0.0)
        weights = chunk.weights() * counted if setting.has_labels else np.ones(len(losses))
        for means in self.groups.values():
            means.add(losses, weights)
        for mistake, step in self.shifted.items():
            labels, inside = neighbours(chunk, step)
            known = inside & (labels != setting.ignore_index)
            labels = np.where(known, labels, 0)
            moved = np.where(known, chunk.losses(chunk.scores, labels, setting.weight), 0.0)
            self.moved[mistake].add(moved, chunk.weights(labels) * known)

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        for mistake, means in self.groups.items():
            for value in dict.fromkeys(means.means()):
                yield Guess((mistake,), value)
            if mistake.rarity == Rarity.COMMON:
                yield Guess((OF_PERPLEXITIES,), means.mean_power())
        for mistake, means in self.moved.items():
            yield Guess((mistake, per_sequence(self.setting.samples // self.setting.sequence)), means.means()[1])


OF_PERPLEXITIES = Mistake(
    "mean-of-perplexities",
    "the mean of the sequences' perplexities, exp(mean loss) of each",
    "the perplexity of a text is that of all its tokens: torch.exp(losses.sum() / count)",
)


def groupings(setting: Setting) -> Iterator[tuple[Mistake, int]]:
    """Each way to cut the samples into groups, with the rows of a group."""
    if setting.inner > 1 and setting.entries > 1:
        yield per_sequence(setting.entries), setting.inner
    for steps in SPLITS:
        if setting.entries % steps == 0 and setting.entries > steps:
            yield per_step(steps), setting.entries // steps * setting.inner
    for batch in BATCHES:
        if setting.entries > batch:
            yield per_batch(batch), batch * setting.inner


def per_sequence(entries: int) -> Mistake:
    """Groups that the input itself has."""
    return Mistake("mean-of-group-means", f"the mean of the means of the {entries:,} sequences", REMEDY)


def per_step(steps: int) -> Mistake:
    """Equal groups, so many of them."""
    return Mistake(
        "mean-of-group-means", f"the mean of the means of {steps} equal micro-batches", REMEDY, Rarity.VARIANT
    )


def per_batch(batch: int) -> Mistake:
    """Groups of a round size, the last one smaller."""
    return Mistake(
        "mean-of-group-means", f"the mean of the means of batches of {batch}, the last one smaller", REMEDY,
        Rarity.SEARCHED,
    )  # fmt: skip
