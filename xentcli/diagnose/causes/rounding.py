"""Mistakes of too few digits: cancellation at a large offset, and the 16-bit formats."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.scores import Rounded, Shifted, softmax_scores
from xentcli.losses.cascade import cascade_sum
from xentcli.numbers.precision import BFLOAT16, FLOAT16, FLOAT32

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats
    from xentcli.numbers.precision import Precision

HALVES = (BFLOAT16, FLOAT16)
KEPT_LOSSES = 1 << 24  # samples whose losses in 16 bits are kept to be added up as torch adds them


def cancelled(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """logsumexp(x) − x[y], each rounded as numbers of the logits' own size are."""
    for precision in dict.fromkeys((chunk.setting.precision, FLOAT32)):
        if chunk.setting.precision.bits >= precision.bits and precision.bits < 53:
            values, base = chunk.rows, chunk.log_sum
            if precision != chunk.setting.precision:
                values = rounded(precision, chunk.rows)
                base = softmax_scores(values).base + values.max(axis=1)
            yield cancellation(precision), chunk.scored(Rounded(base, values, partial(rounded, precision)))


def cast(precision: Precision, chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of the logits cast to a format of 16 bits."""
    if chunk.setting.precision.bits > precision.bits:
        yield cast_to(precision), chunk.scored(softmax_scores(rounded(precision, chunk.rows)))


def narrowed(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """Each sample's loss in 16 bits, and what float32 makes of losses next to 0."""
    for precision in HALVES:
        if chunk.setting.precision.bits > precision.bits:
            yield stored_each(precision), chunk.turned(partial(_minus_rounded, precision))
    if chunk.setting.precision.bits >= FLOAT32.bits:
        yield LOST_IN_ONE, chunk.scored(Shifted(_one_plus(chunk), chunk.scores.values))


class SixteenBits:
    """The whole computation, or the sum of right losses alone, in a 16-bit format, as torch adds on a CPU."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.applies = setting.has_labels and not setting.smoothing and setting.samples <= KEPT_LOSSES
        kept = setting.samples if self.applies else 0  # made once: small pieces between large ones scatter the memory
        self.losses: dict[Mistake, torch.Tensor] = {}
        self.counted = torch.zeros(kept, dtype=torch.bool)
        self.weights = torch.zeros(kept, dtype=torch.float64)

    def add(self, chunk: Chunk) -> None:
        """Adds the losses of some rows."""
        if not self.applies:
            return
        here = slice(chunk.first_row, chunk.first_row + len(chunk.rows))
        self.counted[here] = torch.from_numpy(chunk.counted)
        self.weights[here] = torch.from_numpy(chunk.weights())
        right = torch.from_numpy(np.where(chunk.counted, chunk.right, 0.0))
        for precision in HALVES:
            dtype = getattr(torch, precision.name)
            if self.setting.precision.bits >= precision.bits:
                self._keep(summed_in(precision), here, right.to(dtype))
                self._keep(computed_in(precision), here, _library(chunk, dtype))

    def _keep(self, mistake: Mistake, here: slice, losses: torch.Tensor) -> None:
        if mistake not in self.losses:
            self.losses[mistake] = torch.zeros(len(self.counted), dtype=losses.dtype)
        self.losses[mistake][here] = losses

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        for mistake, losses in self.losses.items():
            weights = self.weights.to(losses.dtype) if self.setting.has_weight else None
            yield Guess((mistake,), self._reduced(losses, self.counted, weights))

    def _reduced(self, losses: torch.Tensor, counted: torch.Tensor, weights: torch.Tensor | None) -> float:
        total = cascade_sum(losses, counted)
        if self.setting.reduction == "sum":
            return float(total)
        count = counted.sum().to(losses.dtype)
        return float(total / (count if weights is None else cascade_sum(weights, counted)))


def rounded(precision: Precision, values: Floats) -> Floats:
    """The nearest numbers that the format holds."""
    nearest: Floats = torch.from_numpy(np.asarray(values)).to(getattr(torch, precision.name)).double().numpy()
    return nearest


def stored_in(precision: Precision, value: float) -> float:
    """One number in the format."""
    return float(rounded(precision, np.array([value]))[0])


def _minus_rounded(precision: Precision, values: Floats) -> Floats:
    return rounded(precision, -values)


def _one_plus(chunk: Chunk) -> Floats:
    """log(1 + T), the sum of exponentials of a row whose greatest is 1 rounded to float32; [rows]."""
    logarithms: Floats = np.log(rounded(FLOAT32, np.exp(chunk.scores.base)))
    return logarithms


def _library(chunk: Chunk, dtype: torch.dtype) -> torch.Tensor:
    """torch's own losses of the same numbers in another format; [rows]."""
    setting = chunk.setting
    weight = torch.from_numpy(setting.weight).to(dtype) if setting.has_weight else None
    losses = torch.nn.functional.cross_entropy(
        chunk.logits.to(dtype), chunk.target, weight, ignore_index=setting.ignore_index, reduction="none"
    )
    return losses.reshape(-1)


def cancellation(precision: Precision) -> Mistake:
    """The difference of two large numbers."""
    return Mistake(
        "offset-cancellation",
        f"logsumexp(x) − x[y] with both rounded to {precision.name}, whose digits go to the logits' common offset",
        "take F.log_softmax, which takes the row's maximum off first, or do so yourself: x - x.max(1, keepdim=True)",
    )


def cast_to(precision: Precision) -> Mistake:
    """Logits of fewer digits."""
    return Mistake(
        "low-precision",
        f"the loss of the logits cast to {precision.name}",
        f"keep the logits as they are, logits.float(), or ask for the loss after the cast: --dtype {precision.name}",
    )


def stored_each(precision: Precision) -> Mistake:
    """Losses of fewer digits."""
    return Mistake(
        "low-precision",
        f"the loss with that of each sample rounded to {precision.name}",
        "keep the losses in float32: losses.float()",
        Rarity.VARIANT,
    )


def summed_in(precision: Precision) -> Mistake:
    """A sum of fewer digits."""
    return Mistake(
        "low-precision",
        f"the right losses stored and added up in {precision.name}",
        "add in float32: losses.float().mean()",
        Rarity.VARIANT,
    )


def computed_in(precision: Precision) -> Mistake:
    """Everything in fewer digits."""
    return Mistake(
        "low-precision",
        f"F.cross_entropy computed in {precision.name}, its sum included",
        "F.cross_entropy(logits.float(), labels)",
    )


LOST_IN_ONE = Mistake(
    "low-precision",
    "the loss with 1 + T, the sum of a row's exponentials, rounded to float32, which loses what is below 6e-08",
    "losses this small need float64: --dtype float64",
)
