"""Mistakes that take the file's own numbers for probabilities, whatever their rows add up to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.scores import Mapped, entry
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats

TOLERANCE = 0.01  # what a row of rounded probabilities may miss 1 by
NEARLY = 0.1  # and one of probabilities some of which are missing
EPSILON = 1e-7  # of Keras

INPUT_IS_PROBS = Mistake(
    "input-is-probs",
    "−log p of the file's own numbers, taken as probabilities",
    "the file holds probabilities: save the logits, or torch.log(probabilities), which serve as well",
)
LOG_OF_LOGITS = Mistake(
    "nll-on-raw",
    "−log of the label's own entry of the file, as if that were a probability",
    "take the softmax first, or F.cross_entropy, which does",
)
FROM_LOGITS = Mistake(
    "from-logits-forgotten",
    "−log of the file's numbers divided by their row's sum and clipped at 1e-7, as Keras does without from_logits",
    "CategoricalCrossentropy(from_logits=True), and no softmax in the last layer",
)
CLIPPED_FIRST = Mistake(
    "from-logits-forgotten",
    "−log of the file's numbers clipped at 1e-7 and then divided by their row's sum, as Keras' sparse loss does",
    "SparseCategoricalCrossentropy(from_logits=True), and no softmax in the last layer",
    Rarity.VARIANT,
)
NORMALISED = Mistake(
    "scores-normalised",
    "−log of the file's numbers divided by their row's sum",
    "F.nll_loss(torch.log(scores / scores.sum(1, keepdim=True)), labels) is meant? then save log(scores) as logits",
)


class OwnNumbers:
    """−log of the file's own numbers: as they are, divided by their row's sum, and clipped."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.plain = Sums()
        self.others: dict[Mistake, Sums] = {}
        self.furthest = 0.0  # from 1, of the rows' sums

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""
        self.plain += chunk.scored(Mapped(_minus_log, chunk.rows))
        sums = chunk.rows.sum(axis=1)
        self.furthest = max(self.furthest, float(np.abs(sums - 1.0).max(initial=0.0)))  # NaN stays out
        self.furthest = math.inf if not np.isfinite(sums).all() else self.furthest
        if not chunk.setting.has_labels or chunk.setting.smoothing:
            return
        shares = entry(chunk.rows, chunk.labels) / sums
        clipped = np.clip(chunk.rows, EPSILON, 1.0 - EPSILON)
        for mistake, probabilities in (
            (NORMALISED, shares),
            (FROM_LOGITS, np.clip(shares, EPSILON, 1.0 - EPSILON)),
            (CLIPPED_FIRST, entry(clipped, chunk.labels) / clipped.sum(axis=1)),
        ):
            losses = chunk.summed(chunk.weights() * _minus_log(probabilities))
            self.others[mistake] = self.others.get(mistake, Sums()) + losses

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives; of probabilities the other ways are the same but for rounding."""
        adds_up, nearly = self.furthest <= TOLERANCE, self.furthest <= NEARLY
        yield Guess((INPUT_IS_PROBS if adds_up else LOG_OF_LOGITS,), self.plain.reduced(self.setting))
        unlikely = NORMALISED.code if not nearly else FROM_LOGITS.code
        for mistake, sums in self.others.items():
            rarity = Rarity.VARIANT if mistake.code == unlikely else mistake.rarity
            yield Guess((replace(mistake, rarity=rarity),), sums.reduced(self.setting))


def _minus_log(values: Floats) -> Floats:
    return -np.log(values)
