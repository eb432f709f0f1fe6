"""Losses that are kin of the cross-entropy: focal, of a uniform target, a divergence, with something added."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Guess, Mistake, Rarity
from xentcli.diagnose.causes.scores import softmax_scores
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.setting import Setting
    from xentcli.measuring.facts import Floats

ALPHA = 0.25
GAMMAS = {2.0: Rarity.COMMON, 1.0: Rarity.VARIANT} | dict.fromkeys((0.2, 0.5, 1.5, 3.0, 5.0), Rarity.SEARCHED)
Z_LOSSES = {1e-4: Rarity.COMMON} | dict.fromkeys((1e-3, 1e-5, 2e-4), Rarity.SEARCHED)
SOFTCAPS = {30.0: Rarity.COMMON, 15.0: Rarity.VARIANT, 50.0: Rarity.SEARCHED}
SHARDS = {2: Rarity.VARIANT, 4: Rarity.VARIANT, 8: Rarity.VARIANT} | dict.fromkeys((16, 32, 64), Rarity.SEARCHED)


def focal(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with what is easy weighed down."""
    if not chunk.setting.has_labels or chunk.setting.smoothing:
        return
    wrong = -np.expm1(-chunk.nats)  # 1 − p
    weighed = chunk.weights() * chunk.nats
    for gamma, rarity in GAMMAS.items():
        losses = np.square(wrong) * weighed if gamma == 2.0 else wrong**gamma * weighed
        yield focal_of(gamma, 1.0, rarity), chunk.summed(losses)
        yield focal_of(gamma, ALPHA, rarity), chunk.summed(ALPHA * losses)


def regularised(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with a multiple of log² Σ exp(x) added, or the logarithm of a number of shards."""
    if chunk.setting.has_labels:
        losses = chunk.right
        plain = chunk.cross_entropies(chunk.scores, chunk.labels, chunk.setting.weight)
        for factor, rarity in Z_LOSSES.items():
            if factor != chunk.setting.z_loss:
                yield z_loss_of(factor, rarity), chunk.summed(plain + factor * chunk.squares)
        for shards, rarity in SHARDS.items():
            yield sharded(shards, rarity), chunk.summed(losses + chunk.weights() * math.log(shards))


def other_z_losses(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss without the z-loss that was asked for, or with another of the same factor."""
    factor = chunk.setting.z_loss
    if factor:
        plain = chunk.cross_entropies(chunk.scores, chunk.labels, chunk.setting.weight)
        yield Z_LEFT_OUT, chunk.summed(plain)
        yield NOT_SQUARED, chunk.summed(plain + factor * chunk.log_sum)
        yield Z_TWICE, chunk.summed(plain + 2.0 * factor * chunk.squares)
        yield OF_THE_MAXIMUM, chunk.summed(plain + factor * np.square(chunk.top))


def exponentials(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The samples' perplexities, averaged."""
    setting = chunk.setting
    if setting.has_labels and not setting.smoothing and setting.reduction == "mean":
        yield OF_PERPLEXITIES, chunk.summed(chunk.weights() * np.exp(chunk.nats))


def capped(cap: float, chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of logits that were softly capped."""
    yield capped_at(cap, SOFTCAPS[cap]), chunk.scored(softmax_scores(cap * np.tanh(chunk.rows / cap)))


def miscapped(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of logits that were wrongly capped."""
    yield MULTIPLIED, chunk.scored(softmax_scores(chunk.rows * np.tanh(chunk.rows / CAP)))


def uncapped(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of logits that should have been capped."""
    yield CAP_UNDONE, chunk.scored(softmax_scores(CAP * np.arctanh(chunk.rows / CAP)))


def other_targets(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of other targets: of all classes alike, of the likeliest class, of class 0."""
    setting = chunk.setting
    yield UNIFORM, chunk.summed(chunk.smooth / setting.classes)
    if setting.has_labels:
        yield ARGMAX, chunk.scored(chunk.scores, chunk.best)
        yield ZEROS, chunk.scored(chunk.scores, np.zeros_like(chunk.labels))


def weighted_logits(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of the logits times the class weights."""
    if chunk.setting.has_weight and chunk.setting.has_labels:
        losses = softmax_scores(chunk.rows * chunk.setting.weight).at(chunk.labels)
        counted = int(np.count_nonzero(chunk.counted))
        total = chunk.summed(losses)
        yield ON_LOGITS, Sums(total.total, total.total, float(counted), counted, total.samples)


def diverging(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The divergence from the targets, which is the loss less their own entropy."""
    setting = chunk.setting
    if setting.has_weight or (setting.has_labels and not setting.smoothing):
        return
    losses = chunk.right - _entropies(chunk)
    yield BATCH_MEAN, chunk.summed(losses)
    yield ELEMENT_MEAN, chunk.summed(losses / setting.classes)


def _entropies(chunk: Chunk) -> Floats:
    """−Σ t·log t of the targets as they are smoothed, [rows]; all the same for labels."""
    setting = chunk.setting
    share = setting.smoothing / setting.classes
    if setting.has_labels:
        own = 1.0 - setting.smoothing + share
        rest = (setting.classes - 1) * share * math.log(share)
        return np.full(len(chunk.rows), -own * math.log(own) - rest)
    shares = (1.0 - setting.smoothing) * chunk.shares + share
    sums: Floats = -(shares * np.log(np.where(shares > 0.0, shares, 1.0))).sum(axis=1)
    return sums


class OtherZMeans:
    """The mean of the cross-entropy with the z-loss divided by all samples, though some do not count."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.applies = setting.z_loss > 0.0 and setting.has_labels and setting.reduction == "mean"
        self.plain, self.squares, self.all_squares, self.counted = 0.0, 0.0, 0.0, 0

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""
        if self.applies:
            plain = chunk.cross_entropies(chunk.scores, chunk.labels, self.setting.weight)
            self.plain += chunk.summed(plain).total
            self.squares += chunk.summed(chunk.squares).total
            self.all_squares += float(np.sum(chunk.squares))
            self.counted += int(np.count_nonzero(chunk.counted))

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        if self.applies and 0 < self.counted < self.setting.samples:
            plain, factor = self.plain / self.counted, self.setting.z_loss / self.setting.samples
            yield Guess((OF_ALL_SAMPLES,), plain + factor * self.all_squares)
            yield Guess((WITH_ZEROS,), plain + factor * self.squares)


class AllPairs:
    """The loss of every sample's prediction with every sample's label."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.applies = setting.has_labels and not setting.smoothing and not setting.has_weight
        self.total, self.counted = 0.0, 0

    def add(self, chunk: Chunk) -> None:
        """Adds some rows."""
        if self.applies:
            losses = chunk.scores.contract(self.setting.label_counts.astype(np.float64))
            self.total += chunk.summed(losses).total
            self.counted += int(np.count_nonzero(chunk.counted))

    def guesses(self) -> Iterator[Guess]:
        """What the whole input gives."""
        if self.applies and self.counted > 1:
            pairs = self.counted if self.setting.reduction == "mean" else 1
            yield Guess((EVERY_LABEL,), self.total / pairs)
            yield Guess((EVERY_PAIR,), self.total / pairs / self.counted)


def _times(factor: float) -> str:
    return "" if factor == 1.0 else f" and α = {factor:g}"


def focal_of(gamma: float, alpha: float, rarity: Rarity) -> Mistake:
    """The focal loss with these parameters."""
    return Mistake(
        "focal",
        f"the focal loss (1 − p)^γ·(−log p) with γ = {gamma:g}{_times(alpha)}",
        "the cross-entropy itself is F.cross_entropy(logits, labels); report the focal loss under its own name",
        rarity,
    )


def z_loss_of(factor: float, rarity: Rarity) -> Mistake:
    """The square of the log-sum-exp times this."""
    return Mistake(
        "z-loss-included",
        f"the loss with a z-loss of {factor:g}·log² Σ exp(x) added",
        "log the two apart: ce = F.cross_entropy(logits, labels); loss = ce + z * logits.logsumexp(1).square().mean()",
        rarity,
    )


Z_LINE = "lse = logits[labels != -100].logsumexp(1); loss = F.cross_entropy(logits, labels) + z * lse.square().mean()"
Z_LEFT_OUT = Mistake("z-loss-wrong", "the cross-entropy alone, without the z-loss", Z_LINE)
NOT_SQUARED = Mistake("z-loss-wrong", "the loss with the z-loss taken of log Σ exp(x) without its square", Z_LINE)
OF_ALL_SAMPLES = Mistake("z-loss-wrong", "the loss with the z-loss averaged over ignored samples, too", Z_LINE)
WITH_ZEROS = Mistake(
    "z-loss-wrong", "the loss with the z-loss divided by the number of all samples, the ignored ones as 0", Z_LINE
)
Z_TWICE = Mistake("z-loss-wrong", "the loss with the z-loss added twice", Z_LINE, Rarity.VARIANT)
OF_THE_MAXIMUM = Mistake(
    "z-loss-wrong", "the loss with the square of the greatest logit in place of log² Σ exp(x)", Z_LINE, Rarity.VARIANT
)


def sharded(shards: int, rarity: Rarity) -> Mistake:
    """Gathered logits whose sum of exponentials is added up over so many ranks once more."""
    return Mistake(
        "shard-log-k",
        f"the loss + ln {shards}: Σ exp(x) was added up over {shards} ranks that each had all classes",
        "reduce Σ exp(x) only over shards of the vocabulary: gather the logits or all_reduce the sums, not both",
        rarity,
    )


def capped_at(cap: float, rarity: Rarity) -> Mistake:
    """A soft cap where none was asked for."""
    return Mistake(
        "softcap",
        f"the loss of the logits softly capped at {cap:g}: {cap:g}·tanh(x/{cap:g})",
        f"the file has the logits before the cap: save {cap:g} * torch.tanh(logits / {cap:g})",
        rarity,
    )


CAP = 30.0  # of Gemma and its kin
MULTIPLIED = Mistake(
    "softcap",
    "the loss of x·tanh(x/30), a soft cap that multiplies the logit instead of 30",
    "the cap is 30 * torch.tanh(logits / 30)",
    Rarity.VARIANT,
)
CAP_UNDONE = Mistake(
    "softcap",
    "the loss of the logits before their soft cap at 30",
    "keep the cap: F.cross_entropy(30 * torch.tanh(logits / 30), labels)",
    Rarity.VARIANT,
)
UNIFORM = Mistake(
    "uniform-target",
    "the loss of a uniform target: −log p averaged over all classes, whatever the label",
    "choose the label's own: -log_p.gather(1, labels[:, None]).mean(), not -log_p.mean()",
)
OF_PERPLEXITIES = Mistake(
    "mean-of-perplexities",
    "the mean of the samples' perplexities, exp(loss) of each",
    "average first: torch.exp(losses.mean()), not torch.exp(losses).mean()",
)
ARGMAX = Mistake(
    "other-label",
    "the loss with the likeliest class in place of the label",
    "F.cross_entropy(logits, labels): labels are the truth, not logits.argmax(1)",
)
ZEROS = Mistake(
    "other-label",
    "the loss with class 0 as the label of every sample",
    "F.cross_entropy(logits, labels): the labels got lost, as torch.zeros_like or an empty mask loses them",
    Rarity.VARIANT,
)
ON_LOGITS = Mistake(
    "weights-on-logits",
    "the loss of the logits multiplied by the class weights",
    "weigh the losses, not the logits: F.cross_entropy(logits, labels, weight=weight)",
)
BATCH_MEAN = Mistake(
    "kl-instead-of-ce",
    "the Kullback-Leibler divergence from the targets, which is the loss less their entropy",
    "F.cross_entropy(logits, targets) takes probabilities; F.kl_div leaves their entropy out",
)
ELEMENT_MEAN = Mistake(
    "kl-instead-of-ce",
    "the Kullback-Leibler divergence from the targets, averaged over the classes as well",
    'F.cross_entropy(logits, targets); F.kl_div wants reduction="batchmean"',
)
EVERY_LABEL = Mistake(
    "broadcast-all-pairs",
    "the losses of every prediction with every label, added up over the labels: N × N by broadcasting",
    "pair them: log_p[torch.arange(N), labels], not log_p[:, labels]",
)
EVERY_PAIR = Mistake(
    "broadcast-all-pairs",
    "the mean loss over every prediction with every label: N × N by broadcasting",
    "pair them: log_p[torch.arange(N), labels], not log_p[:, labels]",
)
