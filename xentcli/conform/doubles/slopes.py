"""Doubles whose loss is right and whose gradient is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.textbook import Textbook

Rule = Callable[[Tensor, Tensor], Tensor]


class _ByRule(torch.autograd.Function):
    """A loss that is known, with a backward that makes the gradient of upstream and slopes by a rule."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, loss: Tensor, slopes: Tensor, rule: Rule) -> Tensor:
        ctx.slopes, ctx.rule = slopes, rule
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        rule: Rule = ctx.rule
        return rule(upstream[0], ctx.slopes), None, None, None


class OwnBackward(Textbook):
    """The right loss, and the gradient computed ahead and scaled in backward: correct as it stands."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        with torch.enable_grad():
            leaf = logits.detach().clone().requires_grad_()
            loss = super().__call__(leaf, target, **options)
            (slopes,) = torch.autograd.grad(loss, leaf, torch.ones_like(loss))
        slopes = self.slopes(slopes, logits.detach(), target, options)
        axis = min(1, logits.ndim - 1)
        apply: Callable[..., Tensor] = _ByRule.apply
        result: Tensor = apply(
            logits, loss.detach(), slopes, lambda upstream, known: self.backward(upstream, known, axis)
        )
        return result

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return slopes * (upstream.unsqueeze(axis) if upstream.ndim else upstream)


@wrong("gradient-upstream", reports.UPSTREAM)
class UpstreamForgotten(OwnBackward):
    """The upstream gradient is not looked at."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return slopes.clone()


@wrong("gradient-upstream", reports.UPSTREAM)
class FirstUpstreamForAll(OwnBackward):
    """All rows take the upstream gradient of the first."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return slopes * upstream.reshape(-1)[0] if upstream.numel() else slopes.clone()


@wrong("gradient-upstream", reports.EXPANDED)
class UpstreamContiguously(OwnBackward):
    """The upstream gradient's strides are not looked at: of an expanded one, memory behind it is read."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        if upstream.ndim and upstream.stride(0) != 1 and len(upstream) > 1:
            upstream = torch.cat((upstream[:1], torch.zeros_like(upstream[1:])))
        return super().backward(upstream, slopes, axis)


@wrong("gradient-upstream", reports.TWICE)
class ScalesInPlace(OwnBackward):
    """The saved gradient is scaled in place, so that a second backward scales it again."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return slopes.mul_(upstream.unsqueeze(axis) if upstream.ndim else upstream)


@wrong("gradient", reports.ZERO_GRADIENT)
class ZeroGradientForNone(OwnBackward):
    """reduction="none" has the gradient 0."""

    def backward(self, upstream: Tensor, slopes: Tensor, axis: int) -> Tensor:
        return super().backward(upstream, slopes, axis) * (upstream.ndim == 0)


@wrong("gradient", reports.UPSTREAM)
class MeanGradientForSum(OwnBackward):
    """The gradient of a sum is that of the mean."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes / max(1, target.numel()) if options.get("reduction") == "sum" else slopes


@wrong("gradient", reports.HALF_MEAN)
class GradientInBfloat16(OwnBackward):
    """The gradient is stored in bfloat16."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes.bfloat16().to(slopes.dtype)


@wrong("gradient", reports.CLIPPED)
class SmallGradientDropped(OwnBackward):
    """Gradients below 1e-6 become 0."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return torch.where(slopes.abs() < 1e-6, torch.zeros_like(slopes), slopes)


@wrong("gradient-options", reports.IGNORED_DENOMINATOR)
class IgnoredRowsHaveGradient(OwnBackward):
    """Ignored rows take part in the gradient."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if target.is_floating_point() or target.ndim != 1:
            return slopes
        return torch.where((target == options["ignore_index"])[:, None], 1e-3 * torch.ones_like(slopes), slopes)


@wrong("gradient-options", reports.WEIGHTED_MEAN)
class GradientUnweighted(OwnBackward):
    """The gradient of a weighted mean divides by the number of samples."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        weight = options.get("weight")
        if weight is None or target.is_floating_point() or options.get("reduction", "mean") != "mean":
            return slopes
        counted = target.long() != options["ignore_index"]
        scaled: Tensor = slopes * weight[target.long()[counted]].sum() / counted.sum()
        return scaled


@wrong("gradient-options", reports.SMOOTHING_IGNORED)
class GradientUnsmoothed(OwnBackward):
    """The gradient knows nothing of label smoothing."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        loss = Textbook.__call__(self, logits.detach(), target, **options)
        plain = super().__call__(logits, target, **(options | {"label_smoothing": 0.0}))
        smoothed: Tensor = plain + (loss - plain.detach())
        return smoothed
