"""Seeded inputs of a call: logits and labels, in the format that they are exact in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.kinds.call import TORCH_OPTIONS, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IGNORED = -100
EACH = "each"  # another upstream gradient for each sample

Arrays = dict[str, torch.Tensor]


def drawn(
    name: str,
    about: str,
    gradients: tuple[str, ...] = (),
    *,
    seed: int,
    shape: tuple[int, ...] = (8, 6),
    dtype: str = "float32",
    spread: float = 3.0,
    offset: float = 0.0,
    upstream: float | str | None = None,
    change: Callable[[Arrays], Arrays] = lambda arrays: arrays,
    **options: Any,
) -> Call:
    """A call with `logits` of a shape whose last axis are the classes, and `target`; `change` makes them what they are.

    The default reduction is the mean; options that are None are not given.
    """
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=draw, dtype=torch.float64) * spread + offset
    target = torch.randint(shape[-1], shape[:-1], generator=draw)
    numbers = torch.randn(shape[:-1], generator=draw, dtype=torch.float64)
    kind = getattr(torch, dtype)
    above = None if upstream is None else (numbers if upstream == EACH else torch.tensor(upstream)).to(kind)
    given = {key: value for key, value in (TORCH_OPTIONS | options).items() if value is not None}
    arrays = change({"logits": logits.to(kind), "target": target})
    return Call(name=name, about=about, arrays=arrays, options=given, gradients=gradients, upstream=above)


def ignoring(*rows: int) -> Callable[[Arrays], Arrays]:
    """The change that ignores these samples."""

    def change(arrays: Arrays) -> Arrays:
        target = arrays["target"].clone()
        target.view(-1)[list(rows)] = IGNORED
        return arrays | {"target": target}

    return change


def placing(numbers: Mapping[tuple[int, ...], float], labels: Mapping[int, int] | None = None) -> Callable[..., Arrays]:
    """The change that puts numbers among the logits, and labels to samples."""

    def change(arrays: Arrays) -> Arrays:
        logits, target = arrays["logits"].clone(), arrays["target"].clone()
        for index, number in numbers.items():
            logits[index] = number
        for row, label in (labels or {}).items():
            target.view(-1)[row] = label
        return arrays | {"logits": logits, "target": target}

    return change
