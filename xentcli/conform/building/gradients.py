"""Families about the gradient with respect to the logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from xentcli.conform.building.draft import (
    DTYPES,
    Draft,
    Family,
    generator,
    labels,
    normal,
    probabilities,
    tensor,
    weights,
)
from xentcli.conform.building.options import LAYOUTS_2D
from xentcli.conform.cases import reports

if TYPE_CHECKING:
    from collections.abc import Iterator

REDUCTIONS = ("none", "sum", "mean")


def plain() -> Iterator[Draft]:
    for dtype in DTYPES:
        for reduction in REDUCTIONS if dtype in DTYPES[:2] else ("none",):
            name = f"gradient/{dtype}-{reduction}"
            yield Draft(name, "softmax less one-hot, over the denominator", normal(name, (5, 4), dtype),
                        labels(name, (5,), 4), reports=reports.ZERO_GRADIENT,
                        options={"reduction": reduction, "gradient": 1})  # fmt: skip
    name = "gradient/3d-mean"
    yield Draft(name, "classes on an inner axis", normal(name, (2, 4, 3)), labels(name, (2, 3), 4),
                options={"reduction": "mean", "gradient": 1})  # fmt: skip
    for dtype, gaps in (("float32", (9.0, 16.0, 40.0)), ("float64", (16.0, 36.0, 300.0))):
        logits = torch.zeros(len(gaps), 3, dtype=getattr(torch, dtype))
        logits[:, 1:] = -tensor(gaps, dtype)[:, None]
        yield Draft(f"gradient/{dtype}-one-hot", "small probabilities keep their digits", logits,
                    torch.zeros(len(gaps), dtype=torch.int64), options={"gradient": 1})  # fmt: skip
    name = "gradient/masked"
    yield Draft(name, "a masked class has the gradient 0", tensor([[1.0, -math.inf, 0.5], [0.0, 2.0, -math.inf]]),
                torch.tensor([0, 1]), reports=reports.MASKED, options={"gradient": 1})  # fmt: skip
    name = "gradient/offset"
    yield Draft(name, "a common offset does not matter", tensor([[1e8, 1e8 + 8.0, 1e8 - 8.0]]), torch.tensor([2]),
                reports=reports.OFFSET, options={"gradient": 1})  # fmt: skip


def upstream() -> Iterator[Draft]:
    for dtype in DTYPES[:2]:
        name = f"gradient-upstream/{dtype}-none"
        slopes = torch.from_numpy(generator(name).normal(0.0, 2.0, 6)).to(getattr(torch, dtype))
        yield Draft(name, "each row takes its own upstream gradient", normal(name, (6, 4), dtype),
                    labels(name, (6,), 4), upstream=slopes, reports=reports.UPSTREAM,
                    options={"gradient": 1})  # fmt: skip
    for reduction in ("sum", "mean"):
        name = f"gradient-upstream/{reduction}"
        yield Draft(name, "a loss that is scaled scales its gradient", normal(name, (6, 4)), labels(name, (6,), 4),
                    upstream=tensor(-3.5), reports=reports.UPSTREAM,
                    options={"gradient": 1, "reduction": reduction})  # fmt: skip
    name = "gradient-upstream/expanded"
    yield Draft(name, "the upstream gradient of loss.sum() is one number with stride 0", normal(name, (6, 4)),
                labels(name, (6,), 4), upstream=torch.full((6,), 2.0), reports=reports.EXPANDED,
                options={"gradient": 1, "layout": {"upstream": "expanded"}})  # fmt: skip
    name = "gradient-upstream/sliced"
    yield Draft(name, "an upstream gradient with gaps in memory", normal(name, (6, 4)), labels(name, (6,), 4),
                upstream=tensor([1.0, -2.0, 3.0, -4.0, 5.0, -6.0]), reports=reports.EXPANDED,
                options={"gradient": 1, "layout": {"upstream": "sliced"}})  # fmt: skip
    for layout in ("expanded", *LAYOUTS_2D):
        name = f"gradient-upstream/{layout}-2d"
        slopes = normal(name, (1 if layout == "expanded" else 3, 4)).expand(3, 4).contiguous()
        yield Draft(name, "an upstream gradient of two axes, laid out otherwise", normal(name + " logits", (3, 5, 4)),
                    labels(name, (3, 4), 5), upstream=slopes, reports=reports.EXPANDED,
                    options={"gradient": 1, "layout": {"upstream": layout}})  # fmt: skip
    for reduction in ("none", "mean"):
        name = f"gradient-upstream/twice-{reduction}"
        slopes = tensor([1.0, -2.0, 3.0, -4.0, 5.0, -6.0]) if reduction == "none" else tensor(2.5)
        yield Draft(name, "a second backward through the same graph gives the same", normal(name, (6, 4)),
                    labels(name, (6,), 4), upstream=slopes, reports=reports.TWICE,
                    options={"gradient": 2, "reduction": reduction})  # fmt: skip


def options() -> Iterator[Draft]:
    for reduction in REDUCTIONS:
        name = f"gradient-options/weights-{reduction}"
        yield Draft(name, "class weights", normal(name, (5, 4)), labels(name, (5,), 4), weights(name, 4),
                    reports=reports.WEIGHTED_MEAN, options={"gradient": 1, "reduction": reduction})  # fmt: skip
        name = f"gradient-options/ignored-{reduction}"
        yield Draft(name, "an ignored row has the gradient 0 exactly", normal(name, (5, 4)),
                    torch.tensor([0, -100, 3, -100, 1]), reports=reports.IGNORED_DENOMINATOR,
                    options={"gradient": 1, "reduction": reduction})  # fmt: skip
        name = f"gradient-options/smoothing-{reduction}"
        yield Draft(name, "smoothing, weights and ignored samples", normal(name, (5, 4)),
                    torch.tensor([0, -100, 3, 2, 1]), weights(name, 4), reports=reports.SMOOTHING_WEIGHTED,
                    options={"gradient": 1, "reduction": reduction, "label_smoothing": 0.2})  # fmt: skip
        name = f"gradient-options/probabilities-{reduction}"
        yield Draft(name, "soft targets", normal(name, (5, 4)), probabilities(name, (5, 4)),
                    options={"gradient": 1, "reduction": reduction})  # fmt: skip
    for amount in (0.1, 1.0):
        name = f"gradient-options/smoothing-{amount:g}-alone"
        yield Draft(name, "smoothing", normal(name, (5, 4), "float64"), labels(name, (5,), 4),
                    options={"gradient": 1, "label_smoothing": amount})  # fmt: skip
    name = "gradient-options/smoothing-inner"
    yield Draft(name, "smoothing with the classes on an inner axis", normal(name, (2, 3, 4)), labels(name, (2, 4), 3),
                reports=reports.SMOOTHING_OTHERS,
                options={"gradient": 1, "reduction": "mean", "label_smoothing": 0.3})  # fmt: skip
    name = "gradient-options/not-normal"
    yield Draft(name, "soft targets that do not sum to 1", normal(name, (2, 3)),
                tensor([[0.5, 1.0, 0.5], [0.0, 0.25, 0.0]]), reports=reports.NORMALISED,
                options={"gradient": 1})  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    ("gradient", "the gradient in four dtypes, near one-hot and masked", plain),
    ("gradient-upstream", "the upstream gradient: a row's own, expanded, twice", upstream),
    ("gradient-options", "the gradient with weights, ignored samples, smoothing, soft targets", options),
)
