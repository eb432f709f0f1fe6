"""Whether numbers can be target probabilities, and what they look like where they cannot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    Place = list[int]

FEW, SEVERAL = 8, 2  # rows that are shown to a test of what a file is; that must speak for it
FAR, ROUNDED = 0.1, 1e-3  # from 1: no rounding moves the sum of probabilities so far; what rounding may move it
# what a target of the logits' shape looks like that cannot be probabilities, and what to do
LOOKS = {
    "logits": "the target is no probabilities: its numbers look like logits",
    "log-probabilities": "the target is no probabilities: its numbers look like log-probabilities",
    "probabilities": "a target probability is negative",
    "none": "a target probability is not finite",
}
REMEDIES = {
    "logits": "give the file of the labels; or probabilities, which torch.softmax(target, {axis}) makes of logits",
    "log-probabilities": "give the file of the labels; or probabilities: target.exp()",
    "probabilities": "the result of a subtraction? target.clamp(min=0) makes it 0",
    "none": "a division by 0, or an overflow, on the way? look at the program that made the file",
}


# what numbers may be that are given as such; `beyond` is the least that they cannot be
GIVEN_LIMITS = {"probabilities": (0.0, 1.0), "log-probabilities": (-math.inf, 0.0)}
GIVEN_LOOKS = {
    "logits": "these look like logits: --input logits",
    "log-probabilities": "these look like log-probabilities: --input log-probabilities",
    "probabilities": "these look like probabilities: --input probabilities",
    "none": "look at the program that made the file",
}


def outside(numbers: torch.Tensor, given: str, counted: torch.Tensor) -> Place | None:
    """Where the first number of a sample that counts stands that is not what it is given as; rounding is let pass.

    counted  of the numbers' shape, or one that is expanded to it
    """
    low, high = GIVEN_LIMITS[given]
    slack = max(ROUNDED, 4.0 * torch.finfo(numbers.dtype).eps)
    if not numbers.numel():
        return None
    least, greatest = numbers.aminmax()  # NaN where any is
    if least >= low and greatest <= high + slack:
        return None
    wrong = (~((numbers >= low) & (numbers <= high + slack)) & counted).nonzero()
    place: Place = wrong[0].tolist() if len(wrong) else []
    return place or None


def guessed(numbers: torch.Tensor, dim: int) -> str:
    """What numbers look like that were given as something else; "none" for what is no number."""
    if not numbers.isfinite().all():
        return "none"
    if numbers.amin() >= 0.0 and add_up(numbers, dim):
        return "probabilities"
    return "log-probabilities" if numbers.amax() <= ROUNDED and add_up(numbers.exp(), dim) else "logits"


def faulty_share(target: torch.Tensor) -> Place | None:
    """Where the first number stands that is negative, infinite or NaN; None where all may be probabilities."""
    if not target.numel():
        return None
    least, greatest = target.aminmax()  # NaN where any is
    if least >= 0.0 and greatest < math.inf:
        return None
    place: Place = (~((target >= 0.0) & target.isfinite())).nonzero()[0].tolist()
    return place


def beyond_shares(target: torch.Tensor, dim: int) -> Place | None:
    """Where the first number beyond 1 stands of what is scores: sums along `dim` that differ, and are 1 nowhere.

    Votes and one weight for all rows are probabilities but for a factor.
    """
    sums = target.sum(dim, dtype=torch.float64)
    given = sums[sums != 0.0]
    off = len(given) >= SEVERAL and bool(((given - 1.0).abs() > FAR).all())
    unlike = bool((given != given[:1]).any()) and bool((target != target.floor()).any())
    beyond = (target > 1.0 + FAR).nonzero()
    return beyond[0].tolist() if off and unlike and len(beyond) else None


def likeness(target: torch.Tensor, dim: int) -> str:
    """What numbers look like that are no probabilities."""
    if add_up(target.exp(), dim):
        return "log-probabilities"
    far = target.amin() < -FAR or target.amax() > 1.0 + FAR
    return "logits" if far and not add_up(target, dim) else "probabilities"


def add_up(target: torch.Tensor, dim: int) -> bool:
    """Whether all rows are distributions but for rounding."""
    return bool(((target.sum(dim) - 1.0).abs() <= ROUNDED).all())
