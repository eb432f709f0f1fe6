"""`nll` and `probabilities`: the negative logarithm of the label's chance, given as it is or as its logarithm.

    nll              L = −w_y·ℓ_y          dL/dℓ_y = −w_y
    probabilities    L = −w_y·log p_y      dL/dp_y = −w_y/p_y

What is given is taken as it is: nothing is normalised again, and 0 gives ∞.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.conform.kinds.bounded import exactly
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Call, Kind
from xentcli.conform.kinds.classes import one_hot, values_of
from xentcli.conform.kinds.drawing import EACH, Arrays, drawn, ignoring
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.kinds.bounded import Bounded, Rounding
    from xentcli.conform.kinds.call import Outcome

OWN = "given"  # the array


def of_logarithms(call: Call, how: Rounding) -> Outcome:
    """−w·ℓ."""
    return _picked(call, how, lambda values: (-values, exactly(-np.ones_like(values.value), how)))


def of_chances(call: Call, how: Rounding) -> Outcome:
    """−w·log p."""
    return _picked(call, how, lambda values: (-values.log(), exactly(-np.ones_like(values.value), how) / values))


def _picked(call: Call, how: Rounding, of: Callable[[Bounded], tuple[Bounded, Bounded]]) -> Outcome:
    """The losses of the labels' entries and their slopes, weighed and reduced."""
    values, labels = values_of(call.arrays[OWN], how), floats(call.arrays["target"]).reshape(-1)
    counted = labels != call.option("ignore_index", -100)
    rows = np.arange(len(labels))
    safe = np.where(counted, labels, 0).astype(np.int64)
    losses, slopes = of(values.at(rows, safe))
    known = call.arrays.get("class_weight")
    weights = exactly(np.ones(len(labels)) if known is None else floats(known)[safe], how).where(counted)
    losses, scale = (losses * weights).where(counted), _upstream(call, how, len(labels))
    if call.option("reduction") == "mean":
        scale = scale / weights.over_rows()
    whole = losses if call.option("reduction") == "none" else losses.over_rows()
    found = {LOSS: whole / weights.over_rows() if call.option("reduction") == "mean" else whole}
    if call.gradients:
        hot = one_hot(labels, counted, values.value.shape[1]) != 0.0
        each = (slopes * weights * scale).again().column()
        spread = type(each)(np.where(hot, each.value, 0.0), np.where(hot, each.error, 0.0), how)
        found[OWN] = spread
    return found


def _upstream(call: Call, how: Rounding, rows: int) -> Bounded:
    above = np.ones(rows) if call.upstream is None else floats(call.upstream).reshape(-1) * np.ones(rows)
    return exactly(above, how)


def _normalised(of: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., Callable[[Arrays], Arrays]]:
    """The change that makes what is given of drawn logits, and may then set entries of the labels."""

    def made(entries: dict[int, float] | None = None, *, weights: bool = False, ignored: tuple[int, ...] = ()) \
            -> Callable[[Arrays], Arrays]:  # fmt: skip
        def change(arrays: Arrays) -> Arrays:
            logits, target = arrays["logits"], arrays["target"].clone()
            values = of(logits.double()).to(logits.dtype)
            for row, entry in (entries or {}).items():
                values[row, target[row]] = entry
            found = ignoring(*ignored)({OWN: values, "target": target})
            classes = torch.arange(logits.shape[1]) % 3 + 1
            return found | ({"class_weight": (classes / 4.0).to(logits.dtype)} if weights else {})

        return change

    return made


def _cases(of: Callable[[torch.Tensor], torch.Tensor], *, none: float, one: float, small: float) \
        -> Callable[[], tuple[Call, ...]]:  # fmt: skip
    """The same questions of both; `none`, `one` and `small` are how a chance of 0, of 1 and a small one is given."""
    change, x = _normalised(of), (OWN,)

    def cases() -> tuple[Call, ...]:
        return (
            drawn("smoke/mean", "8 samples, 6 classes", seed=1, change=change()),
            drawn("plain/none", "the loss of each sample", seed=2, reduction="none", change=change()),
            drawn("plain/sum", "their sum", seed=2, reduction="sum", change=change()),
            drawn("plain/float64", "in float64", x, seed=3, dtype="float64", change=change()),
            drawn("plain/unnormalised", "entries that are no distribution are taken as they are", seed=4,
                  reduction="none", change=change({0: one / 2.0 if one else -0.5, 1: small})),
            drawn("edges/one", "a chance of 1: the loss is 0", seed=5, reduction="none", change=change({0: one})),
            drawn("edges/none", "a chance of 0: the loss is infinite", seed=6, reduction="none",
                  change=change({0: none})),
            drawn("edges/small", "a small chance, far below 1e-7", x, seed=7, reduction="none",
                  change=change({0: small, 3: small})),
            drawn("weights/mean", "class weights, and the mean over them", x, seed=8, change=change(weights=True)),
            drawn("weights/none", "class weights", seed=8, reduction="none", change=change(weights=True)),
            drawn("ignored/mean", "samples that do not count", x, seed=9, change=change(ignored=(0, 5))),
            drawn("ignored/none", "0 for an ignored sample", seed=9, reduction="none", change=change(ignored=(0, 5))),
            drawn("ignored/a-class", "class 2 is ignored", seed=10, ignore_index=2, change=change()),
            drawn("half/bfloat16", "16 bits", x, seed=11, dtype="bfloat16", shape=(5, 6), change=change()),
            drawn("half/float16", "16 bits", seed=12, dtype="float16", reduction="none", change=change()),
            drawn("gradient/mean", "with respect to what is given", x, seed=13, change=change()),
            drawn("gradient/upstream", "another number from above for each sample", x, seed=14, reduction="none",
                  upstream=EACH, change=change()),
        )  # fmt: skip

    return cases


KEYWORDS = {
    "class_weight": ("class_weight", "weight"),
    "reduction": TORCH_KEYWORDS["reduction"],
    "ignore_index": TORCH_KEYWORDS["ignore_index"],
}
FAMILIES = {
    "smoke": "the wiring",
    "plain": "the ordinary call",
    "edges": "chances of 0, of 1, and small ones",
    "weights": "class weights",
    "ignored": "samples that do not count",
    "half": "16 bits",
    "gradient": "the gradient, and what comes from above",
}

NLL = Kind(
    name="nll",
    about="the loss of log-probabilities that are given",
    signature="f(log-probabilities [N, C], target [N], *, class_weight, reduction, ignore_index)",
    arrays=(OWN, "target"),
    keywords=KEYWORDS,
    families=FAMILIES,
    cases=_cases(lambda x: x.log_softmax(1), none=-float("inf"), one=0.0, small=-80.0),
    formula=of_logarithms,
)

PROBABILITIES = Kind(
    name="probabilities",
    about="the loss of probabilities that are given",
    signature="f(probabilities [N, C], target [N], *, class_weight, reduction, ignore_index)",
    arrays=(OWN, "target"),
    keywords=KEYWORDS,
    families=FAMILIES,
    cases=_cases(lambda x: x.softmax(1), none=0.0, one=1.0, small=2.0**-100),
    formula=of_chances,
)
