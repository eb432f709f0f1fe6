"""The loss of chances that are given: right, and with one step changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from xentcli.conform.kinds.doubles.building import reduced, right, wide, wrong

if TYPE_CHECKING:
    from torch import Tensor


def torchs(logs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean",
           ignore_index: int = -100) -> Tensor:  # fmt: skip
    """torch's own."""
    return functional.nll_loss(logs, target, weight, reduction=reduction, ignore_index=ignore_index)


def gathered(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
             ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The label's entry, in float32."""
    return _weighed(_own(wide(logs), target), target, class_weight, reduction, ignore_index).to(logs.dtype)


def sign_kept(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
              ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The sign is not changed."""
    return -gathered(logs, target, class_weight, reduction, ignore_index)


def normalised_again(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                     ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Another softmax is taken of what is given."""
    return gathered(logs.log_softmax(1), target, class_weight, reduction, ignore_index)


def floored(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
            ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The logarithm is floored, so that no loss is infinite."""
    return gathered(logs.clamp(min=-30.0), target, class_weight, reduction, ignore_index)


def mean_over_samples(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                      ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The weights do not enter the divisor."""
    if class_weight is None or reduction != "mean":
        return gathered(logs, target, class_weight, reduction, ignore_index)
    return gathered(logs, target, class_weight, "sum", ignore_index) / (target != ignore_index).sum()


def ignored_are_counted(logs: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                        ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The mean is over all samples."""
    if class_weight is not None or reduction != "mean":
        return gathered(logs, target, class_weight, reduction, ignore_index)
    return gathered(logs, target, class_weight, "sum", ignore_index) / len(target)


def of_chances(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
               ignore_index: int = -100) -> Tensor:  # fmt: skip
    """−log of the label's entry, in float32."""
    losses = -(-_own(wide(chances), target)).log()
    return _weighed(losses, target, class_weight, reduction, ignore_index).to(chances.dtype)


def by_nll(chances: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean",
           ignore_index: int = -100) -> Tensor:  # fmt: skip
    """torch's, of the logarithm of all."""
    return torchs(chances.log(), target, weight=weight, reduction=reduction, ignore_index=ignore_index)


def taken_for_logits(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                     ignore_index: int = -100) -> Tensor:  # fmt: skip
    """A softmax is taken of the probabilities."""
    return of_chances(wide(chances).softmax(1), target, class_weight, reduction, ignore_index).to(chances.dtype)


def clipped(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
            ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Probabilities are clipped to at least 1e-7."""
    return of_chances(chances.clamp(1e-7, 1.0), target, class_weight, reduction, ignore_index)


def lifted(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
           ignore_index: int = -100) -> Tensor:  # fmt: skip
    """1e-8 is added before the logarithm."""
    return of_chances(chances + 1e-8, target, class_weight, reduction, ignore_index)


def made_a_distribution(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                        ignore_index: int = -100) -> Tensor:  # fmt: skip
    """What is given is divided by its sum."""
    return of_chances(
        wide(chances) / wide(chances).sum(1, keepdim=True), target, class_weight, reduction, ignore_index
    ).to(chances.dtype)


def slope_of_logits(chances: Tensor, target: Tensor, class_weight: Tensor | None = None, reduction: str = "mean",
                    ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The gradient is that with respect to the logarithm."""
    x = wide(chances)
    loss = gathered(x - x.detach() + x.detach().log(), target, class_weight, reduction, ignore_index)
    return loss.to(chances.dtype)


def _own(values: Tensor, target: Tensor) -> Tensor:
    """The negative entry of the label."""
    return -values.gather(1, target.clamp(min=0)[:, None])[:, 0]


def _weighed(losses: Tensor, target: Tensor, known: Tensor | None, reduction: str, ignore_index: int) -> Tensor:
    kept = target != ignore_index
    weights = torch.ones_like(losses) if known is None else wide(known)[target.clamp(min=0)]
    losses = torch.where(kept, losses * weights, torch.zeros_like(losses))
    return reduced(losses, reduction, weights[kept].sum())


NLL = (
    wrong("plain", sign_kept),
    wrong("plain", normalised_again),
    wrong("edges", floored),
    wrong("weights", mean_over_samples),
    wrong("ignored", ignored_are_counted),
    right(gathered),
    right(torchs),
)
PROBABILITIES = (
    wrong("plain", taken_for_logits),
    wrong("edges", clipped),
    wrong("edges", lifted),
    wrong("plain", made_a_distribution),
    wrong("gradient", slope_of_logits),
    right(of_chances),
    right(by_nll),
)
