"""Families about the gradient where kernels have blocks, strides and special numbers; and with respect to the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from xentcli.conform.building.draft import Draft, Family, labels, normal, probabilities, ramp, spread, tensor, weights
from xentcli.conform.building.options import LAYOUTS_2D, ORDERS, REDUCTIONS
from xentcli.conform.cases import reports

if TYPE_CHECKING:
    from collections.abc import Iterator

INF, NAN = math.inf, math.nan
EDGES = {  # labels on both sides of the borders of blocks
    9: (0, 7, 8), 33: (0, 31, 32), 1000: (0, 8, 511, 512, 999), 1023: (0, 511, 512, 1022), 1024: (0, 511, 512, 1023),
    1025: (0, 1022, 1023, 1024), 4097: (0, 1023, 1024, 2047, 2048, 3072, 4095, 4096),
    50257: (0, 1023, 1024, 4096, 32767, 32768, 49152, 50256),
}  # fmt: skip


def classes() -> Iterator[Draft]:
    for number, (count, edges) in enumerate(EDGES.items()):
        reduction = REDUCTIONS[number % 3]
        yield Draft(f"gradient-classes/float32-{count}", "each class has its gradient, with labels in every block",
                    spread((len(edges), count)), torch.tensor(edges), reports=reports.INDEX_OVERFLOW,
                    options={"gradient": 1, "reduction": reduction})  # fmt: skip
    for dtype, count in (("float64", 1025), ("bfloat16", 4097), ("float16", 1025), ("bfloat16", 50257)):
        edges = EDGES[count][::2]
        yield Draft(f"gradient-classes/{dtype}-{count}", "each class has its gradient, with labels in every block",
                    spread((len(edges), count), dtype), torch.tensor(edges), reports=reports.INDEX_OVERFLOW,
                    options={"gradient": 1})  # fmt: skip
    for what, scale in (("rising", 40.0), ("falling", -40.0)):
        yield Draft(f"gradient-classes/{what}-4097", "each block of classes has a maximum of its own",
                    ramp((4, 4097), scale=scale), torch.tensor(EDGES[4097][::2]), options={"gradient": 1})  # fmt: skip
    name = "gradient-classes/smoothing-1025"
    yield Draft(name, "each class has its smooth part", spread((4, 1025)), torch.tensor(EDGES[1025]),
                weights(name, 1025),
                options={"gradient": 1, "reduction": "mean", "label_smoothing": 0.1})  # fmt: skip
    yield Draft("gradient-classes/4097-inner", "many classes on an inner axis", spread((2, 4097, 3)),
                torch.tensor([[0, 4096, 1024], [1023, 2048, 4095]]),
                options={"gradient": 1, "reduction": "mean"})  # fmt: skip


def rows() -> Iterator[Draft]:
    for count in (9, 17, 257):
        name = f"gradient-rows/{count}-sum"
        yield Draft(name, "each row has its gradient, beyond the first block too",
                    normal(name, (count, 3)), labels(name, (count,), 3), reports=reports.INDEX_OVERFLOW,
                    options={"gradient": 1, "reduction": "sum"})  # fmt: skip
    name = "gradient-rows/70000-none"
    yield Draft(name, "more rows than 16 bits can count", normal(name, (7, 3)), labels(name, (7,), 3),
                reports=reports.INDEX_OVERFLOW, options={"gradient": 1, "rows": 70000})  # fmt: skip
    name = "gradient-rows/70000-mean"
    yield Draft(name, "more rows than 16 bits can count", spread((70000, 3), scale=8.0),
                {"recipe": "cycle", "shape": [70000], "dtype": "int64", "classes": 3}, reports=reports.INDEX_OVERFLOW,
                options={"gradient": 1, "reduction": "mean"})  # fmt: skip


def numbers() -> Iterator[Draft]:
    base = torch.tensor([[0.0, 1.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0], [8.0, 0.0, -8.0, 4.0]], dtype=torch.float64)
    for dtype, offset, step in (
        ("float32", 1e4, 1.0), ("float32", -1e8, 8.0), ("float64", 1e15, 1.0), ("float16", -20000.0, 16.0),
        ("bfloat16", 256.0, 2.0),
    ):  # fmt: skip
        yield _plain(f"offset-{dtype}-{offset:g}", "a number common to all logits does not matter",
                     (offset + step * base).to(getattr(torch, dtype)), (1, 3, 0), reports.OFFSET)  # fmt: skip
    for dtype, gaps in (
        ("float32", (18.0, 89.0, 104.0, 1e30)), ("float64", (40.0, 710.0, 746.0, 1e100)),
        ("bfloat16", (18.0, 90.0, 120.0, 1e30)), ("float16", (12.0, 17.0, 30.0, 60000.0)),
    ):  # fmt: skip
        logits = torch.zeros(len(gaps), 3, dtype=getattr(torch, dtype))
        logits[:, 0] = -tensor(gaps, dtype)
        yield _plain(f"gaps-{dtype}", "the label's probability is nothing, its gradient −1", logits, (0,) * len(gaps),
                     reports.UNDERFLOW)  # fmt: skip
    for dtype in ("float64", "float32", "bfloat16", "float16"):
        logits = normal(f"gradient-numbers/masked-{dtype}", (4, 6), dtype)
        logits[0, 1] = logits[1, :3] = logits[2, 1:] = -INF
        yield _plain(f"masked-{dtype}", "a masked class has the gradient 0", logits, (0, 4, 0, 1), reports.MASKED)
        confident = tensor([[7.0, -1.0, 0.5, 0.0], [0.5, 7.0, 0.0, -1.0], [5.5, 0.0, 0.0, 0.5]], dtype)
        for shape, target in (((3, 4), (0, 1, 0)), ((3, 4, 1), ((0,), (1,), (0,)))):
            yield _plain(f"confident-{dtype}-{len(shape)}d", "a label of nearly all the probability keeps a gradient",
                         confident.reshape(shape), target, reports.ZERO_GRADIENT)  # fmt: skip
    name = "smoothing-gaps"
    yield _plain(name, "smoothing meets probabilities of e⁻¹¹⁰", tensor([[0.0, -110.0, 0.0], [-110.0, -110.0, 0.0]]),
                 (1, 0), reports.UNDERFLOW, label_smoothing=0.3)  # fmt: skip
    yield _plain("ties", "several classes at the maximum share it", tensor([[5.0] * 4, [1.0, 1.0, 0.0, 1.0]]), (2, 0),
                 reports.UNDERFLOW)  # fmt: skip


def ignored() -> Iterator[Draft]:
    for what, hole in (("nan", NAN), ("inf", INF), ("minus-inf", -INF)):
        for reduction in REDUCTIONS:
            name = f"gradient-ignored/{what}-{reduction}"
            logits = normal(name, (5, 4))
            logits[1], logits[3, 2] = hole, hole
            yield Draft(name, "an ignored row has the gradient 0, whatever it holds", logits,
                        torch.tensor([0, -100, 2, -100, 3]), reports=reports.IGNORED_DENOMINATOR,
                        options={"gradient": 1, "reduction": reduction})  # fmt: skip


def _plain(name: str, about: str, logits: torch.Tensor, target: Any, known: tuple[str, ...], **options: Any) -> Draft:
    return Draft(f"gradient-numbers/{name}", about, logits, torch.tensor(target), reports=known,
                 options={"gradient": 1, **options})  # fmt: skip


def strides() -> Iterator[Draft]:
    for layout in LAYOUTS_2D:
        name = f"gradient-strides/{layout}-2d"
        yield Draft(name, "the gradient lies where its logit does", normal(name, (6, 7)), labels(name, (6,), 7),
                    reports=reports.STRIDES,
                    options={"gradient": 1, "layout": {"logits": layout}, "reduction": "mean"})  # fmt: skip
    for layout in LAYOUTS_2D + ORDERS:
        name = f"gradient-strides/{layout}-3d"
        yield Draft(name, "the gradient lies where its logit does", normal(name, (3, 5, 4)), labels(name, (3, 4), 5),
                    reports=reports.STRIDES, options={"gradient": 1, "layout": {"logits": layout}})  # fmt: skip
    name = "gradient-strides/channels-last-4d"
    yield Draft(name, "images with their channels last", normal(name, (2, 4, 3, 2)), labels(name, (2, 3, 2), 4),
                reports=reports.STRIDES,
                options={"gradient": 1, "layout": {"logits": "channels-last"}, "reduction": "mean"})  # fmt: skip
    row = normal("gradient-strides/expanded", (1, 7)).expand(5, 7).contiguous()
    yield Draft("gradient-strides/expanded", "one row seen five times has five gradients", row,
                labels("gradient-strides/expanded", (5,), 7), reports=reports.STRIDES,
                options={"gradient": 1, "layout": {"logits": "expanded"}})  # fmt: skip
    for what, layout in (("target", "sliced"), ("weight", "sliced")):
        name = f"gradient-strides/{what}"
        yield Draft(name, f"a {what} with gaps in memory", normal(name, (6, 7)), labels(name, (6,), 7),
                    weights(name, 7), reports=reports.STRIDES,
                    options={"gradient": 1, "layout": {what: layout}, "reduction": "mean"})  # fmt: skip
    name = "gradient-strides/probabilities"
    yield Draft(name, "target probabilities laid out otherwise", normal(name, (6, 7)), probabilities(name, (6, 7)),
                reports=reports.STRIDES, options={"gradient": 1, "layout": {"target": "transposed"}})  # fmt: skip


def variables() -> Iterator[Draft]:
    for what, given in TARGETS.items():
        name = f"gradient-variables/target-{what}"
        shape, dtype = given.get("shape", (5, 4)), given.get("dtype", "float32")
        yield Draft(name, "target probabilities are learnt, too: −log p, over the denominator",
                    normal(name, shape, dtype), probabilities(name, shape, dtype),
                    weights(name, 4, dtype) if given.get("weighted") else None,
                    upstream=given.get("upstream"), reports=reports.NORMALISED,
                    variable="target", options={"gradient": 1, "may_refuse": True, **given["options"]})  # fmt: skip
    for what, given in WEIGHTS.items():
        name = f"gradient-variables/weight-{what}"
        target = probabilities(name, (5, 4)) if given.get("soft") else given.get("target", labels(name, (5,), 4))
        yield Draft(name, "class weights are learnt, too, those in the denominator as well", normal(name, (5, 4)),
                    target, weights(name, 4), reports=reports.WEIGHTED_MEAN,
                    variable="weight", options={"gradient": 1, "may_refuse": True, **given["options"]})  # fmt: skip


TARGETS: dict[str, dict[str, Any]] = {
    "none": {"options": {}},
    "float64-mean": {"dtype": "float64", "options": {"reduction": "mean"}},
    "bfloat16": {"dtype": "bfloat16", "options": {}},
    "weights-sum": {"weighted": True, "options": {"reduction": "sum"}},
    "smoothing-mean": {"options": {"reduction": "mean", "label_smoothing": 0.2}},
    "inner-mean": {"shape": (2, 4, 3), "options": {"reduction": "mean"}},
    "upstream": {"upstream": tensor([1.0, -2.0, 3.0, -4.0, 5.0]), "options": {}},
}
WEIGHTS: dict[str, dict[str, Any]] = {
    "none": {"options": {}},
    "sum": {"options": {"reduction": "sum"}},
    "mean": {"options": {"reduction": "mean"}},
    "ignored-mean": {"target": torch.tensor([0, -100, 3, 1, -100]), "options": {"reduction": "mean"}},
    "smoothing-mean": {"options": {"reduction": "mean", "label_smoothing": 0.2}},
    "probabilities-mean": {"soft": True, "options": {"reduction": "mean"}},
}

FAMILIES: tuple[Family, ...] = (
    ("gradient-classes", "the gradient of 9 to 50,257 classes, with labels in every block", classes),
    ("gradient-rows", "the gradient of 9 to 70,000 rows", rows),
    ("gradient-numbers", "the gradient at offsets, gaps, masks, confident rows", numbers),
    ("gradient-ignored", "the gradient of ignored rows that hold NaN, inf or −inf: 0", ignored),
    ("gradient-strides", "the gradient of arrays that are not contiguous", strides),
    ("gradient-variables", "the gradient with respect to target probabilities and weights", variables),
)
