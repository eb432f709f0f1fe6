"""Doubles wrong in the gradient's options, and in the gradients with respect to target probabilities and weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xentcli.conform.cases import reports
from xentcli.conform.doubles.cast import wrong
from xentcli.conform.doubles.slopes import OwnBackward
from xentcli.conform.doubles.textbook import Textbook


@wrong("gradient-options", reports.SMOOTHING_OTHERS)
class SmoothsBackwardByLastAxis(OwnBackward):
    """In backward alone, the smoothed share is spread over the last axis's length."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        smoothing = float(options.get("label_smoothing", 0.0))
        if not smoothing or logits.ndim < 3:
            return slopes
        share = smoothing / logits.shape[1] - smoothing / logits.shape[-1]
        return slopes + share / (target.numel() if options.get("reduction") == "mean" else 1)


@wrong("gradient-options", reports.WEIGHTED_MEAN)
class WeightsTwiceBackward(OwnBackward):
    """The gradient takes the weight of the label twice."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        weight = options.get("weight")
        if weight is None or target.is_floating_point() or target.ndim != 1:
            return slopes
        own: Tensor = weight[torch.where(target.long() == options["ignore_index"], 0, target.long())]
        return slopes * own[:, None]


@wrong("gradient-options", reports.NORMALISED)
class TargetTakenForNormal(OwnBackward):
    """The gradient of soft targets is p − q, as if q added up to 1."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        if not target.is_floating_point() or options.get("weight") is not None or options.get("label_smoothing"):
            return slopes
        missing = 1.0 - target.sum(1, keepdim=True)
        return slopes + missing * torch.softmax(logits, 1) / (len(slopes) if options["reduction"] == "mean" else 1)


@wrong("gradient-options", reports.SMOOTHING_WEIGHTED)
class SmoothPartUnweightedBackward(OwnBackward):
    """In backward alone, the smooth part has no weights."""

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        right = super().__call__(logits, target, **options)
        if options.get("weight") is None or not options.get("label_smoothing"):
            return right
        unweighted = super().__call__(logits, target, **(options | {"weight": None}))
        mixed: Tensor = unweighted + (right - unweighted).detach()
        return mixed


@wrong("gradient", reports.UPSTREAM)
class GradientOfOtherSign(OwnBackward):
    """The gradient is one-hot less softmax."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return -slopes


@wrong("gradient", reports.UPSTREAM)
class LogitsAsGradient(OwnBackward):
    """The buffer of the gradient is that of the logits, and nothing was written to it."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return logits.clone()


@wrong("gradient", reports.UPSTREAM)
class GradientScaledTwice(OwnBackward):
    """The gradient of a mean is divided by the number of samples twice."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes / max(1, target.numel()) if options.get("reduction", "mean") == "mean" else slopes


@wrong("gradient", reports.UPSTREAM)
class GradientOfNeighbour(OwnBackward):
    """Each row has the gradient of the row before it."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        return slopes.roll(1, 0) if slopes.ndim > 1 else slopes


@wrong("gradient", reports.ZERO_GRADIENT)
class SoftmaxAlone(OwnBackward):
    """The label's 1 is not taken from the softmax."""

    def slopes(self, slopes: Tensor, logits: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
        chances = torch.softmax(logits, min(1, logits.ndim - 1))
        return chances / max(1, target.numel()) if options.get("reduction", "mean") == "mean" else chances


@wrong("gradient-variables", reports.NORMALISED)
class TargetGradientHalved(Textbook):
    """The gradient with respect to target probabilities is half of what it should be."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        soft = super().soft(target, smoothing)
        return soft.detach() + 0.5 * (soft - soft.detach()) if target.requires_grad else soft


@wrong("gradient-variables", reports.NORMALISED)
class TargetGradientIsZero(Textbook):
    """Target probabilities have the gradient 0."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        soft = super().soft(target, smoothing)
        return soft.detach() + 0.0 * target if target.requires_grad else soft


@wrong("gradient-variables", reports.NORMALISED)
class TargetGradientNormalised(Textbook):
    """The gradient with respect to target probabilities is that of their shares of their sum."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        soft = super().soft(target, smoothing)
        if not target.requires_grad:
            return soft
        share = super().soft(target / target.sum(1, keepdim=True), smoothing)
        return share + (soft - share).detach()


@wrong("gradient-variables", reports.SMOOTHING_OTHERS)
class TargetGradientUnsmoothed(Textbook):
    """The gradient with respect to target probabilities knows nothing of label smoothing."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        soft = super().soft(target, smoothing)
        return target + (soft - target).detach() if target.requires_grad else soft


@wrong("gradient-variables", reports.WEIGHTED_MEAN)
class DenominatorWithoutGradient(Textbook):
    """The denominator of a weighted mean is taken for a constant."""

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return super().divisor(weights, counted).detach()


@wrong("gradient-variables", reports.SMOOTHING_WEIGHTED)
class SmoothPartWithoutWeightGradient(Textbook):
    """The weights of the smooth part are taken for constants."""

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        return super().smoothed(losses, logs, safe, None if weight is None else weight.detach(), smoothing)


@wrong("gradient-variables", reports.NORMALISED)
class TargetGradientOfOtherSign(Textbook):
    """The gradient with respect to target probabilities is log p, and not -log p."""

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        soft = super().soft(target, smoothing)
        return 2.0 * soft.detach() - soft if target.requires_grad else soft


@wrong("gradient-variables", reports.WEIGHTED_MEAN)
class WeightGradientIsZero(Textbook):
    """Class weights have the gradient 0."""

    def __call__(self, logits: Tensor, target: Tensor, *, weight: Tensor | None = None, **options: Any) -> Tensor:
        constant = None if weight is None else weight.detach() + 0.0 * weight
        return super().__call__(logits, target, weight=constant, **options)


@wrong("gradient-variables", reports.IGNORED_DENOMINATOR)
class WeightGradientOfIgnored(Textbook):
    """Ignored rows count in the gradient with respect to class weights, as rows of class 0."""

    def masked(self, losses: Tensor, counted: Tensor) -> Tensor:
        return torch.where(counted, losses, losses - losses.detach())

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        ignored = weights[~counted].sum()
        return super().divisor(weights, counted) + (ignored - ignored.detach())
