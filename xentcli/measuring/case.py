"""A block of samples with the options of its loss, and what follows from both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from xentcli.bounds.model import Floats, LossForm, PathModel
from xentcli.losses.machine import kernels_of
from xentcli.numbers.exactsum import ExactSum
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import name_of, precision_of, promoted

if TYPE_CHECKING:
    from xentcli.question.block import Block
    from xentcli.question.problem import Options


@dataclass(frozen=True, eq=False)
class Case:
    """What both paths compute, and what the truth and the bounds are about."""

    block: Block
    options: Options

    @property
    def there(self) -> Case:
        """The same on the device where the paths compute; itself on the CPU."""
        return self if self.options.device == "cpu" else Case(self.block.on(self.options.device), self.options)

    def part(self, start: int, stop: int) -> Case:
        """Some entries of the first axis."""
        return Case(self.block.part(start, stop), self.options)

    @cached_property
    def counted(self) -> torch.Tensor:
        """Which samples count, of the samples' shape."""
        if self.block.has_labels:
            return self.block.target != self.options.ignore_index
        return torch.ones(self.block.sample_shape, dtype=torch.bool, device=self.block.logits.device)

    @cached_property
    def label_weights(self) -> torch.Tensor | None:
        """The weights of the labels, [rows], of class 0 where they do not count; None without weights."""
        if self.block.weight is None or not self.block.has_labels or self.block.given == "binary":
            return None
        return self.block.weight[self.block.target.masked_fill(~self.counted, 0)].reshape(-1)

    @cached_property
    def divisor(self) -> ExactSum:
        """What torch's mean divides by: the weight of the labels that count; with probabilities the samples."""
        if self.label_weights is None:
            return ExactSum.of_count(self.block.samples - self.ignored)
        return ExactSum.of(floats(self.label_weights[self.counted.reshape(-1)]))

    @cached_property
    def divisor_size(self) -> ExactSum:
        """What the rounding of the divisor scales with: its terms without their signs."""
        if self.block.weight is None or self.label_weights is None or not bool((self.block.weight < 0).any()):
            return self.divisor
        return ExactSum.of(floats(self.label_weights[self.counted.reshape(-1)].abs()))

    @cached_property
    def ignored(self) -> int:
        """How many samples do not count."""
        return self.block.samples - int(self.counted.count_nonzero())

    @property
    def denominator(self) -> Fraction:
        """What the sum of this block's losses is divided by, were it the whole input."""
        return self.divisor.fraction() if self.options.reduction == "mean" else Fraction(1)

    @cached_property
    def model(self) -> PathModel:
        """What is assumed of torch's kernels: the format, the layout, and this machine's vectors or the device."""
        logits, target = self.block.logits, self.block.target
        kernels = kernels_of(self.options.device, "last" if logits.ndim <= 2 else "inner")
        mixed = not self.block.has_labels and target.dtype != logits.dtype
        return PathModel(
            precision=precision_of(logits),
            **kernels,
            shares=precision_of(target) if mixed else None,
            terms=PRECISIONS[promoted(name_of(logits.dtype), name_of(target.dtype))] if mixed else None,
            given=self.block.given,
        )

    def sums_model(self, losses: torch.Tensor) -> PathModel:
        """What is assumed of sums over the losses, whose format may be another than the logits'."""
        return replace(self.model, precision=precision_of(losses))

    @cached_property
    def form(self) -> LossForm:
        """Which loss it is."""
        weight, smoothing, binary = self.block.weight, self.options.label_smoothing, self.block.given == "binary"
        if weight is None:
            z_loss = self.options.z_loss or 0.0
            return LossForm(not self.block.has_labels, None, smoothing, binary=binary, z_loss=z_loss)
        peak = 0.0 if self.block.has_labels or not self.block.samples else float(self.block.target.max()) + smoothing
        return LossForm(not self.block.has_labels, floats(weight), smoothing, peak, binary)


def floats(values: torch.Tensor) -> Floats:
    """The same numbers as float64, [rows]."""
    widened: Floats = values.detach().reshape(-1).double().cpu().numpy()
    return widened
