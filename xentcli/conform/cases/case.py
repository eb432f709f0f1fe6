"""One case of the battery: a call of cross-entropy, what is asked of it, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch

from xentcli.question.block import Block
from xentcli.question.problem import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xentcli.question.problem import Reduction

Layout = Literal[
    "contiguous", "transposed", "channels-last", "classes-first", "rotated", "reversed", "padded", "sliced", "offset",
    "expanded",
]  # fmt: skip
Variable = Literal["logits", "target", "weight"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The arrays of a call, in torch's layout: the class axis is 1, or 0 for one dimension."""

    logits: torch.Tensor  # [N, C, d1, ...] or [C]
    target: torch.Tensor  # labels of any integer type, [N, d1, ...] or [], or probabilities of the logits' shape
    weight: torch.Tensor | None = None  # [C]
    upstream: torch.Tensor | None = None  # of the loss's shape; None is 1 everywhere
    variable: Variable = "logits"  # what a gradient is with respect to; only the logits' must be offered

    @property
    def dtype(self) -> str:
        return str(self.logits.dtype).removeprefix("torch.")

    @property
    def has_labels(self) -> bool:
        return not self.target.is_floating_point()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis of the logits but the class axis."""
        shape = tuple(self.logits.shape)
        return shape[:1] + shape[2:] if len(shape) > 1 else ()

    @property
    def slope_name(self) -> str:
        """What an answer calls the gradient, so that nobody gives one for another."""
        return "gradient" if self.variable == "logits" else f"{self.variable}_gradient"

    @cached_property
    def block(self) -> Block:
        """The same call as the rest of xent knows it: labels as int64, so that no comparison with them can wrap."""
        target = self.target.long() if self.has_labels else self.target
        return Block(self.logits.contiguous(), target.contiguous(), self.weight, first_row=0)

    def named(self) -> dict[str, torch.Tensor]:
        """The arrays that there are, by name."""
        arrays = {"logits": self.logits, "target": self.target, "weight": self.weight, "upstream": self.upstream}
        return {name: array for name, array in arrays.items() if array is not None}

    def repeated(self, rows: int) -> Inputs:
        """The same samples again and again, until there are so many."""
        kept = torch.arange(rows) % len(self.logits)
        return replace(self, logits=self.logits[kept], target=self.target[kept])


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A call, and what is asked of it.

    gradient     0: the loss alone; 1: the gradient too; 2: that of a second backward through the same graph
    expects      "value", or "refusal": an error (or a NaN) in place of a number that looks right
    may_refuse   an error is a refusal that does nobody harm: the case counts as unsupported
    strict       only a computation that shifts by the maximum first can be right
    repeated     the answer to the same question must have the same bits
    rows         so many samples are asked: those of the arrays again and again, whose losses are those of the first;
                 a whole number of times where the losses are reduced
    """

    name: str  # family/what
    about: str
    load: Callable[[], Inputs]
    reduction: Reduction = "none"
    ignore_index: int = -100
    label_smoothing: float = 0.0
    gradient: int = 0
    layout: Mapping[str, Layout] = field(default_factory=dict)
    expects: Literal["value", "refusal"] = "value"
    may_refuse: bool = False
    strict: bool = False
    repeated: bool = False
    large: bool = False
    rows: int | None = None
    reports: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        return self.name.split("/")[0]

    @cached_property
    def options(self) -> Options:
        """The options of the loss; the weights are among the inputs."""
        return Options(ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, reduction=self.reduction)

    def keywords(self) -> dict[str, Any]:
        """The options by torch's names, without the weights."""
        return {
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "label_smoothing": self.label_smoothing,
        }

    def asked(self, inputs: Inputs) -> Inputs:
        """The arrays as an implementation gets them."""
        return inputs.repeated(self.rows) if self.rows else inputs

    def times(self, inputs: Inputs) -> int:
        """How often each sample of the arrays is asked where the losses are reduced."""
        return self.rows // len(inputs.logits) if self.rows and self.reduction != "none" else 1

    def of(self, inputs: Inputs) -> Case:
        """The same question about other arrays, each sample once."""
        return replace(self, load=lambda: inputs, rows=None)
