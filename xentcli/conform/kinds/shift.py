"""`shift`: the loss of the next token, which shifts logits and labels itself.

    L = Σ_{b, t < T−1} CE(x_{b,t}, y_{b,t+1}) / W,   W = the labels that count, or num_items_in_batch where it is given

The logits of the last position, and the labels of the first, take no part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.conform.kinds.bounded import Bounded
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Call, Kind
from xentcli.conform.kinds.classes import cross_entropy, values_of
from xentcli.conform.kinds.drawing import drawn, ignoring, placing

if TYPE_CHECKING:
    from xentcli.conform.kinds.bounded import Rounding
    from xentcli.conform.kinds.call import Outcome

X = ("logits",)


def formula(call: Call, how: Rounding) -> Outcome:
    """The loss, and the gradient, which is 0 at the last positions."""
    logits, target = values_of(call.arrays["logits"], how), call.arrays["target"]
    batch, positions, classes = logits.value.shape
    cut = [each[:, :-1].reshape(-1, classes) for each in (logits.value, logits.error)]
    within = replace(call, arrays={"target": target[:, 1:].reshape(-1)}, options={**call.options, "reduction": "mean"})
    losses = cross_entropy(Bounded(cut[0], cut[1], how), within, divisor=call.option("num_items_in_batch"))
    if not call.gradients:
        return {LOSS: losses.loss}
    value, error = np.zeros(logits.value.shape), np.zeros(logits.value.shape)
    value[:, :-1] = losses.slope.value.reshape(batch, positions - 1, classes)
    error[:, :-1] = losses.slope.error.reshape(batch, positions - 1, classes)
    return {LOSS: losses.loss, "logits": Bounded(value, error, how)}


def cases() -> tuple[Call, ...]:
    """Sequences, some of them padded, and parts of a batch."""
    size: dict[str, Any] = {"reduction": None, "label_smoothing": None, "shape": (2, 5, 6), "vocab_size": 6}
    last = placing({}, {row * 5: (row + 1) % 6 for row in range(2)})
    return (
        drawn("smoke/mean", "two sequences of five tokens", seed=1, **size),
        drawn("plain/one", "one sequence", X, seed=2, **size | {"shape": (1, 7, 6)}),
        drawn("plain/two-tokens", "one prediction for each sequence", X, seed=3, **size | {"shape": (3, 2, 6)}),
        drawn("plain/float64", "in float64", X, seed=4, dtype="float64", **size),
        drawn("plain/first-label", "the first label takes no part", X, seed=5, change=last, **size),
        drawn("plain/last-logits", "infinite logits of the last position take no part", seed=6, **size,
              change=placing({(0, 4, 0): float("inf"), (1, 4, 1): float("nan")})),
        drawn("items/more", "the batch has 20 items, these among them", X, seed=7, num_items_in_batch=20, **size),
        drawn("items/fewer", "a number of 3 is taken as it is", seed=8, num_items_in_batch=3, **size),
        drawn("items/padded", "20 items, and labels that do not count", X, seed=9, num_items_in_batch=20,
              change=ignoring(3, 4, 8), **size),
        drawn("ignored/padding", "the ends of the sequences do not count", X, seed=10, change=ignoring(3, 4, 8, 9),
              **size),
        drawn("ignored/unevenly", "one sequence counts one label", seed=11, change=ignoring(0, 1, 2, 3), **size),
        drawn("ignored/a-class", "class 2 is ignored", seed=12, ignore_index=2, **size),
        drawn("offsets/above", "all logits lie far above 0", seed=13, offset=1000.0, **size),
        drawn("half/bfloat16", "16 bits", X, seed=14, dtype="bfloat16", **size),
        drawn("half/float16", "16 bits", seed=15, dtype="float16", **size),
        drawn("gradient/mean", "with respect to the logits", X, seed=16, **size),
        drawn("gradient/number", "three times the loss", X, seed=17, upstream=3.0, **size),
    )  # fmt: skip


SHIFT = Kind(
    name="shift",
    about="the loss of the next token, shifted inside",
    signature="f(logits [B, T, C], labels [B, T], *, num_items_in_batch, ignore_index, vocab_size where it has one)",
    arrays=("logits", "target"),
    keywords={
        "num_items_in_batch": ("num_items_in_batch", "num_items"),
        "ignore_index": TORCH_KEYWORDS["ignore_index"],
        "vocab_size": ("vocab_size",),
    },
    families={
        "smoke": "the wiring",
        "plain": "which logits meet which labels",
        "items": "the sum over a number of items that is given",
        "ignored": "labels that do not count",
        "offsets": "logits far from 0",
        "half": "16 bits",
        "gradient": "the gradient, and what comes from above",
    },
    cases=cases,
    formula=formula,
    offered=("vocab_size",),
)
