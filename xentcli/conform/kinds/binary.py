"""`binary` and `focal`: losses of one logit for each element, with labels from 0 to 1.

    binary   L = ω·(t·softplus(−x)) + (1 − t)·softplus(x),  ω = pos_weight     dL/dx = (1 − t)·σ(x) − ω·t·σ(−x)
    focal    L = α_t·σ(v)^γ·softplus(v),  v = (1 − 2t)·x of labels 0 and 1,  α_t = α·t + (1 − α)·(1 − t)
             dL/dx = (1 − 2t)·α_t·σ(v)^γ·(σ(v) + γ·softplus(v)·σ(−v))

The last grade takes (1 − t)·x + softplus(−x) and 1 − p, which are rounded next to x and next to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.kinds.bounded import Bounded, constant, exactly
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Kind
from xentcli.conform.kinds.classes import values_of
from xentcli.conform.kinds.drawing import Arrays, drawn
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.kinds.bounded import Rounding
    from xentcli.conform.kinds.call import Call, Outcome

X = ("logits",)


def binary(call: Call, how: Rounding) -> Outcome:
    """Both sides of each element, weighed."""
    logits, labels = (values_of(call.arrays[name], how) for name in ("logits", "target"))
    known = call.arrays.get("pos_weight")
    positive = labels if known is None else labels * values_of(known, how)
    negative = constant(1.0, how) - labels
    losses = positive * (-logits).softplus() + negative * logits.softplus()
    if how.unshifted:
        losses = _next_to(losses, np.abs(logits.value) * (positive.value + negative.value))
    slope = negative * logits.sigmoid() - positive * (-logits).sigmoid()
    slope = _next_to(slope, 4.0 * (positive.value + negative.value))  # (ω·t + 1 − t)·σ(x) − ω·t cancels, too
    return _reduced(call, losses, slope)


def focal(call: Call, how: Rounding) -> Outcome:
    """α_t, the modulating factor and the plain loss of each element."""
    logits, labels = values_of(call.arrays["logits"], how), floats(call.arrays["target"])
    side = 1.0 - 2.0 * labels.reshape(logits.value.shape)
    away = Bounded(side * logits.value, logits.error, how)
    gamma, plain, wrong = float(call.option("gamma")), away.softplus(), away.sigmoid()
    if how.unshifted:
        plain = _next_to(plain, np.abs(logits.value))
        wrong = _next_to(wrong, np.full_like(side, 2.0))
    alpha = call.option("alpha")
    share = np.where(side < 0.0, alpha, 1.0 - alpha) if alpha >= 0.0 else np.ones_like(side)
    weight = exactly(share, how).again(2.0) * wrong.power(gamma)
    inner = wrong + (plain * (-away).sigmoid()).times(gamma)
    slope = weight * inner
    return _reduced(call, weight * plain, Bounded(side * slope.value, slope.error, how).again())


def _next_to(values: Bounded, sizes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Bounded:
    """Rounded next to numbers of these sizes."""
    return Bounded(values.value, values.error + 2.0 * values.how.step * sizes, values.how)


def _reduced(call: Call, losses: Bounded, slope: Bounded) -> Outcome:
    """Over all elements; a mean is over all of them."""
    how, count, shape = losses.how, losses.value.size, losses.value.shape
    above = np.ones(shape) if call.upstream is None else floats(call.upstream).reshape(-1, 1) * np.ones(shape)
    scale, total = exactly(above, how), losses.shaped((-1,))
    if call.option("reduction") == "mean":
        scale = scale / constant(float(count), how)
        found = total.over_rows() / constant(float(count), how)
    else:
        found = losses if call.option("reduction") == "none" else total.over_rows()
    return {LOSS: found} | ({"logits": slope * scale} if call.gradients else {})


def _labelled(*, soft: bool = False, weights: bool = False, numbers: tuple[float, ...] = ()) \
        -> Callable[[Arrays], Arrays]:  # fmt: skip
    """The change of labels of classes into labels of elements, with numbers among the logits."""

    def change(arrays: Arrays) -> Arrays:
        logits = arrays["logits"].clone()
        for row, number in enumerate(numbers):
            logits[row, :2] = number
        steps = torch.arange(logits.numel()).reshape(logits.shape)
        target = (steps % 5) / 4.0 if soft else steps % 2
        extra = {"pos_weight": (torch.arange(logits.shape[1]) % 4 + 1) / 2.0} if weights else {}
        found = {"logits": logits, "target": target, **extra}
        return {name: array.to(logits.dtype) for name, array in found.items()}

    return change


def _cases(*, soft: bool, **options: float) -> Callable[[], tuple[Call, ...]]:
    """The same questions of both; labels between 0 and 1, and weights, are of one of them alone."""

    def cases() -> tuple[Call, ...]:
        usual: dict[str, Any] = {"ignore_index": None, "label_smoothing": None, **options}
        far = (60.0, -60.0, 100.0, -100.0)
        own = (
            drawn("labels/between", "labels between 0 and 1", X, seed=21, change=_labelled(soft=True), **usual),
            drawn("labels/between-none", "labels between 0 and 1", seed=22, change=_labelled(soft=True),
                  **usual | {"reduction": "none"}),
            drawn("weights/mean", "a weight of the positive labels", X, seed=23, change=_labelled(weights=True),
                  **usual),
            drawn("weights/none", "and each loss", seed=24, change=_labelled(weights=True, soft=True, numbers=far),
                  **usual | {"reduction": "none"}),
        ) if soft else (
            drawn("gamma/none", "gamma 0: the loss is not modulated", X, seed=25, change=_labelled(),
                  **usual | {"gamma": 0.0}),
            drawn("gamma/three", "gamma 3", X, seed=26, change=_labelled(), **usual | {"gamma": 3.0}),
            drawn("alpha/half", "alpha 1/2", seed=27, change=_labelled(), **usual | {"alpha": 0.5}),
            drawn("alpha/large", "alpha 3/4: the positive labels count for more", X, seed=28, change=_labelled(),
                  **usual | {"alpha": 0.75}),
        )  # fmt: skip
        return (
            drawn("smoke/mean", "8 samples of 6 elements", seed=1, change=_labelled(), **usual),
            drawn("plain/none", "the loss of each element", seed=2, change=_labelled(),
                  **usual | {"reduction": "none"}),
            drawn("plain/sum", "their sum", seed=2, change=_labelled(), **usual | {"reduction": "sum"}),
            drawn("plain/float64", "in float64", X, seed=3, dtype="float64", change=_labelled(), **usual),
            drawn("plain/one", "one element", X, seed=4, shape=(1, 1), change=_labelled(), **usual),
            drawn("far/none", "logits of 60 and 100", seed=5, change=_labelled(numbers=far),
                  **usual | {"reduction": "none"}),
            drawn("far/gradient", "and the gradient", X, seed=5, change=_labelled(numbers=far), **usual),
            drawn("far/800", "the exponential overflows float64", X, seed=6, dtype="float64",
                  change=_labelled(numbers=(800.0, -800.0)), **usual),
            *own,
            drawn("half/bfloat16", "16 bits", X, seed=7, dtype="bfloat16", shape=(4, 2), change=_labelled(), **usual),
            drawn("half/float16", "16 bits", seed=8, dtype="float16", change=_labelled(),
                  **usual | {"reduction": "none"}),
            drawn("gradient/mean", "with respect to the logits", X, seed=9, change=_labelled(), **usual),
            drawn("gradient/number", "three times the loss", X, seed=10, upstream=3.0, change=_labelled(), **usual),
        )  # fmt: skip

    return cases


FAMILIES = {
    "smoke": "the wiring",
    "plain": "the ordinary call",
    "far": "logits whose exponential overflows, or is lost next to 1",
    "half": "16 bits",
    "gradient": "the gradient, and what comes from above",
}
OWN = (
    {"labels": "labels between 0 and 1", "weights": "the weight of positive labels"},
    {
        "gamma": "the modulating factor",
        "alpha": "the balance of positive and negative labels",
    },
)

BINARY = Kind(
    name="binary",
    about="binary cross-entropy of logits",
    signature="f(logits [...], target [...], *, pos_weight, reduction)",
    arrays=("logits", "target"),
    keywords={"pos_weight": ("pos_weight",), "reduction": TORCH_KEYWORDS["reduction"]},
    families=FAMILIES | OWN[0],
    cases=_cases(soft=True),
    formula=binary,
)

FOCAL = Kind(
    name="focal",
    about="sigmoid focal loss",
    signature="f(logits [...], target [...], *, alpha, gamma, reduction)",
    arrays=("logits", "target"),
    keywords={"alpha": ("alpha",), "gamma": ("gamma",), "reduction": TORCH_KEYWORDS["reduction"]},
    families=FAMILIES | OWN[1],
    cases=_cases(soft=False, alpha=0.25, gamma=2.0),
    formula=focal,
)
