"""Cross-entropy of parts along the classes: right, and with one step changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from xentcli.conform.kinds.doubles.building import counted, right, wide, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def put_together(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) -> Tensor:
    """The maxima, then the sums, then the label's logit of each part."""
    return _loss(shards, target, reduction, ignore_index, _log_sum)


def side_by_side(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) -> Tensor:
    """All parts in one, and torch's loss of it."""
    whole = torch.cat(shards, 1)
    return torch.nn.functional.cross_entropy(whole, target, reduction=reduction, ignore_index=ignore_index)


def log_parts_added(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The loss is greater by log k of k parts."""
    return _loss(shards, target, reduction, ignore_index, lambda parts: _log_sum(parts) + math.log(len(parts)))


def own_maxima(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) -> Tensor:
    """The sums of the parts are added without moving them to one maximum."""

    def log_sum(parts: list[Tensor]) -> Tensor:
        tops = [part.amax(1, keepdim=True) for part in parts]
        total = sum(((part - top).exp().sum(1) for part, top in zip(parts, tops, strict=True)), torch.zeros(()))
        return torch.cat(tops, 1).amax(1) + total.log()

    return _loss(shards, target, reduction, ignore_index, log_sum)


def empty_is_nan(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) -> Tensor:
    """−∞ is subtracted from −∞ in a part without a finite logit."""

    def log_sum(parts: list[Tensor]) -> Tensor:
        tops = [part.detach().amax(1, keepdim=True) for part in parts]
        sums = [top[:, 0] + (part - top).exp().sum(1).log() for part, top in zip(parts, tops, strict=True)]
        return torch.stack(sums, 1).logsumexp(1)

    return _loss(shards, target, reduction, ignore_index, log_sum)


def label_of_first(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The label's logit is looked for in the first part alone, at the nearest place."""
    whole = [wide(shard) for shard in shards]
    own = whole[0].gather(1, target.clamp(0, whole[0].shape[1] - 1)[:, None])[:, 0]
    return counted(_log_sum(whole) - own, target, reduction, ignore_index).to(shards[0].dtype)


def equal_sizes(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) -> Tensor:
    """The parts are taken to be as large as the first one."""
    size = shards[0].shape[1]
    whole = [wide(shard) for shard in shards]
    part = (target.clamp(min=0) // size).clamp(max=len(whole) - 1)
    own = torch.stack([
        whole[int(number)][row, int(label - number * size) % whole[int(number)].shape[1]]
        for row, (label, number) in enumerate(zip(target.clamp(min=0), part, strict=True))
    ])  # fmt: skip
    return counted(_log_sum(whole) - own, target, reduction, ignore_index).to(shards[0].dtype)


def slope_of_own_part(shards: list[Tensor], target: Tensor, *, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The other parts than the first have no gradient of the sum."""
    return _loss(shards, target, reduction, ignore_index,
                 lambda parts: _log_sum([parts[0], *(part.detach() for part in parts[1:])]))  # fmt: skip


def _loss(shards: list[Tensor], target: Tensor, reduction: str, ignore_index: int,
          log_sum: Callable[[list[Tensor]], Tensor]) -> Tensor:  # fmt: skip
    parts = [wide(shard) for shard in shards]
    own, start = torch.zeros_like(parts[0][:, 0]), 0
    for part in parts:
        here = (target >= start) & (target < start + part.shape[1])
        found = part.gather(1, (target - start).clamp(0, part.shape[1] - 1)[:, None])[:, 0]
        own, start = torch.where(here, found, own), start + part.shape[1]
    return counted(log_sum(parts) - own, target, reduction, ignore_index).to(shards[0].dtype)


def _log_sum(parts: list[Tensor]) -> Tensor:
    top = torch.cat([part.detach().amax(1, keepdim=True) for part in parts], 1).amax(1)
    total = torch.stack([(part - top[:, None]).exp().sum(1) for part in parts], 1).sum(1)
    return top + total.log()


VOCABULARY_SHARDS = (
    wrong("plain", log_parts_added),
    wrong("offsets", own_maxima),
    wrong("empty", empty_is_nan),
    wrong("labels", label_of_first),
    wrong("plain", equal_sizes),
    wrong("plain", slope_of_own_part),
    right(put_together),
    right(side_by_side),
)
