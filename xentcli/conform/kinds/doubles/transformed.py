"""Cross-entropy with squares, with capped and with scaled logits: right, and with one step changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xentcli.conform.kinds.doubles.building import counted, plain, right, wide, wrong

if TYPE_CHECKING:
    from torch import Tensor


def with_squares(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean", ignore_index: int = -100) \
        -> tuple[Tensor, Tensor]:  # fmt: skip
    """Both the loss and its part."""
    x = wide(logits)
    squares = z_loss * x.logsumexp(1) ** 2
    loss = counted(plain(x, target, ignore_index) + squares, target, reduction, ignore_index)
    return loss.to(logits.dtype), counted(squares, target, reduction, ignore_index).to(logits.dtype)


def loss_alone(logits: Tensor, target: Tensor, lse_square_scale: float, reduction: str = "mean",
               ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The loss alone, by another name of the option, in the format of the logits."""
    squares = lse_square_scale * logits.logsumexp(1) ** 2
    return counted(plain(logits, target, ignore_index) + squares, target, reduction, ignore_index)


def not_squared(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The absolute value of logsumexp is taken, not its square."""
    x = wide(logits)
    losses = plain(x, target, ignore_index) + z_loss * x.logsumexp(1).abs()
    return counted(losses, target, reduction, ignore_index).to(logits.dtype)


def shifted_squares(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean",
                    ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The square is of the logsumexp of shifted logits."""
    x = wide(logits)
    squares = (x - x.amax(1, keepdim=True)).logsumexp(1) ** 2
    losses = plain(x, target, ignore_index) + z_loss * squares
    return counted(losses, target, reduction, ignore_index).to(logits.dtype)


def squares_of_ignored(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean",
                       ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Samples that do not count add their square."""
    x = wide(logits)
    squares = z_loss * x.logsumexp(1) ** 2
    loss = counted(plain(x, target, ignore_index), target, reduction, ignore_index)
    return (loss + (squares if reduction == "none" else squares.mean() if reduction == "mean" else squares.sum())).to(
        logits.dtype
    )


def squares_without_slope(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean",
                          ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The square has no gradient."""
    x = wide(logits)
    losses = plain(x, target, ignore_index) + z_loss * x.detach().logsumexp(1) ** 2
    return counted(losses, target, reduction, ignore_index).to(logits.dtype)


def part_without_scale(logits: Tensor, target: Tensor, *, z_loss: float, reduction: str = "mean",
                       ignore_index: int = -100) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The part that is returned beside the loss is not times z."""
    loss, part = with_squares(logits, target, z_loss=z_loss, reduction=reduction, ignore_index=ignore_index)
    return loss, part / z_loss


def capped(logits: Tensor, target: Tensor, *, softcap: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """cap·tanh(x/cap), in float32."""
    x = softcap * torch.tanh(wide(logits) / softcap)
    return counted(plain(x, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def capped_as_stored(logits: Tensor, target: Tensor, softcap: float, reduction: str = "mean",
                     ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Each step in the format of the logits."""
    x = softcap * torch.tanh(logits / softcap)
    return functional.cross_entropy(x, target, reduction=reduction, ignore_index=ignore_index)


def clamped(logits: Tensor, target: Tensor, *, softcap: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The logits are clamped, not bent."""
    x = wide(logits).clamp(-softcap, softcap)
    return counted(plain(x, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def not_scaled_back(logits: Tensor, target: Tensor, *, softcap: float, reduction: str = "mean",
                    ignore_index: int = -100) -> Tensor:  # fmt: skip
    """tanh(x/cap) is not times cap again."""
    x = torch.tanh(wide(logits) / softcap)
    return counted(plain(x, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def capped_without_slope(logits: Tensor, target: Tensor, *, softcap: float, reduction: str = "mean",
                         ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The gradient passes through the cap as if it were not there."""
    x = wide(logits)
    x = x + (softcap * torch.tanh(x / softcap) - x).detach()
    return counted(plain(x, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def label_not_capped(logits: Tensor, target: Tensor, *, softcap: float, reduction: str = "mean",
                     ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The logit of the label is the one before the cap."""
    x = wide(logits)
    bent = softcap * torch.tanh(x / softcap)
    own = x.gather(1, target.clamp(min=0)[:, None])[:, 0]
    return counted(bent.logsumexp(1) - own, target, reduction, ignore_index).to(logits.dtype)


def scaled(logits: Tensor, target: Tensor, *, scale: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """scale·x, in float32."""
    return counted(plain(wide(logits) * scale, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def tempered(logits: Tensor, target: Tensor, temperature: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """x/temperature, in the format of the logits."""
    return functional.cross_entropy(logits / temperature, target, reduction=reduction, ignore_index=ignore_index)


def divided(logits: Tensor, target: Tensor, *, scale: float, reduction: str = "mean", ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The scale is taken for a temperature."""
    return scaled(logits, target, scale=1.0 / scale, reduction=reduction, ignore_index=ignore_index)


def scaled_without_slope(logits: Tensor, target: Tensor, *, scale: float, reduction: str = "mean",
                         ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The gradient is not times the scale."""
    x = wide(logits)
    x = x + (x * scale - x).detach()
    return counted(plain(x, target, ignore_index), target, reduction, ignore_index).to(logits.dtype)


def scaled_twice_squared(logits: Tensor, target: Tensor, *, scale: float, reduction: str = "mean",
                         ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The loss is times 1/scale², as of distillation."""
    loss = scaled(logits, target, scale=scale, reduction=reduction, ignore_index=ignore_index)
    return loss / scale**2


def scaled_not_shifted(logits: Tensor, target: Tensor, *, scale: float, reduction: str = "mean",
                       ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The scaled logits are not shifted by their maximum."""
    x = wide(logits) * scale
    losses = x.exp().sum(1).log() - x.gather(1, target.clamp(min=0)[:, None])[:, 0]
    return counted(losses, target, reduction, ignore_index).to(logits.dtype)


Z_LOSS = (
    wrong("plain", not_squared),
    wrong("offsets", shifted_squares),
    wrong("ignored", squares_of_ignored),
    wrong("gradient", squares_without_slope),
    wrong("plain", part_without_scale),
    right(with_squares),
    right(loss_alone),
)
SOFTCAP = (
    wrong("offsets", clamped),
    wrong("plain", not_scaled_back),
    wrong("gradient", capped_without_slope),
    wrong("offsets", label_not_capped),
    right(capped),
    right(capped_as_stored),
)
SCALE = (
    wrong("plain", divided),
    wrong("gradient", scaled_without_slope),
    wrong("plain", scaled_twice_squared),
    wrong("offsets", scaled_not_shifted),
    right(scaled),
    right(tempered),
)
