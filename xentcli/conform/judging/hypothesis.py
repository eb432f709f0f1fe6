"""What an implementation may have computed in place of the loss: said in one sentence, and predicted for every case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from xentcli.conform.judging.call import Call
    from xentcli.conform.judging.certified import Floats

Ways = Callable[
    ["Call"], "tuple[torch.Tensor, ...]"
]  # results it may give; none where a case has nothing to do with it


@dataclass(frozen=True)
class Hypothesis:
    """A convention or a mistake.

    loss     the results that it may give: the one that its gradient comes from, and the ends of what rounding makes
    known    public reports of this very fault
    """

    code: str
    statement: str
    loss: Ways
    why: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a hypothesis says of a case: losses from `lower` to `upper`, and the gradient, [rows, classes]."""

    lower: Floats
    upper: Floats
    gradient: Callable[[], Floats] | None

    @cached_property
    def slope(self) -> Floats | None:
        """The gradient, made when it is first asked for."""
        return self.gradient() if self.gradient else None


def predict(hypothesis: Hypothesis, call: Call, *, slope: bool) -> Prediction | None:
    """What the answer would be; None where the hypothesis has nothing to say."""
    results = hypothesis.loss(call)
    if not results:
        return None
    values = np.stack([result.detach().numpy() for result in results])
    gradient = partial(_slope, call, results[0]) if slope and results[0].requires_grad else None
    return Prediction(values.min(0), values.max(0), gradient)


def _slope(call: Call, result: torch.Tensor) -> Floats:
    slope: Floats = call.slope(result).numpy()
    return slope
