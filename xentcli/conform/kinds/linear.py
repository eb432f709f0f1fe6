"""`linear`: hidden states times a head, and cross-entropy of the product, in one function that never holds the logits.

    x = h·Wᵀ + b,   L as torch's of x;   with g = dL/dx:   dL/dh = g·W,   dL/dW = gᵀ·h,   dL/db = Σ_n g

The product's rounding is order-free, |fl(x) − x| ≤ γ_D·|h|·|W|ᵀ in the arithmetic (float32 for 16 bits), and a grade
takes logits that are stored in 16 bits before they are shifted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from xentcli.bounds.model import gamma
from xentcli.conform.kinds.bounded import product
from xentcli.conform.kinds.call import LOSS, TORCH_KEYWORDS, TORCH_OPTIONS, Call, Kind
from xentcli.conform.kinds.classes import cross_entropy, values_of

if TYPE_CHECKING:
    from xentcli.conform.kinds.bounded import Bounded, Rounding
    from xentcli.conform.kinds.call import Outcome

ALL = ("hidden", "weight", "bias")


def formula(call: Call, how: Rounding) -> Outcome:
    """The loss, and the three gradients where there are such arrays."""
    hidden, weight = (values_of(call.arrays[name], how) for name in ("hidden", "weight"))
    logits = product(hidden, _transposed(weight), gamma(hidden.value.shape[1], how.inner))
    if "bias" in call.arrays:
        logits = logits + values_of(call.arrays["bias"], how)
    losses = cross_entropy(logits, call)
    slope = losses.slope
    rows, classes = slope.value.shape
    slopes = {
        "hidden": lambda: product(slope, weight, how.over_classes(classes)).again(),
        "weight": lambda: product(_transposed(slope), hidden, how.over_rows(rows)).again(),
        "bias": lambda: slope.over_rows().again(),
    }
    return {LOSS: losses.loss} | {name: slopes[name]() for name in call.gradients}


def _transposed(values: Bounded) -> Bounded:
    return type(values)(values.value.T, values.error.T, values.how)


def cases() -> tuple[Call, ...]:
    """From one row to chunks with a ragged rest, and to a vocabulary."""
    ignored = {1: -100, 2: -100, 3: -100, 4: -100, 5: -100, 33: -100}
    return (
        _case("smoke/mean", "8 samples, 5 classes", seed=1, rows=8, classes=5, reduction="mean"),
        _case("smoke/gradients", "the same, with the gradients", ALL, seed=1, rows=8, classes=5),
        _case("plain/none", "the loss of each sample", seed=2, rows=9, classes=7, reduction="none"),
        _case("plain/sum", "their sum", seed=2, rows=9, classes=7, reduction="sum"),
        _case("plain/bias", "a head with a bias", ALL, seed=3, rows=9, classes=7, bias=True),
        _case("plain/bias-none", "and each loss", seed=3, rows=9, classes=7, bias=True, reduction="none"),
        _case("plain/float64", "in float64", ALL, seed=4, dtype="float64"),
        _case("plain/float64-bias", "in float64, with a bias", ALL, seed=4, dtype="float64", bias=True),
        _case("plain/one-row", "one sample", ALL, seed=5, rows=1),
        _case("plain/one-feature", "one feature", ALL, seed=6, features=1),
        _case("chunks/ragged", "1,027 samples: no chunk size divides them", ALL, seed=7, rows=1027, classes=11),
        _case("chunks/bias", "the same with a bias", ALL, seed=7, rows=1027, classes=11, bias=True),
        _case("chunks/prime", "131 samples", ALL, seed=8, rows=131, classes=13),
        _case("chunks/none", "131 samples, each loss", seed=8, rows=131, classes=13, reduction="none"),
        _case("chunks/sum", "131 samples, the sum", ALL, seed=8, rows=131, classes=13, reduction="sum", bias=True),
        _case("vocabulary/1025", "1,025 classes, labels in the last", ALL, seed=9, rows=7, classes=1025, last=True),
        _case("vocabulary/50257", "50,257 classes", ("hidden",), seed=10, rows=4, classes=50257, features=6),
        _case("offsets/above", "a feature that lifts all logits by 1,000", ALL, seed=11, lift=1000.0),
        _case("offsets/bias", "a bias of 1,000 in every class", ALL, seed=11, offset=1000.0, bias=True),
        _case("offsets/below", "all logits lie 500 below 0", seed=13, lift=-500.0, reduction="none"),
        _case("offsets/confident", "logits some 60 apart", ALL, seed=12, scale=12.0),
        _case("ignored/unevenly", "most of the first chunk is ignored", ALL, seed=14, rows=37, labels=ignored),
        _case("ignored/sum", "the same, summed", ALL, seed=14, rows=37, labels=ignored, reduction="sum", bias=True),
        _case("ignored/none", "0 for an ignored sample", seed=14, rows=37, labels=ignored, reduction="none"),
        _case("ignored/a-class", "class 2 is ignored", ALL, seed=15, rows=19, ignore_index=2),
        _case("options/smoothing", "a smoothing of 1/8", ALL, seed=16, label_smoothing=0.125),
        _case("options/smoothing-bias", "and a bias", ALL, seed=16, label_smoothing=0.125, bias=True),
        _case("options/weights", "class weights", ALL, seed=17, class_weights=True),
        _case("half/bfloat16", "16 bits", ALL, seed=18, dtype="bfloat16", rows=7),
        _case("half/float16", "16 bits", ALL, seed=19, dtype="float16", rows=7, bias=True),
        _case("half/wide", "a product of 4,096 features", seed=20, dtype="bfloat16", rows=5, features=4096, ones=True),
        _case("upstream/number", "the loss is one of several: times 3", ALL, seed=21, upstream=3.0),
        _case("upstream/each", "another for each sample", ALL, seed=22, upstream="each", reduction="none", bias=True),
    )


def _case(name: str, about: str, gradients: tuple[str, ...] = (), *, seed: int, rows: int = 33, classes: int = 9,
          features: int = 5, dtype: str = "float32", bias: bool = False, **more: Any) -> Call:  # fmt: skip
    """Seeded numbers, exact in 16 bits where that is the format."""
    draw = torch.Generator().manual_seed(seed)
    kind = getattr(torch, dtype)
    hidden = torch.randn(rows, features, generator=draw, dtype=torch.float64) * more.get("scale", 1.0)
    weight = torch.randn(classes, features, generator=draw, dtype=torch.float64)
    if more.get("ones"):  # addends of one sign, which a sum in 16 bits soon swallows
        density = torch.linspace(0.1, 0.9, classes, dtype=torch.float64)[:, None]
        hidden, weight = torch.full_like(hidden, 2.0**-6), (weight.sigmoid() < density).double()
    if "lift" in more:
        hidden[:, 0], weight[:, 0] = 1.0, more["lift"]
    shift = torch.randn(classes, generator=draw, dtype=torch.float64) + more.get("offset", 0.0)
    target = torch.randint(classes, (rows,), generator=draw)
    if more.get("last"):
        target[::2] = classes - 1
    for row, label in more.get("labels", {}).items():
        target[row] = label
    arrays = {"hidden": hidden.to(kind), "weight": weight.to(kind), "target": target}
    if bias:
        arrays["bias"] = shift.to(kind)
    if more.get("class_weights"):
        arrays["class_weight"] = (torch.randint(1, 9, (classes,), generator=draw) / 4.0).to(kind)
    upstream = more.get("upstream")
    if upstream is not None:
        each = torch.randn(rows, generator=draw, dtype=torch.float64)
        upstream = (each if upstream == "each" else torch.tensor(upstream)).to(kind)
    asked = tuple(name for name in gradients if name in arrays)
    options = {name: more.get(name, default) for name, default in TORCH_OPTIONS.items()}
    return Call(name=name, about=about, arrays=arrays, options=options, gradients=asked, upstream=upstream)


LINEAR = Kind(
    name="linear",
    about="hidden states times a head, and cross-entropy, in one function",
    signature="f(hidden [N, D], weight [C, D], target [N], *, bias, class_weight, reduction, ignore_index, "
    "label_smoothing)",
    arrays=("hidden", "weight", "target"),
    keywords={
        "bias": ("bias", "linear_bias"),
        "class_weight": ("class_weight", "ce_weight", "weight"),
        **TORCH_KEYWORDS,
    },
    families={
        "smoke": "the wiring",
        "plain": "the ordinary call",
        "chunks": "samples in chunks, the last one ragged",
        "vocabulary": "classes in blocks, the last one ragged",
        "offsets": "logits far from 0 or from each other",
        "ignored": "samples that do not count",
        "options": "smoothing and class weights",
        "half": "16 bits: the product is accumulated in float32",
        "upstream": "the gradient that comes from above",
    },
    cases=cases,
    formula=formula,
)
