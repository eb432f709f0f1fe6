"""The same numbers, laid out in memory in another way; what lies between them is NaN, or a label that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.cases.case import Layout

STRANGE_LABEL = 97  # in the gaps of integers: a label beyond most cases' classes


def laid_out(values: torch.Tensor, layout: Layout) -> torch.Tensor:
    """A tensor equal to `values`, [...], whose strides are those that the layout says."""
    return LAYOUTS[layout](values)


def _copied(values: torch.Tensor) -> torch.Tensor:
    """Always a copy: an implementation may write to what it gets."""
    return values.clone(memory_format=torch.contiguous_format)


def _transposed(values: torch.Tensor) -> torch.Tensor:
    """The first axis is the one that runs fastest: (C, d, N) in memory."""
    return _moved(values, 0, -1)


def _channels_last(values: torch.Tensor) -> torch.Tensor:
    """The classes run fastest, as images often lie: (N, d, C)."""
    return _moved(values, 1, -1)


def _classes_first(values: torch.Tensor) -> torch.Tensor:
    """A plane for each class: (C, N, d)."""
    return _moved(values, 1, 0)


def _rotated(values: torch.Tensor) -> torch.Tensor:
    """The last axis runs slowest: (d, N, C), as time does in recurrent networks."""
    return _moved(values, -1, 0)


def _reversed(values: torch.Tensor) -> torch.Tensor:
    """All axes the other way round, as Fortran has them: (d, C, N)."""
    axes = tuple(reversed(range(values.ndim)))
    return _sliced(values) if values.ndim < 2 else _copied(values.permute(axes)).permute(axes)


def _moved(values: torch.Tensor, axis: int, to: int) -> torch.Tensor:
    """Contiguous once an axis is moved; one axis alone cannot be, and is sliced."""
    return _sliced(values) if values.ndim < 2 else _copied(values.movedim(axis, to)).movedim(to, axis)


def _padded(values: torch.Tensor) -> torch.Tensor:
    """Rows that lie further apart than they are long: the last stride is 1, the one before is not the last size."""
    room = _nothing((*values.shape[:-1], values.shape[-1] + 3), values)
    room[..., : values.shape[-1]] = values
    return room[..., : values.shape[-1]]


def _sliced(values: torch.Tensor) -> torch.Tensor:
    """Every second element of a longer last axis."""
    room = _nothing((*values.shape[:-1], 2 * values.shape[-1]), values)
    room[..., ::2] = values
    return room[..., ::2]


def _offset(values: torch.Tensor) -> torch.Tensor:
    """Contiguous, but not at the beginning of its storage."""
    room = _nothing((values.numel() + 5,), values)
    room[5:] = values.reshape(-1)
    return room[5:].view(values.shape)


def _expanded(values: torch.Tensor) -> torch.Tensor:
    """One entry of the first axis, seen many times; `values` must be so."""
    return values[:1].clone().expand(values.shape)


def _nothing(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    filler = float("nan") if like.is_floating_point() else STRANGE_LABEL
    return torch.full(shape, filler, dtype=like.dtype, device=like.device)


LAYOUTS: dict[Layout, Callable[[torch.Tensor], torch.Tensor]] = {
    "contiguous": _copied,
    "transposed": _transposed,
    "channels-last": _channels_last,
    "classes-first": _classes_first,
    "rotated": _rotated,
    "reversed": _reversed,
    "padded": _padded,
    "sliced": _sliced,
    "offset": _offset,
    "expanded": _expanded,
}
