"""What stays the same over all samples of a problem."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Floats
    from xentcli.numbers.precision import Precision
    from xentcli.question.block import Block
    from xentcli.question.problem import Problem

SCANNED = 1 << 20  # labels looked at in one go


@dataclass(frozen=True, eq=False)
class Setting:
    """A problem without its samples."""

    problem: Problem
    weight: Floats  # [classes], ones without weights

    @classmethod
    def of(cls, problem: Problem, block: Block) -> Setting:
        """The setting of a problem, one of whose blocks has the weights as the loss sees them."""
        weight = np.ones(problem.classes) if block.weight is None else block.weight.double().cpu().numpy()
        return cls(problem, weight)

    @property
    def reduction(self) -> str:
        return self.problem.options.reduction

    @property
    def has_labels(self) -> bool:
        return self.problem.has_labels

    @property
    def has_weight(self) -> bool:
        return self.problem.options.weight is not None

    @property
    def is_normalised(self) -> bool:
        """Whether the loss is that of a softmax; what is given as probabilities is taken as it is."""
        return self.problem.options.input == "logits"

    @property
    def divides_by_weight(self) -> bool:
        """Whether torch's mean is over the weights of the labels; of binary labels it is over the samples."""
        return self.has_labels and not self.problem.options.binary

    @property
    def smoothing(self) -> float:
        return self.problem.options.label_smoothing

    @property
    def z_loss(self) -> float:
        """Z of Z·log² Σ exp(x), which is part of each loss; 0 without."""
        return self.problem.options.z_loss or 0.0

    @property
    def ignore_index(self) -> int:
        return self.problem.options.ignore_index

    @property
    def classes(self) -> int:
        return self.problem.classes

    @cached_property
    def bias(self) -> Floats | None:
        """What was added to a product, [classes]; None where nothing was, where it masks, or where more was done."""
        product = self.problem.product
        if product is None or product.head.bias is None or self.problem.options.transform is not None:
            return None
        bias = product.head.in_format(self.problem.dtype).bias
        found: Floats | None = None if bias is None or not bias.isfinite().all() else bias.double().numpy()
        return found

    @property
    def samples(self) -> int:
        return self.problem.samples

    @property
    def precision(self) -> Precision:
        return PRECISIONS[self.problem.dtype]

    @property
    def inner(self) -> int:
        """Samples of one entry of torch's batch axis."""
        return math.prod(self.problem.sample_shape[1:])

    @property
    def entries(self) -> int:
        """The length of torch's batch axis; 1 for one sample alone."""
        return self.problem.sample_shape[0] if self.problem.sample_shape else 1

    @cached_property
    def sequence(self) -> int:
        """The length of the last axis of the samples that has more than one: the positions of a text."""
        return next((length for length in reversed(self.problem.sample_shape) if length > 1), 1)

    @cached_property
    def labels(self) -> NDArray[np.generic]:
        """All labels as they are stored, [samples]."""
        return self.problem.target.values.reshape(-1)

    @cached_property
    def label_counts(self) -> NDArray[np.int64]:
        """How often each class is the label of a sample that counts, [classes]."""
        counts = np.zeros(self.classes, np.int64)
        for start in range(0, self.samples, SCANNED):
            labels = self.labels[start : start + SCANNED].astype(np.int64)
            counts += np.bincount(labels[labels != self.ignore_index], minlength=self.classes)
        return counts

    @cached_property
    def most_frequent(self) -> int:
        """The label that occurs most often, among those that count."""
        return int(self.label_counts.argmax())
