"""`vocabulary-shards`: the logits come in parts along the classes, as on several devices.

    L = m + log Σ_k e^(m_k − m)·Σ_{c in part k} e^(x_c − m_k) − x_y,   m_k the maximum of a part, m that of all

A part without a finite logit counts 0; its own maximum is −∞, and −∞ − (−∞) is no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.kinds.bounded import Bounded
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Kind
from xentcli.conform.kinds.classes import cross_entropy, values_of
from xentcli.conform.kinds.drawing import EACH, Arrays, drawn, ignoring

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.kinds.bounded import Rounding
    from xentcli.conform.kinds.call import Call, Outcome

PART = "shards"


def names(parts: int) -> list[str]:
    """Of the arrays of the parts."""
    return [f"{PART}{number}" for number in range(parts)]


def formula(call: Call, how: Rounding) -> Outcome:
    """The loss of all parts side by side, and each part's piece of the gradient."""
    parts = names(call.option("parts"))
    arrays = [values_of(call.arrays[name], how) for name in parts]
    value, error = (np.concatenate([getattr(each, part) for each in arrays], 1) for part in ("value", "error"))
    whole = Bounded(value, error, how)
    losses = cross_entropy(whole, call)
    ends = np.cumsum([each.value.shape[1] for each in arrays])
    found = {LOSS: losses.loss}
    for name, array, end in zip(parts, arrays, ends, strict=True):
        if name in call.gradients:
            piece = slice(end - array.value.shape[1], end)
            found[name] = Bounded(losses.slope.value[:, piece], losses.slope.error[:, piece], how)
    return found


def _cut(*sizes: int, masked: tuple[int, ...] = (), labels: dict[int, int] | None = None,
         ignored: tuple[int, ...] = (), tops: tuple[float, ...] = ()) -> Callable[[Arrays], Arrays]:  # fmt: skip
    """The change of logits into parts of these sizes; parts without a finite logit; parts that lie higher."""

    def change(arrays: Arrays) -> Arrays:
        target = arrays["target"].clone()
        for row, label in (labels or {}).items():
            target[row] = label
        parts = [each.clone() for each in torch.split(arrays["logits"], list(sizes), 1)]
        for part in masked:
            parts[part].fill_(-torch.inf)
        for logits, top in zip(parts, tops, strict=False):
            logits.add_(top)
        return ignoring(*ignored)({"target": target} | dict(zip(names(len(parts)), parts, strict=True)))

    return change


def _case(name: str, about: str, *sizes: int, seed: int, gradients: bool = False, rows: int = 8,
          dtype: str = "float32", upstream: str | None = None, reduction: str = "mean", offset: float = 0.0,
          **change: Any) -> Call:  # fmt: skip
    parts = len(sizes)
    asked = tuple(names(parts)) if gradients else ()
    return drawn(name, about, asked, seed=seed, shape=(rows, sum(sizes)), dtype=dtype, offset=offset,
                 upstream=upstream, reduction=reduction, label_smoothing=None, parts=parts,
                 change=_cut(*sizes, **change))  # fmt: skip


def cases() -> tuple[Call, ...]:
    """Even and uneven parts, labels in each, parts without a finite logit."""
    first, last = dict.fromkeys(range(8), 0), dict.fromkeys(range(8), 8)
    return (
        _case("smoke/mean", "two parts of 4 classes", 4, 4, seed=1),
        _case("plain/none", "three parts of 3 classes", 3, 3, 3, seed=2, reduction="none"),
        _case("plain/one", "one part", 7, seed=3, gradients=True),
        _case("plain/uneven", "parts of 5, 1 and 3 classes", 5, 1, 3, seed=4, gradients=True),
        _case("plain/eight", "eight parts", *(2,) * 8, seed=5, gradients=True),
        _case("plain/float64", "in float64", 4, 5, seed=6, gradients=True, dtype="float64"),
        _case("plain/sum", "the sum", 4, 5, seed=6, reduction="sum"),
        _case("labels/first", "all labels are in the first part", 3, 3, 3, seed=7, gradients=True, labels=first),
        _case("labels/last", "all labels are in the last part", 3, 3, 3, seed=8, gradients=True, labels=last),
        _case("empty/first", "the first part has no finite logit", 3, 3, 3, seed=9, reduction="none", masked=(0,),
              labels=last),
        _case("empty/middle", "the second part has none, and the gradient", 3, 3, 3, seed=10, gradients=True,
              masked=(1,), labels=last),
        _case("empty/all-but-one", "only the last part has any", 3, 3, 3, seed=11, reduction="none", masked=(0, 1),
              labels=last),
        _case("offsets/above", "all logits lie far above 0", 3, 3, 3, seed=12, offset=800.0, reduction="none"),
        _case("offsets/below", "all logits lie far below 0", 3, 3, 3, seed=13, offset=-800.0, gradients=True),
        _case("offsets/apart", "one part lies 500 above the others", 3, 3, 3, seed=14, gradients=True,
              tops=(0.0, 500.0, 0.0)),
        _case("ignored/mean", "samples that do not count", 3, 3, 3, seed=15, gradients=True, ignored=(0, 3)),
        _case("ignored/none", "0 for an ignored sample", 3, 3, 3, seed=15, reduction="none", ignored=(0, 3)),
        _case("half/bfloat16", "16 bits", 4, 3, seed=16, gradients=True, dtype="bfloat16", rows=5),
        _case("half/float16", "16 bits", 4, 3, seed=17, dtype="float16", reduction="none"),
        _case("gradient/upstream", "another number from above for each sample", 4, 3, seed=18, gradients=True,
              reduction="none", upstream=EACH),
    )  # fmt: skip


VOCABULARY_SHARDS = Kind(
    name="vocabulary-shards",
    about="cross-entropy of logits that come in parts along the classes",
    signature="f([logits [N, C1], logits [N, C2], ...], target [N], *, reduction, ignore_index)",
    arrays=(PART, "target"),
    keywords={name: TORCH_KEYWORDS[name] for name in ("reduction", "ignore_index")},
    families={
        "smoke": "the wiring",
        "plain": "the ordinary call",
        "labels": "which part the label is in",
        "empty": "a part without a finite logit",
        "offsets": "logits far from 0, or parts from each other",
        "ignored": "samples that do not count",
        "half": "16 bits",
        "gradient": "what comes from above",
    },
    cases=cases,
    formula=formula,
)
