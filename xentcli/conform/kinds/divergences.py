"""`kl-div`, `kl` and `js`: how far one distribution is from another.

    kl-div   torch's: pointwise e^t·(t − ℓ) of log-probabilities ℓ and t (or p·(log p − ℓ)); terms may be negative
    kl       Σ_c p_c·(log p_c − log q_c), q the softmax of the logits, p that of the others'    dL/dx_c = q_c − p_c
    js       ½·KL(q‖m) + ½·KL(p‖m), m = (p + q)/2    dL/dx_c = ½·q_c·(log(q_c/m_c) − KL(q‖m))

A class that both mask takes no part: 0·log 0 is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.kinds.bounded import Bounded, constant, exactly, normalised
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, Kind
from xentcli.conform.kinds.classes import values_of
from xentcli.conform.kinds.drawing import EACH, Arrays, drawn
from xentcli.measuring.case import floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.kinds.bounded import Rounding
    from xentcli.conform.kinds.call import Call, Outcome


def pointwise(call: Call, how: Rounding) -> Outcome:
    """torch's terms, and the slope −p of each."""
    given, target = (values_of(call.arrays[name], how) for name in ("given", "target"))
    logs, chances = (target, target.exp()) if call.option("log_target") else (target.log(), target)
    alive = chances.value > 0.0
    terms = (chances * (logs.where(alive) - given)).where(alive)
    sizes = np.where(alive, np.abs(chances.value) * (np.abs(logs.where(alive).value) + np.abs(given.value)), 0.0)
    if how.unshifted:  # p·log p and p·ℓ, each rounded before they are subtracted
        terms = Bounded(terms.value, terms.error + 2.0 * how.step * sizes, how)
    count = {"batchmean": len(terms.value), "mean": terms.value.size}.get(call.option("reduction"), 1)
    return _reduced(call, terms, "given", -chances, count)


def forward(call: Call, how: Rounding) -> Outcome:
    """KL of the others' softmax from the logits'."""
    (own, chances), (other, others) = (_softmax(call, name, how) for name in ("logits", "other"))
    terms = _terms(others, other, own)
    return _by_rows(call, terms.over_classes(), chances - others)


def symmetric(call: Call, how: Rounding) -> Outcome:
    """JS of both."""
    (own, chances), (other, others) = (_softmax(call, name, how) for name in ("logits", "other"))
    middle = (chances + others).times(0.5)
    log_middle = middle.where(middle.value > 0.0, 1.0).log()
    ours, theirs = _terms(chances, own, log_middle), _terms(others, other, log_middle)
    total = (ours.over_classes() + theirs.over_classes()).times(0.5)
    away = (own.where(chances.value > 0.0) - log_middle.where(chances.value > 0.0)) - ours.over_classes().column()
    return _by_rows(call, total, (chances * away).times(0.5))


def _softmax(call: Call, name: str, how: Rounding) -> tuple[Bounded, Bounded]:
    """log p and p of one side."""
    logs, _ = normalised(values_of(call.arrays[name], how))
    return logs, logs.exp()


def _terms(chances: Bounded, logs: Bounded, others: Bounded) -> Bounded:
    """p·(log p − log q), 0 where p is."""
    alive = chances.value > 0.0
    return (chances * (logs.where(alive) - others.where(alive))).where(alive)


def _by_rows(call: Call, rows: Bounded, slope: Bounded) -> Outcome:
    """The divergence of each sample, or all of them over their number."""
    return _reduced(call, rows, "logits", slope, len(rows.value) if call.option("reduction") == "batchmean" else 1)


def _reduced(call: Call, terms: Bounded, name: str, slope: Bounded, count: int) -> Outcome:
    how, shape = terms.how, slope.value.shape
    above = np.ones(shape) if call.upstream is None else floats(call.upstream).reshape(-1, 1) * np.ones(shape)
    total = terms if call.option("reduction") == "none" else terms.shaped((-1,)).over_rows()
    divisor = constant(float(count), how)
    found = {LOSS: total / divisor if count > 1 else total}
    scale = exactly(above, how) / divisor if count > 1 else exactly(above, how)
    return found | ({name: (slope * scale).again()} if call.gradients else {})


def _with_other(seed: int, *, near: float = 0.0, masked: tuple[int, ...] = (), apart: float = 0.0) \
        -> Callable[[Arrays], Arrays]:  # fmt: skip
    """The change that draws the other logits: anew, or within `near` of the first; some classes masked in both."""

    def change(arrays: Arrays) -> Arrays:
        logits = arrays["logits"].clone()
        draw = torch.Generator().manual_seed(1000 + seed)
        noise = torch.randn(logits.shape, generator=draw, dtype=torch.float64).to(logits.dtype)
        other = logits + near * noise if near else 3.0 * noise
        other[:, 0] += apart
        for each in (logits, other):
            each[:, list(masked)] = -torch.inf
        return {"logits": logits, "other": other}

    return change


def _of_two() -> tuple[Call, ...]:
    """The questions of a divergence of two logits."""
    x, usual = ("logits",), dict[str, Any](ignore_index=None, label_smoothing=None, reduction="batchmean")
    each = usual | {"reduction": "none"}
    return (
        drawn("smoke/batchmean", "8 samples, 6 classes", seed=1, change=_with_other(1), **usual),
        drawn("plain/none", "that of each sample", seed=2, change=_with_other(2), **each),
        drawn("plain/sum", "their sum", seed=2, change=_with_other(2), **usual | {"reduction": "sum"}),
        drawn("plain/float64", "in float64", x, seed=3, dtype="float64", change=_with_other(3), **usual),
        drawn("plain/1025-classes", "many classes", x, seed=4, shape=(3, 1025), change=_with_other(4), **usual),
        drawn("plain/one", "one sample", x, seed=5, shape=(1, 6), change=_with_other(5), **usual),
        drawn("near/close", "logits that are nearly the same", seed=6, change=_with_other(6, near=2.0**-8), **each),
        drawn("near/gradient", "and the gradient", x, seed=6, change=_with_other(6, near=2.0**-8), **usual),
        drawn("far/offsets", "logits far above 0", seed=7, offset=500.0, change=_with_other(7), **each),
        drawn("far/apart", "one side is sure of a class that the other nearly excludes", x, seed=8,
              change=_with_other(8, apart=90.0), **usual),
        drawn("masked/none", "classes that both mask", seed=9, change=_with_other(9, masked=(1, 4)), **each),
        drawn("masked/batchmean", "classes that both mask", seed=10, change=_with_other(10, masked=(0,)), **usual),
        drawn("half/bfloat16", "16 bits", seed=11, dtype="bfloat16", shape=(5, 6), change=_with_other(11), **usual),
        drawn("half/float16", "16 bits", seed=12, dtype="float16", change=_with_other(12), **each),
        drawn("gradient/batchmean", "with respect to the logits", x, seed=13, change=_with_other(13), **usual),
        drawn("gradient/upstream", "another number from above for each sample", x, seed=14, change=_with_other(14),
              upstream=EACH, **each),
    )  # fmt: skip


def _pointwise_cases() -> tuple[Call, ...]:
    usual = dict[str, Any](ignore_index=None, label_smoothing=None, reduction="batchmean", log_target=False)
    logs, each, x = usual | {"log_target": True}, usual | {"reduction": "none"}, ("given",)

    def made(seed: int, *, of_logs: bool = False, zeros: bool = False) -> Callable[[Arrays], Arrays]:
        def change(arrays: Arrays) -> Arrays:
            both = _with_other(seed)(arrays)
            target = both["other"].double().log_softmax(1)
            if zeros:
                target[:, 2] = -torch.inf
            kind = both["logits"].dtype
            found = {"given": both["logits"].double().log_softmax(1), "target": target if of_logs else target.exp()}
            return {name: array.to(kind) for name, array in found.items()}

        return change

    return (
        drawn("smoke/batchmean", "8 samples, 6 classes", seed=1, change=made(1), **usual),
        drawn("plain/none", "each term, some negative", seed=2, change=made(2), **each),
        drawn("plain/sum", "their sum", seed=3, change=made(3), **usual | {"reduction": "sum"}),
        drawn("plain/float64", "in float64", x, seed=4, dtype="float64", change=made(4), **usual),
        drawn("plain/mean", "the mean is over samples and classes", x, seed=5, change=made(5),
              **usual | {"reduction": "mean"}),
        drawn("log-target/none", "the target is a logarithm, too", seed=6, change=made(6, of_logs=True),
              **logs | {"reduction": "none"}),
        drawn("log-target/batchmean", "and the gradient", x, seed=7, change=made(7, of_logs=True), **logs),
        drawn("zeros/none", "0·log 0 is 0", seed=8, change=made(8, zeros=True), **each),
        drawn("zeros/batchmean", "and the gradient", x, seed=9, change=made(9, zeros=True), **usual),
        drawn("half/bfloat16", "16 bits", seed=10, dtype="bfloat16", shape=(5, 6), change=made(10), **usual),
        drawn("half/float16", "16 bits", seed=11, dtype="float16", change=made(11), **each),
        drawn("gradient/batchmean", "with respect to the log-probabilities", x, seed=12, change=made(12), **usual),
    )  # fmt: skip


FAMILIES = {
    "smoke": "the wiring",
    "plain": "the ordinary call",
    "near": "two distributions that are nearly the same",
    "far": "two that are far apart, or far from 0",
    "masked": "classes that both sides mask",
    "half": "16 bits",
    "gradient": "the gradient, and what comes from above",
}
OF_TWO = ("logits", "other")

KL_DIV = Kind(
    name="kl-div",
    about="pointwise divergence of log-probabilities, as torch's F.kl_div",
    signature="f(log-probabilities [N, C], target [N, C], *, log_target, reduction: none, sum, batchmean, mean)",
    arrays=("given", "target"),
    keywords={"log_target": ("log_target",), "reduction": TORCH_KEYWORDS["reduction"]},
    families={
        "smoke": "the wiring",
        "plain": "the ordinary call",
        "log-target": "a target of logarithms",
        "zeros": "target probabilities of 0",
        "half": "16 bits",
        "gradient": "the gradient",
    },
    cases=_pointwise_cases,
    formula=pointwise,
    offered=("log_target",),
)

KL = Kind(
    name="kl",
    about="KL(softmax(other) ‖ softmax(logits)), as for distillation: the other logits are the teacher's",
    signature="f(logits [N, C], other [N, C], *, reduction: none [N], sum, batchmean)",
    arrays=OF_TWO,
    keywords={"reduction": TORCH_KEYWORDS["reduction"]},
    families=FAMILIES,
    cases=_of_two,
    formula=forward,
)

JS = Kind(
    name="js",
    about="the Jensen-Shannon divergence of two logits' softmax",
    signature="f(logits [N, C], other [N, C], *, reduction: none [N], sum, batchmean)",
    arrays=OF_TWO,
    keywords={"reduction": TORCH_KEYWORDS["reduction"]},
    families=FAMILIES,
    cases=_of_two,
    formula=symmetric,
)
