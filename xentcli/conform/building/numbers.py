"""Families about the numbers: what the logits hold, and how much of it survives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from xentcli.conform.building.draft import DTYPES, Draft, Family, constant, labels, normal, ramp, spread, tensor
from xentcli.conform.cases import reports
from xentcli.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

INF = math.inf


def smoke() -> Iterator[Draft]:
    yield Draft("smoke/two-equal-logits", "ln 2, whatever is done", tensor([[0.0, 0.0]]), torch.tensor([1]),
                options={"reduction": "sum"})  # fmt: skip
    yield Draft("smoke/three-classes", "ln 6 − ln k for k = 1, 2, 3",
                tensor([[1.0, 2.0, 3.0]]).log(), torch.tensor([2]), options={"reduction": "sum"})  # fmt: skip


def plain() -> Iterator[Draft]:
    for dtype in DTYPES:
        for classes, scale in ((2, 3.0), (10, 1.0), (10, 3.0), (37, 10.0)):
            name = f"plain/{dtype}-{classes}-classes-scale-{scale:g}"
            yield Draft(name, "ordinary logits", normal(name, (8, classes), dtype, scale), labels(name, (8,), classes))
    for dtype in DTYPES[:2]:
        name = f"plain/{dtype}-mean"
        yield Draft(name, "ordinary logits, torch's defaults", normal(name, (8, 10), dtype), labels(name, (8,), 10),
                    options={"reduction": "mean"})  # fmt: skip


def many_classes() -> Iterator[Draft]:
    for classes, dtype in ((1000, "float32"), (50257, "float32"), (128256, "float32"), (50257, "bfloat16")):
        recipe = spread((3, classes), dtype)
        target = torch.tensor([0, classes // 2, classes - 1])
        yield Draft(f"many-classes/{dtype}-{classes}", "a large vocabulary, its last class too", recipe, target)
    for what, scale in (("rising", 60.0), ("falling", -60.0)):
        for classes in (300, 50257):
            yield Draft(f"many-classes/{what}-{classes}", "each block of classes has a maximum of its own",
                        ramp((3, classes), scale=scale), torch.tensor([0, classes // 2, classes - 1]))  # fmt: skip


def sizes() -> Iterator[Draft]:
    """Rows whose neighbours differ, so that an index that wraps at a power of two meets another one."""
    name = "sizes/70000-rows"
    yield Draft(name, "more rows, and more elements, than 16 bits can count", normal(name, (5, 3)),
                labels(name, (5,), 3), reports=reports.INDEX_OVERFLOW, options={"rows": 70000})  # fmt: skip
    yield Draft("sizes/2147549184-elements", "32,769 rows of 65,536 classes: more elements than 31 bits can count",
                spread((5, 65536), "bfloat16", 8.0),
                torch.tensor([0, 65535, 32768, 257, 40000]), reports=reports.INDEX_OVERFLOW,
                options={"rows": 32769, "large": True})  # fmt: skip


def offsets() -> Iterator[Draft]:
    base = torch.tensor(
        [[0.0, 1.0, 2.0, -1.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [8.0, 0.0, -8.0, 4.0, 0.0, 16.0]]
    )
    for dtype, offset, step in (
        ("float32", 1e3, 1.0), ("float32", 1e4, 1.0), ("float32", -1e6, 1.0), ("float32", 1e8, 8.0),
        ("float64", 1e8, 1.0), ("float64", 1e15, 1.0), ("float16", 2000.0, 1.0), ("bfloat16", 256.0, 2.0),
    ):  # fmt: skip
        logits = (offset + step * base.double()).to(getattr(torch, dtype))
        yield Draft(f"offsets/{dtype}-{offset:g}", "a number common to all logits must not matter", logits,
                    torch.tensor([1, 3, 0]), reports=reports.OFFSET, options={"strict": True})  # fmt: skip
    yield Draft("offsets/float16--20000", "all logits far below zero, where a maximum may have been started",
                (16.0 * base - 20000.0).half(), torch.tensor([1, 3, 0]), reports=reports.OFFSET,
                options={"strict": True})  # fmt: skip
    shifted = tensor([[1e8, 1e8 + 8.0], [16.0 - 1e8, -1e8]])
    yield Draft("offsets/float32-mean", "8 and e⁻¹⁶ at 1e8", shifted, torch.tensor([0, 1]), reports=reports.OFFSET,
                options={"strict": True, "reduction": "mean"})  # fmt: skip


def one_hot() -> Iterator[Draft]:
    for dtype, gaps in (
        ("float32", (12.0, 16.0, 25.0, 46.0, 80.0)), ("float64", (16.0, 30.0, 46.0, 300.0, 700.0)),
        ("bfloat16", (4.0, 7.0, 16.0, 46.0, 80.0)), ("float16", (4.0, 7.0, 9.0, 11.0, 30.0)),
    ):  # fmt: skip
        logits = torch.zeros(len(gaps), 4, dtype=getattr(torch, dtype))
        logits[:, 1:] = -tensor(gaps, dtype)[:, None]
        yield Draft(f"one-hot/{dtype}", "the label has nearly all the probability: losses down to 1e-20 and below",
                    logits, torch.zeros(len(gaps), dtype=torch.int64), reports=reports.CLIPPED,
                    options={"strict": True})  # fmt: skip
        yield Draft(f"one-hot/{dtype}-wrong", "another class has nearly all the probability", logits,
                    torch.full((len(gaps),), 2), reports=reports.CLIPPED)  # fmt: skip


def gaps() -> Iterator[Draft]:
    sizes = {
        "float32": (18.0, 60.0, 95.0, 104.0, 120.0, 1e4, 1e30), "float64": (40.0, 600.0, 746.0, 800.0, 1e5, 1e100),
        "bfloat16": (18.0, 90.0, 94.0, 120.0, 1e4, 1e30), "float16": (12.0, 17.0, 18.0, 30.0, 1000.0, 60000.0),
    }  # fmt: skip
    for dtype, each in sizes.items():
        logits = torch.zeros(len(each), 3, dtype=getattr(torch, dtype))
        logits[:, 0] = -tensor(each, dtype)
        yield Draft(f"gaps/{dtype}", "the label's probability is smaller than the dtype can hold; its logarithm is not",
                    logits, torch.zeros(len(each), dtype=torch.int64), reports=reports.UNDERFLOW)  # fmt: skip
    high = tensor([[200.0, 0.0], [1000.0, 998.0], [-200.0, -201.0], [-1000.0, -1000.0]])
    yield Draft("gaps/float32-unshifted", "exp of these logits overflows, or is zero for all of them", high,
                torch.tensor([1, 1, 0, 1]), reports=reports.UNDERFLOW)  # fmt: skip
    beyond = tensor([[65504.0, -65504.0], [-40000.0, 40000.0]], "float16")
    yield Draft("gaps/float16-beyond-65504", "the true loss is beyond float16 and rounds to infinity", beyond,
                torch.tensor([1, 0]), reports=reports.UNDERFLOW)  # fmt: skip


def masked() -> Iterator[Draft]:
    for dtype in DTYPES:
        logits = normal(f"masked/{dtype}", (5, 6), dtype)
        logits[0, 1] = logits[1, :3] = logits[2, 1:] = -INF
        logits[3, 2] = -INF
        target = torch.tensor([0, 4, 0, 2, 1])
        yield Draft(f"masked/{dtype}", "classes masked by −inf: probability 0, and an infinite loss for the label 2",
                    logits, target, reports=reports.MASKED)  # fmt: skip
    limit = torch.finfo(torch.float32).min
    logits = tensor([[1.0, limit, 2.0], [limit, limit, 0.5], [0.0, -1e9, limit]])
    yield Draft("masked/float32-lowest-number", "classes masked by the lowest number of the dtype", logits,
                torch.tensor([2, 2, 0]), reports=reports.MASKED)  # fmt: skip
    logits = tensor([[1.0, -INF, 2.0], [0.0, 0.5, -INF]])
    yield Draft("masked/float32-mean", "a mask must not reach the mean", logits, torch.tensor([2, 1]),
                reports=reports.MASKED, options={"reduction": "mean"})  # fmt: skip


def masked_blocks() -> Iterator[Draft]:
    """What a kernel that walks through the classes in blocks of any usual size sees: blocks with nothing in them."""
    for classes, dtype, mask, ends in (
        (16388, "float32", (0, 16384), (16384, 16387)), (2052, "bfloat16", (0, 2048), (2048, 2051)),
        (132, "float64", (0, 128), (128, 131)), (16388, "float32", (4, 16388), (0, 3)),
    ):  # fmt: skip
        yield Draft(f"masked-blocks/{dtype}-{classes}-{mask[0]}-to-{mask[1]}", "four classes are left: ln 4",
                    constant((2, classes), dtype, 1.0, masked=list(mask)), torch.tensor(ends), reports=reports.MASKED,
                    options={"gradient": 1})  # fmt: skip
    for classes, mask in ((16388, (1024, 15360)), (4100, (4096, 4099)), (700, (32, 672))):
        target = torch.tensor([0, mask[0] - 1, mask[1], classes - 1])
        yield Draft(f"masked-blocks/{classes}-between", "whole blocks of −inf between classes that count",
                    spread((4, classes), masked=list(mask)), target, reports=reports.MASKED,
                    options={"gradient": 1, "reduction": "mean"})  # fmt: skip


def ties() -> Iterator[Draft]:
    for dtype in DTYPES:
        logits = torch.tensor([[0, 0, 0, 0, 0], [7, 7, 7, 7, 7], [-3, 5, 5, -3, 5], [1, 1, 0, 0, 0]])
        yield Draft(f"ties/{dtype}", "several classes at the maximum", logits.to(getattr(torch, dtype)),
                    torch.tensor([4, 0, 2, 1]))  # fmt: skip


def extremes() -> Iterator[Draft]:
    for dtype in DTYPES:
        precision = PRECISIONS[dtype]
        tiny, large = precision.smallest, precision.largest / 4
        rows = [
            [tiny, 0.0, 2 * tiny],
            [-tiny, tiny, -9 * tiny],
            [large, large, 0.0],
            [-large, -large, -large],
            [large, large / 2, 0.0],
        ]
        yield Draft(f"extremes/{dtype}", "subnormal logits, and logits as large as the dtype has them",
                    tensor(rows, dtype), torch.tensor([0, 2, 1, 0, 1]))  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    ("smoke", "two answers that cannot be wrong", smoke),
    ("plain", "ordinary logits in four dtypes", plain),
    ("many-classes", "up to 128,256 classes", many_classes),
    ("sizes", "more rows or elements than an index can count", sizes),
    ("offsets", "a common offset up to 1e8 (1e15 in float64)", offsets),
    ("one-hot", "near-one-hot rows, losses of 1e-7 and 1e-20", one_hot),
    ("gaps", "gaps beyond what exp can hold: 104, 745, 65504", gaps),
    ("masked", "logits of −inf", masked),
    ("masked-blocks", "whole blocks of classes that are −inf", masked_blocks),
    ("ties", "equal logits", ties),
    ("extremes", "subnormal and huge logits", extremes),
)
