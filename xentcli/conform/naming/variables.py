"""Gradients with respect to target probabilities and class weights, right and with one mistake each.

With k_c = −log p_c, which neither changes, each sample's loss is Σ_c w_c·(1 − e)·q_c·k_c + v_c·e/C·k_c, and a weighted
mean of labels divides by Σ u_y over the labels y that count. Here v = u = w, and each may be taken for a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from xentcli.conform.judging.call import Call


def slope_of(
    call: Call,
    upstream: torch.Tensor | None = None,
    *,
    smoothing: float | None = None,
    learns_smoothing: bool = True,
    learns_divisor: bool = True,
    shared: bool = False,
    all_rows: bool = False,
) -> torch.Tensor:
    """The gradient with respect to the target, [rows, classes], or to the weights, [1, classes].

    upstream          in place of the one that is asked
    learns_smoothing  whether v is w, or has its values alone; learns_divisor is the same of u
    shared            whether q is its share of its sum, for the gradient alone
    all_rows          whether ignored rows count, in the gradient alone
    """
    leaf = _leaf(call).requires_grad_()
    is_target = call.inputs.variable == "target"
    target, weight = (leaf, call.weight) if is_target else (call.targets(), leaf[0])
    share = call.smoothing if smoothing is None else smoothing
    mixed = (1.0 - share) * (target / target.sum(1, keepdim=True) if shared else target)
    smooth = (weight if learns_smoothing else weight.detach()) * share / call.classes
    losses = ((weight * mixed + smooth) * call.logs.detach()).sum(1)
    over = weight if learns_divisor else weight.detach()
    divisor = torch.ones_like(losses) if call.labels is None else over[call.safe]
    losses, divisor = (_counted(call, each, all_rows=all_rows) for each in (losses, divisor))
    result = losses if call.case.reduction == "none" else losses.sum().reshape(1)
    result = result / divisor.sum() if call.case.reduction == "mean" else result
    given = call.upstream(len(result)) if upstream is None else upstream.expand(len(result))
    (slope,) = torch.autograd.grad(result, leaf, given)
    return slope


def _counted(call: Call, values: torch.Tensor, *, all_rows: bool) -> torch.Tensor:
    """0 in ignored rows, whose gradient may count all the same."""
    return torch.where(call.counted, values, values - values.detach() if all_rows else 0.0)


def _leaf(call: Call) -> torch.Tensor:
    return call.targets().clone() if call.inputs.variable == "target" else call.weight[None].clone()


def without_smoothing(call: Call) -> torch.Tensor | None:
    """As if there were none."""
    return slope_of(call, smoothing=0.0) if call.smoothing else None


def without_weights(call: Call) -> torch.Tensor | None:
    """Of probabilities alone, whose gradient the weights scale class by class."""
    return slope_of(call) / call.weight if call.weighted and bool((call.weight != 0.0).all()) else None


def of_shares(call: Call) -> torch.Tensor:
    """Of q over its sum."""
    return slope_of(call, shared=True)


def constant_divisor(call: Call) -> torch.Tensor | None:
    """Of a weighted mean of labels."""
    is_weighted_mean = call.case.reduction == "mean" and call.labels is not None
    return slope_of(call, learns_divisor=False) if is_weighted_mean else None


def constant_smoothing(call: Call) -> torch.Tensor | None:
    """The label's own weight alone has one."""
    return slope_of(call, learns_smoothing=False) if call.smoothing else None


def of_ignored(call: Call) -> torch.Tensor | None:
    """Their labels are taken for class 0."""
    return None if bool(call.counted.all()) else slope_of(call, all_rows=True)
