"""`z-loss`, `softcap` and `scale`: cross-entropy with one thing done to its logits, or added to it.

z-loss     L + z·(log Σ exp x)²          dL/dx_c gains 2·z·logsumexp·p_c
softcap    L(y), y = c·tanh(x/c)         dL/dx = dL/dy·(1 − tanh²(x/c))
scale      L(s·x)                        dL/dx = s·dL/dy
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xentcli.conform.kinds.bounded import exactly
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Kind
from xentcli.conform.kinds.classes import cross_entropy, values_of
from xentcli.conform.kinds.drawing import EACH, drawn, ignoring, placing

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.kinds.bounded import Bounded, Rounding
    from xentcli.conform.kinds.call import Call, Outcome

X = ("logits",)
KEYWORDS = {name: TORCH_KEYWORDS[name] for name in ("reduction", "ignore_index")}


def with_squares(call: Call, how: Rounding) -> Outcome:
    """Cross-entropy, and z times the square of log Σ exp."""
    losses = cross_entropy(values_of(call.arrays["logits"], how), call, squared=call.option("z_loss"))
    return _asked(call, {LOSS: losses.loss, "z": losses.squares}, losses.slope)


def capped(call: Call, how: Rounding) -> Outcome:
    """Cross-entropy of c·tanh(x/c)."""
    cap = exactly(np.array(float(call.option("softcap"))), how)
    bent = (values_of(call.arrays["logits"], how) / cap).tanh()
    losses = cross_entropy(bent * cap, call)
    return _asked(call, {LOSS: losses.loss}, losses.slope * (exactly(np.array(1.0), how) - bent * bent))


def scaled(call: Call, how: Rounding) -> Outcome:
    """Cross-entropy of s·x."""
    factor = exactly(np.array(float(call.option("scale"))), how)
    losses = cross_entropy(values_of(call.arrays["logits"], how) * factor, call)
    return _asked(call, {LOSS: losses.loss}, losses.slope * factor)


def _asked(call: Call, outcome: Outcome, slope: Bounded) -> Outcome:
    return outcome | ({"logits": slope} if call.gradients else {})


def _cases(option: str, usual: float, other: float, far: float) -> Callable[[], tuple[Call, ...]]:
    """The same questions of all three, `far` being how far from 0 their logits may lie."""

    def cases() -> tuple[Call, ...]:
        plain, odd = dict[str, Any]({option: usual}), dict[str, Any]({option: other})
        return (
            drawn("smoke/mean", "8 samples, 6 classes", seed=1, **plain),
            drawn("plain/none", "the loss of each sample", seed=2, reduction="none", **plain),
            drawn("plain/sum", "their sum", seed=2, reduction="sum", **plain),
            drawn("plain/float64", "in float64", X, seed=3, dtype="float64", **plain),
            drawn("plain/another", f"{option} {other}", X, seed=4, **odd),
            drawn("plain/1025-classes", "labels in the last of many classes", X, seed=5, shape=(3, 1025), **plain,
                  change=placing({}, {0: 1024})),
            drawn("offsets/above", "all logits lie far above 0", seed=6, offset=far, reduction="none", **plain),
            drawn("offsets/below", "all logits lie far below 0", X, seed=7, offset=-far, **plain),
            drawn("offsets/confident", "the label's logit is far above the others", seed=8, reduction="none", **plain,
                  change=placing({(row, 2): far for row in range(8)}, dict.fromkeys(range(8), 2))),
            drawn("offsets/wrong", "another class is far above the label's", X, seed=9, **plain,
                  change=placing({(row, 2): far for row in range(8)}, dict.fromkeys(range(8), 3))),
            drawn("ignored/mean", "samples that do not count", X, seed=10, shape=(9, 6), **plain,
                  change=ignoring(0, 1, 7)),
            drawn("ignored/none", "0 for an ignored sample", seed=10, shape=(9, 6), reduction="none", **plain,
                  change=ignoring(0, 1, 7)),
            drawn("ignored/a-class", "class 2 is ignored", X, seed=11, shape=(9, 6), ignore_index=2, **plain),
            drawn("half/bfloat16", "16 bits", X, seed=12, dtype="bfloat16", shape=(5, 6), **plain),
            drawn("half/float16", "16 bits", seed=13, dtype="float16", reduction="none", **plain),
            drawn("gradient/mean", "with respect to the logits", X, seed=14, **plain),
            drawn("gradient/upstream", "another number from above for each sample", X, seed=15, reduction="none",
                  upstream=EACH, **plain),
            drawn("gradient/number", "three times the loss", X, seed=16, upstream=3.0, **odd),
        )  # fmt: skip

    return cases


FAMILIES = {
    "smoke": "the wiring",
    "plain": "the ordinary call",
    "offsets": "logits far from 0, or from each other",
    "ignored": "samples that do not count",
    "half": "16 bits",
    "gradient": "the gradient, and what comes from above",
}

Z_LOSS = Kind(
    name="z-loss",
    about="cross-entropy plus z times the square of logsumexp",
    signature="f(logits [N, C], target [N], *, z_loss, reduction, ignore_index) -> loss, or (loss, z·logsumexp²)",
    arrays=("logits", "target"),
    keywords={"z_loss": ("z_loss", "lse_square_scale", "z_loss_weight", "z_loss_scale", "z"), **KEYWORDS},
    families=FAMILIES,
    cases=_cases("z_loss", 2.0**-10, 0.125, 100.0),
    formula=with_squares,
    others=("z",),
)

SOFTCAP = Kind(
    name="softcap",
    about="cross-entropy of cap·tanh(logits/cap)",
    signature="f(logits [N, C], target [N], *, softcap, reduction, ignore_index)",
    arrays=("logits", "target"),
    keywords={"softcap": ("softcap", "soft_cap", "logit_softcapping", "logits_soft_cap", "cap"), **KEYWORDS},
    families=FAMILIES,
    cases=_cases("softcap", 30.0, 5.0, 60.0),
    formula=capped,
)

SCALE = Kind(
    name="scale",
    about="cross-entropy of scale·logits, or logits/temperature",
    signature="f(logits [N, C], target [N], *, scale or temperature, reduction, ignore_index)",
    arrays=("logits", "target"),
    keywords={"scale": ("scale", "logit_scale", "temperature"), **KEYWORDS},
    families=FAMILIES,
    cases=_cases("scale", 0.25, 4.0, 1000.0),
    formula=scaled,
    spellings={"temperature": lambda scale: 1.0 / scale},
)
