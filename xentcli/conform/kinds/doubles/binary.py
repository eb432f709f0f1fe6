"""Binary cross-entropy and the focal loss: right, and with one step changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xentcli.conform.kinds.doubles.building import reduced, right, wide, wrong

if TYPE_CHECKING:
    from torch import Tensor


def torchs(logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """torch's own."""
    return functional.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight, reduction=reduction)


def both_sides(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """Two logarithms of sigmoids, in float32."""
    x, t = wide(logits), wide(target)
    weight = torch.ones_like(x) if pos_weight is None else wide(pos_weight)
    losses = -weight * t * functional.logsigmoid(x) - (1.0 - t) * functional.logsigmoid(-x)
    return reduced(losses, reduction, losses.numel()).to(logits.dtype)


def log_of_sigmoid(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """The logarithm of a sigmoid, which is 0 for large logits of the other side."""
    x, t = wide(logits), wide(target)
    p = x.sigmoid()
    weight = torch.ones_like(x) if pos_weight is None else wide(pos_weight)
    losses = -weight * torch.xlogy(t, p) - torch.xlogy(1.0 - t, 1.0 - p)
    return reduced(losses, reduction, losses.numel()).to(logits.dtype)


def clamped_logarithm(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") \
        -> Tensor:  # fmt: skip
    """The logarithms are floored at -50."""
    x, t = wide(logits), wide(target)
    weight = torch.ones_like(x) if pos_weight is None else wide(pos_weight)
    losses = weight * t * (-functional.logsigmoid(x)).clamp(max=50.0)
    losses = losses + (1.0 - t) * (-functional.logsigmoid(-x)).clamp(max=50.0)
    return reduced(losses, reduction, losses.numel()).to(logits.dtype)


def weight_of_all(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """The weight is of negative labels, too."""
    x = wide(logits)
    losses = functional.binary_cross_entropy_with_logits(x, wide(target), weight=pos_weight, reduction="none")
    return reduced(losses, reduction, losses.numel()).to(logits.dtype)


def hard_labels(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """Labels between 0 and 1 are rounded."""
    return both_sides(logits, (target > 0.5).to(target.dtype), pos_weight, reduction)


def summed_over_elements(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") \
        -> Tensor:  # fmt: skip
    """The mean is over the samples alone."""
    loss = both_sides(logits, target, pos_weight, reduction)
    return loss * logits.shape[-1] if reduction == "mean" and logits.shape[-1] > 1 and len(logits) > 4 else loss


def slope_flipped(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """The gradient has the other sign."""
    return both_sides(2.0 * logits.detach() - logits, target, pos_weight, reduction)


def torchvisions(inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none") \
        -> Tensor:  # fmt: skip
    """As torchvision computes it."""
    p = inputs.sigmoid()
    plain = functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    right_one = p * targets + (1 - p) * (1 - targets)
    losses = plain * (1 - right_one) ** gamma
    if alpha >= 0:
        losses = (alpha * targets + (1 - alpha) * (1 - targets)) * losses
    return reduced(losses, reduction, losses.numel())


def one_sided(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") \
        -> Tensor:  # fmt: skip
    """By the logit of the wrong side, in float32."""
    return _focal(logits, target, alpha, gamma, reduction)


def alpha_swapped(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") \
        -> Tensor:  # fmt: skip
    """alpha is the weight of the negative labels."""
    return _focal(logits, target, 1.0 - alpha, gamma, reduction)


def modulated_by_right(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0,
                       reduction: str = "mean") -> Tensor:  # fmt: skip
    """The factor is p_t^gamma, not (1 − p_t)^gamma."""
    x, side = wide(logits), 1.0 - 2.0 * wide(target)
    losses = functional.softplus(side * x) * (-side * x).sigmoid() ** gamma
    weight = torch.where(side < 0.0, alpha, 1.0 - alpha)
    return reduced(weight * losses, reduction, losses.numel()).to(logits.dtype)


def factor_without_slope(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0,
                         reduction: str = "mean") -> Tensor:  # fmt: skip
    """The factor has no gradient."""
    x, side = wide(logits), 1.0 - 2.0 * wide(target)
    losses = functional.softplus(side * x) * (side * x).detach().sigmoid() ** gamma
    weight = torch.where(side < 0.0, alpha, 1.0 - alpha)
    return reduced(weight * losses, reduction, losses.numel()).to(logits.dtype)


def gamma_fixed(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean") \
        -> Tensor:  # fmt: skip
    """gamma is 2 whatever is asked for."""
    return _focal(logits, target, alpha, 2.0 + 0.0 * gamma, reduction)


def exponential_overflows(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0,
                          reduction: str = "mean") -> Tensor:  # fmt: skip
    """softplus is log(1 + exp)."""
    x, side = wide(logits), 1.0 - 2.0 * wide(target)
    losses = (1.0 + (side * x).exp()).log() * (side * x).sigmoid() ** gamma
    weight = torch.where(side < 0.0, alpha, 1.0 - alpha)
    return reduced(weight * losses, reduction, losses.numel()).to(logits.dtype)


def _focal(logits: Tensor, target: Tensor, alpha: float, gamma: float, reduction: str) -> Tensor:
    x, side = wide(logits), 1.0 - 2.0 * wide(target)
    losses = -functional.logsigmoid(-side * x) * (side * x).sigmoid() ** gamma
    weight = torch.where(side < 0.0, alpha, 1.0 - alpha)
    return reduced(weight * losses, reduction, losses.numel()).to(logits.dtype)


BINARY = (
    wrong("far", log_of_sigmoid),
    wrong("far", clamped_logarithm),
    wrong("weights", weight_of_all),
    wrong("labels", hard_labels),
    wrong("plain", summed_over_elements),
    wrong("gradient", slope_flipped),
    right(both_sides),
    right(torchs),
)
FOCAL = (
    wrong("alpha", alpha_swapped),
    wrong("plain", modulated_by_right),
    wrong("gradient", factor_without_slope),
    wrong("gamma", gamma_fixed),
    wrong("far", exponential_overflows),
    right(one_sided),
    right(torchvisions),
)
