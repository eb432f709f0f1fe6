"""Random problems: every shape, dtype, kind of target and option of `cross_entropy`, in every combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

if TYPE_CHECKING:
    import numpy as np

DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Case:
    """One call of cross_entropy: what `xentcli.compute` is given, and what plain torch is given."""

    logits: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor | None
    class_axis: int
    options: dict[str, Any]

    @property
    def torch_logits(self) -> torch.Tensor:
        return self.logits.movedim(self.class_axis, min(1, self.logits.ndim - 1))

    @property
    def torch_target(self) -> torch.Tensor:
        if self.target.is_floating_point():
            return self.target.movedim(self.class_axis, min(1, self.logits.ndim - 1))
        return self.target

    def keywords(self) -> dict[str, Any]:
        return {"weight": self.weight, "class_axis": self.class_axis, **self.options}


def plain_library(case: Case) -> torch.Tensor:
    """What a user writes."""
    return torch.nn.functional.cross_entropy(case.torch_logits, case.torch_target, weight=case.weight, **case.options)


def plain_manual(case: Case) -> torch.Tensor:
    """What the tutorials write, with the options that torch has."""
    x, y, w, options = case.torch_logits, case.torch_target, case.weight, case.options
    axis, classes, smoothing = min(1, x.ndim - 1), case.logits.shape[case.class_axis], options["label_smoothing"]
    p = torch.softmax(x, axis)
    shape = (-1,) + (1,) * (x.ndim - axis - 1)
    if y.is_floating_point():
        if smoothing:
            y = y * (1 - smoothing) + smoothing / classes
        terms = y * p.log()
        losses = -(terms if w is None else terms * w.reshape(shape)).sum(axis)
        return losses.mean() if options["reduction"] == "mean" else getattr(losses, _NAMES[options["reduction"]])()
    counted = y != options["ignore_index"]
    safe = torch.where(counted, y, 0)
    losses = -p.gather(axis, safe.unsqueeze(axis)).squeeze(axis).log()
    if w is not None:
        losses = w[safe] * losses
    if smoothing:
        logs = -p.log()
        logs = logs if w is None else logs * w.reshape(shape)
        losses = (1 - smoothing) * losses + (smoothing / classes) * logs.sum(axis)
    losses = torch.where(counted, losses, torch.zeros((), dtype=losses.dtype))
    if options["reduction"] != "mean":
        return getattr(losses, _NAMES[options["reduction"]])()
    return losses[counted].mean() if w is None else losses.sum() / w[y[counted]].sum()


_NAMES = {"sum": "sum", "none": "clone"}


@st.composite
def cases(draw: st.DrawFn, max_classes: int = 12) -> Case:
    seed = draw(st.integers(0, 2**32 - 1))
    generator = torch.Generator().manual_seed(seed)
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 4, 3, 2, 1, 0]), min_size=1, max_size=4).map(tuple))
    class_axis = draw(st.integers(0, len(shape) - 1))
    classes = draw(st.integers(1, max_classes))
    shape = (*shape[:class_axis], classes, *shape[class_axis + 1 :])
    dtype = getattr(torch, draw(st.sampled_from(DTYPES)))
    scale = draw(st.sampled_from([0.0, 0.01, 1.0, 3.0, 30.0]))
    logits = (scale * torch.randn(shape, generator=generator)).to(dtype)
    sample_shape = shape[:class_axis] + shape[class_axis + 1 :]
    weight = torch.rand(classes, generator=generator).to(dtype) if draw(st.booleans()) else None
    options = {
        "reduction": draw(st.sampled_from(["mean", "sum", "none"])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])),
        "ignore_index": -100,
    }
    if draw(st.booleans()):
        target = torch.softmax(torch.randn(shape, generator=generator), class_axis).to(dtype)
        return Case(logits, target, weight, class_axis, options)
    options["ignore_index"] = draw(st.sampled_from([-100, -1, 0, classes - 1, classes + 7]))
    target = torch.randint(classes, sample_shape, generator=generator)
    ignored = torch.rand(sample_shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return Case(logits, torch.where(ignored, options["ignore_index"], target), weight, class_axis, options)


def as_floats(values: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return values.reshape(-1).double().numpy()
