"""Mistakes of label smoothing: on or off, of another size, or spread in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.measuring.facts import Floats

CODE = "smoothing-variant"
ROUND = (0.1, 0.01, 0.02, 0.05, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
TORCH = "torch spreads ε evenly over all C classes, the label's included, and weighs each by its own weight"


def smoothed(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with other label smoothing."""
    own = chunk.weights() * chunk.scores.at(chunk.labels) if chunk.setting.has_labels else _of_shares(chunk)
    given, classes = chunk.setting.smoothing, chunk.setting.classes
    if given:
        yield OFF, chunk.summed(own)
        yield from _variants(chunk, own, given)
    for size in ROUND:
        if size != given:
            rarity = Rarity.SEARCHED if given or size != ROUND[0] else Rarity.COMMON
            yield _on(size, rarity), chunk.summed(_smooth(chunk, own, size))
            yield _others(size, Rarity.SEARCHED), chunk.summed(_over_others(chunk, own, size))
            if not given:
                yield _added(size), chunk.summed(own + size / classes * chunk.smooth)


def _variants(chunk: Chunk, own: Floats, size: float) -> Iterator[tuple[Mistake, Sums]]:
    setting = chunk.setting
    share = size / setting.classes
    yield _others(size, Rarity.COMMON), chunk.summed(_over_others(chunk, own, size))
    yield KEPT, chunk.summed(own + share * chunk.smooth)
    if setting.classes > 1:
        yield STRETCHED, chunk.summed(_smooth(chunk, own, size * setting.classes / (setting.classes - 1)))
    yield from _over_shards(chunk, own, size)
    if setting.has_weight:
        flat = chunk.scores.contract(np.ones(setting.classes))
        yield UNWEIGHTED, chunk.summed((1.0 - size) * own + share * flat)
        yield LABEL_WEIGHTED, chunk.summed((1.0 - size) * own + share * chunk.weights() * flat)
    if not chunk.counted.all() or setting.samples > len(chunk.rows):
        everything = np.where(chunk.counted, (1.0 - size) * own, 0.0) + share * chunk.smooth
        yield IGNORED_SMOOTHED, _all_rows(chunk, everything)


def _over_shards(chunk: Chunk, own: Floats, size: float) -> Iterator[tuple[Mistake, Sums]]:
    """The smooth part averaged over the classes of the first rank alone."""
    for ranks in (2, 4, 8):
        if chunk.setting.classes % ranks == 0:
            kept = np.zeros(chunk.setting.classes)
            kept[: chunk.setting.classes // ranks] = chunk.setting.weight[: chunk.setting.classes // ranks]
            local = chunk.scores.contract(kept) * ranks / chunk.setting.classes
            yield over_shard(ranks), chunk.summed((1.0 - size) * own + size * local)


def _all_rows(chunk: Chunk, losses: Floats) -> Sums:
    """The sums of all rows' losses over the divisor of those that count."""
    counted = chunk.summed(losses)
    everything = chunk.summed(losses, counted=np.ones(len(losses), bool))
    return Sums(everything.total, weight=counted.weight, counted=counted.counted, samples=counted.samples)


def _smooth(chunk: Chunk, own: Floats, size: float) -> Floats:
    return (1.0 - size) * own + size / chunk.setting.classes * chunk.smooth


def _over_others(chunk: Chunk, own: Floats, size: float) -> Floats:
    others = max(chunk.setting.classes - 1, 1)
    return (1.0 - size) * own + size / others * (chunk.smooth - own)


def _of_shares(chunk: Chunk) -> Floats:
    return chunk.scores.contract(chunk.setting.weight * chunk.shares)


def _on(size: float, rarity: Rarity) -> Mistake:
    return Mistake(CODE, f"the loss with label smoothing of {size:g}", f"--label-smoothing {size:g}", rarity)


def _others(size: float, rarity: Rarity) -> Mistake:
    return Mistake(
        CODE, f"the loss with a label smoothing of {size:g} spread over the C − 1 other classes only", TORCH, rarity
    )


def _added(size: float) -> Mistake:
    return Mistake(
        CODE,
        f"the loss with a label smoothing of {size:g}/C added for every class, the label keeping all of its 1",
        f"torch takes ε from the label: F.cross_entropy(logits, labels, label_smoothing={size:g})",
        Rarity.SEARCHED,
    )


def over_shard(ranks: int) -> Mistake:
    """What one rank of several knows of the classes."""
    return Mistake(
        CODE,
        f"the loss with the smooth part averaged over the first of {ranks} shards of the classes",
        "average log p over all shards: torch.distributed.all_reduce the sums",
        Rarity.VARIANT,
    )


STRETCHED = Mistake(CODE, "the loss with a label smoothing of ε·C/(C − 1), as Megatron-LM takes it", TORCH)
OFF = Mistake(CODE, "the loss without label smoothing", "label_smoothing=0, or leave --label-smoothing out")
KEPT = Mistake(CODE, "the smooth part added to the whole loss of the label, which should keep 1 − ε of it", TORCH)
UNWEIGHTED = Mistake(CODE, "the loss with the class weights left out of the smooth part", TORCH)
LABEL_WEIGHTED = Mistake(CODE, "the loss with the smooth part weighed by the label's weight alone", TORCH)
IGNORED_SMOOTHED = Mistake(
    CODE, "the loss with the smooth part of ignored samples added", "mask the smooth part of the loss as well"
)
