"""Families about shapes, labels and the options."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from xentcli.conform.building.draft import (
    Draft,
    Family,
    labels,
    normal,
    probabilities,
    spread,
    tensor,
    weights,
)
from xentcli.conform.cases import reports

if TYPE_CHECKING:
    from collections.abc import Iterator

INF, NAN = math.inf, math.nan
REDUCTIONS = ("none", "sum", "mean")
LAYOUTS_2D = ("transposed", "padded", "sliced", "offset")
ORDERS = ("channels-last", "classes-first", "rotated", "reversed")  # of three axes or more, in memory


def shapes() -> Iterator[Draft]:
    for shape in ((5,), (1, 5), (4, 5, 3), (2, 5, 3, 2), (2, 3, 1, 2, 2), (3, 3, 3)):
        samples = (shape[0], *shape[2:]) if len(shape) > 1 else ()
        classes = shape[1] if len(shape) > 1 else shape[0]
        for reduction in ("none", "mean"):
            name = f"shapes/{'x'.join(map(str, shape))}-{reduction}"
            yield Draft(name, "classes on axis 1, or on axis 0 of one dimension", normal(name, shape),
                        labels(name, samples, classes), options={"reduction": reduction})  # fmt: skip
    one = normal("shapes/one-class", (4, 1))
    yield Draft("shapes/one-class", "with one class the loss is exactly 0", one, torch.zeros(4, dtype=torch.int64))
    for reduction in REDUCTIONS:
        yield Draft(f"shapes/no-samples-{reduction}", "no samples: nothing, 0, or the mean of nothing",
                    torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64), options={"reduction": reduction})  # fmt: skip
    yield Draft("shapes/no-samples-inside", "an axis of length 0 behind the classes", torch.zeros(3, 5, 0),
                torch.zeros(3, 0, dtype=torch.int64))  # fmt: skip


def strides() -> Iterator[Draft]:
    for layout in LAYOUTS_2D + ORDERS:
        for shape in ((6, 7), (3, 5, 4)) if layout in LAYOUTS_2D else ((3, 5, 4),):
            name = f"strides/{layout}-{len(shape)}d"
            yield Draft(name, "the same numbers, laid out otherwise", normal(name, shape),
                        labels(name, (shape[0], *shape[2:]), shape[1]), reports=reports.STRIDES,
                        options={"layout": {"logits": layout}})  # fmt: skip
    name = "strides/channels-last-4d"
    yield Draft(name, "images with their channels last", normal(name, (2, 4, 3, 2)), labels(name, (2, 3, 2), 4),
                reports=reports.STRIDES,
                options={"layout": {"logits": "channels-last"}, "reduction": "mean"})  # fmt: skip
    name = "strides/target-transposed"
    yield Draft(name, "labels laid out otherwise than the logits", normal(name, (3, 5, 4)), labels(name, (3, 4), 5),
                reports=reports.STRIDES, options={"layout": {"target": "transposed"}})  # fmt: skip
    row = normal("strides/expanded", (1, 7)).expand(5, 7).contiguous()
    yield Draft("strides/expanded", "one row seen five times", row, labels("strides/expanded", (5,), 7),
                reports=reports.STRIDES, options={"layout": {"logits": "expanded"}})  # fmt: skip
    for what in ("target", "weight"):
        name = f"strides/{what}"
        yield Draft(name, f"a {what} with gaps in memory", normal(name, (6, 7)), labels(name, (6,), 7),
                    weights(name, 7), reports=reports.STRIDES,
                    options={"layout": {what: "sliced"}, "reduction": "mean"})  # fmt: skip
    name = "strides/probabilities"
    yield Draft(name, "target probabilities laid out otherwise", normal(name, (6, 7)), probabilities(name, (6, 7)),
                reports=reports.STRIDES, options={"layout": {"target": "transposed"}})  # fmt: skip


def weighted() -> Iterator[Draft]:
    for dtype in ("float64", "float32"):
        for reduction in REDUCTIONS:
            name = f"weights/{dtype}-{reduction}"
            yield Draft(name, "class weights; the mean is over the labels' weights", normal(name, (8, 5), dtype),
                        labels(name, (8,), 5), weights(name, 5, dtype), reports=reports.WEIGHTED_MEAN,
                        options={"reduction": reduction})  # fmt: skip
    for dtype in ("bfloat16", "float16"):
        name = f"weights/{dtype}-none"
        yield Draft(name, "class weights", normal(name, (8, 5), dtype), labels(name, (8,), 5), weights(name, 5, dtype))
    name = "weights/zero"
    weight = tensor([0.0, 1.0, 2.0, 0.0])
    yield Draft(name, "classes of weight 0 count neither above nor below", normal(name, (6, 4)),
                torch.tensor([0, 1, 2, 3, 1, 2]), weight, reports=reports.WEIGHTED_MEAN,
                options={"reduction": "mean"})  # fmt: skip
    name = "weights/3d-mean"
    yield Draft(name, "class weights with the classes on an inner axis", normal(name, (3, 4, 5)),
                labels(name, (3, 5), 4), weights(name, 4), options={"reduction": "mean"})  # fmt: skip


def ignored() -> Iterator[Draft]:
    for index, why in ((-100, "torch's default"), (-1, "negative"), (2, "in range"), (255, "beyond the classes")):
        for reduction in REDUCTIONS:
            name = f"ignored/{index}-{reduction}"
            target = labels(name, (8,), 5)
            target[::3] = index
            known = reports.IGNORED_BEYOND if index > 5 else reports.IGNORED_DEFAULT
            yield Draft(name, f"every third sample is ignored by an index that is {why}", normal(name, (8, 5)), target,
                        reports=reports.IGNORED_DENOMINATOR + known,
                        options={"reduction": reduction, "ignore_index": index})  # fmt: skip
    name = "ignored/3d-mean"
    target = labels(name, (3, 4), 5)
    target[0], target[1, 1] = -100, -100
    yield Draft(name, "a whole entry of the batch is ignored", normal(name, (3, 5, 4)), target,
                reports=reports.IGNORED_DENOMINATOR, options={"reduction": "mean"})  # fmt: skip
    name = "ignored/weights-mean"
    target = torch.tensor([0, -100, 2, 1, -100, 2])
    yield Draft(name, "the weight of an ignored sample is not in the denominator", normal(name, (6, 3)), target,
                weights(name, 3), reports=reports.IGNORED_DENOMINATOR, options={"reduction": "mean"})  # fmt: skip
    name = "ignored/label-156"
    yield Draft(name, "the label 156 counts, though its byte is that of −100", normal(name, (4, 200)),
                torch.tensor([156, -100, 3, 156]), reports=reports.LABEL_WRAP,
                options={"reduction": "mean"})  # fmt: skip
    for reduction in REDUCTIONS:
        yield Draft(f"ignored/all-{reduction}", "nothing is left to count", normal("ignored/all", (4, 5)),
                    torch.full((4,), -100), reports=reports.ALL_IGNORED, options={"reduction": reduction})  # fmt: skip
    for reduction in REDUCTIONS:
        name = f"ignored/not-finite-{reduction}"
        logits = normal(name, (5, 4))
        logits[1], logits[2, 0], logits[3] = NAN, INF, -INF
        yield Draft(name, "what an ignored sample holds must not matter: NaN, inf, all −inf", logits,
                    torch.tensor([0, -100, -100, -100, 3]), reports=reports.IGNORED_DENOMINATOR,
                    options={"reduction": reduction})  # fmt: skip


def smoothing() -> Iterator[Draft]:
    for amount in (0.1, 0.5, 1.0):
        for reduction in REDUCTIONS:
            name = f"smoothing/{amount:g}-{reduction}"
            yield Draft(name, "the smoothed share is spread over all classes, the label too", normal(name, (6, 5)),
                        labels(name, (6,), 5), reports=reports.SMOOTHING_OTHERS,
                        options={"reduction": reduction, "label_smoothing": amount})  # fmt: skip
    for reduction in REDUCTIONS:
        name = f"smoothing/ignored-{reduction}"
        yield Draft(name, "an ignored sample gives nothing, its smooth part neither", normal(name, (6, 5)),
                    torch.tensor([0, -100, 2, 4, -100, 1]), reports=reports.SMOOTHING_IGNORED,
                    options={"reduction": reduction, "label_smoothing": 0.2})  # fmt: skip
        name = f"smoothing/weights-{reduction}"
        yield Draft(name, "each class's smooth part takes its own weight", normal(name, (6, 5)), labels(name, (6,), 5),
                    weights(name, 5), reports=reports.SMOOTHING_WEIGHTED,
                    options={"reduction": reduction, "label_smoothing": 0.2})  # fmt: skip
        name = f"smoothing/weights-ignored-{reduction}"
        yield Draft(name, "smoothing, weights and ignored samples at once", normal(name, (6, 5)),
                    torch.tensor([0, -100, 2, 4, -100, 1]), weights(name, 5), reports=reports.SMOOTHING_WEIGHTED,
                    options={"reduction": reduction, "label_smoothing": 0.2})  # fmt: skip
    for reduction in REDUCTIONS:
        name = f"smoothing/inner-{reduction}"
        yield Draft(name, "smoothing is over the classes, wherever their axis is", normal(name, (2, 3, 4)),
                    labels(name, (2, 4), 3), reports=reports.SMOOTHING_OTHERS,
                    options={"reduction": reduction, "label_smoothing": 0.3})  # fmt: skip
        name = f"smoothing/inner-gaps-{reduction}"
        gaps = torch.where(normal(name, (2, 3, 4)) < 0.0, -110.0, 0.0)
        yield Draft(name, "smoothing meets probabilities of e⁻¹¹⁰, whose logarithms are not infinite", gaps,
                    labels(name, (2, 4), 3), reports=reports.UNDERFLOW,
                    options={"reduction": reduction, "label_smoothing": 0.3})  # fmt: skip
    name = "smoothing/inner-weights-mean"
    yield Draft(name, "smoothing and weights with the classes on an inner axis", normal(name, (2, 3, 4)),
                labels(name, (2, 4), 3), weights(name, 3), reports=reports.SMOOTHING_WEIGHTED,
                options={"reduction": "mean", "label_smoothing": 0.3})  # fmt: skip
    name = "smoothing/inner-masked"
    logits, target = normal(name, (2, 3, 4)), labels(name, (2, 4), 3)
    logits[0, 1, 2], target[0, 2] = -INF, 0
    yield Draft(name, "a share of a masked class is infinite, for its own sample alone", logits, target,
                reports=reports.MASKED, options={"label_smoothing": 0.3})  # fmt: skip
    name = "smoothing/inner-probabilities"
    yield Draft(name, "smoothing of soft targets on an inner axis", normal(name, (2, 3, 4)),
                probabilities(name, (2, 3, 4)), options={"label_smoothing": 0.3})  # fmt: skip
    for dtype in ("float64", "bfloat16", "float16"):
        name = f"smoothing/{dtype}"
        yield Draft(name, "smoothing", normal(name, (6, 5), dtype), labels(name, (6,), 5),
                    options={"label_smoothing": 0.1})  # fmt: skip


def soft() -> Iterator[Draft]:
    for dtype in ("float64", "float32", "bfloat16", "float16"):
        name = f"probabilities/{dtype}"
        yield Draft(name, "soft targets", normal(name, (6, 5), dtype), probabilities(name, (6, 5), dtype))
    for reduction in ("sum", "mean"):
        name = f"probabilities/{reduction}"
        yield Draft(name, "the mean is over the samples", normal(name, (6, 5)), probabilities(name, (6, 5)),
                    options={"reduction": reduction})  # fmt: skip
        name = f"probabilities/weights-{reduction}"
        yield Draft(name, "class weights do not enter the denominator here", normal(name, (6, 5)),
                    probabilities(name, (6, 5)), weights(name, 5), options={"reduction": reduction})  # fmt: skip
    name = "probabilities/3d-mean"
    yield Draft(name, "the mean is over all positions", normal(name, (2, 5, 3)), probabilities(name, (2, 5, 3)),
                options={"reduction": "mean"})  # fmt: skip
    name = "probabilities/one-hot"
    target = torch.nn.functional.one_hot(labels(name, (6,), 5), 5).float()
    yield Draft(name, "one-hot rows", normal(name, (6, 5)), target)
    name = "probabilities/not-normal"
    yield Draft(name, "rows that sum to 2, to 0.5 and to 0 are taken as they are", normal(name, (3, 4)),
                tensor([[0.5, 0.5, 0.5, 0.5], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.0, 0.0]]),
                reports=reports.NORMALISED)  # fmt: skip
    name = "probabilities/smoothing"
    yield Draft(name, "smoothing of soft targets", normal(name, (6, 5)), probabilities(name, (6, 5)),
                options={"label_smoothing": 0.1, "reduction": "mean"})  # fmt: skip
    name = "probabilities/zero-on-masked"
    yield Draft(name, "probability 0 on a masked class: 0·inf is NaN, or counts as 0", tensor([[1.0, -INF, 0.0]]),
                tensor([[0.25, 0.0, 0.75]]), reports=reports.MASKED)  # fmt: skip


def reductions() -> Iterator[Draft]:
    for dtype in ("float64", "float32"):
        for reduction in REDUCTIONS:
            name = f"reductions/{dtype}-{reduction}"
            yield Draft(name, "a scalar without axes, or the samples' shape; of the logits' dtype",
                        normal(name, (4, 3, 2), dtype), labels(name, (4, 2), 3), reports=reports.REDUCTION,
                        options={"reduction": reduction})  # fmt: skip
    name = "reductions/one-sample-none"
    yield Draft(name, "one sample without a batch axis: a scalar", normal(name, (4,)), torch.tensor(2))
    name = "reductions/many-rows-mean"
    yield Draft(name, "70,000 rows in float32: a good sum is exact to a few ulps",
                spread((70000, 2), scale=8.0),
                {"recipe": "cycle", "shape": [70000], "dtype": "int64", "classes": 2},
                reports=reports.ACCUMULATION, options={"reduction": "mean"})  # fmt: skip
    for rows, large in ((1 << 20, False), (1 << 24, True)):
        yield Draft(f"reductions/{rows}-equal-rows-mean", "the mean of equal losses is that loss",
                    tensor([[0.0, 0.5]]), torch.tensor([0]), reports=reports.ACCUMULATION,
                    options={"reduction": "mean", "large": large, "rows": rows})  # fmt: skip


def label_types() -> Iterator[Draft]:
    for kind, classes in (("int64", 300), ("int32", 300), ("int16", 300), ("uint8", 200), ("int8", 100)):
        name = f"labels/{kind}"
        target = torch.tensor([0, 1, classes - 1, classes // 2, 97]).to(getattr(torch, kind))
        yield Draft(name, "labels of every integer type, the last class too", normal(name, (5, classes)), target,
                    reports=reports.LABEL_WRAP, options={"may_refuse": kind != "int64"})  # fmt: skip
    name = "labels/uint8-156"
    yield Draft(name, "the label 156 is not −100, though a byte may say so", normal(name, (4, 200)),
                torch.tensor([156, 3, 156, 100], dtype=torch.uint8), reports=reports.LABEL_WRAP,
                options={"may_refuse": True, "reduction": "mean"})  # fmt: skip
    for kind in ("uint8", "int8", "int32"):
        name = f"labels/{kind}-2-classes"
        yield Draft(name, "two classes, whose labels look like a mask", normal(name, (6, 2)),
                    torch.tensor([0, 1, 1, 0, 1, 0]).to(getattr(torch, kind)), reports=reports.LABEL_WRAP,
                    options={"may_refuse": True, "reduction": "mean"})  # fmt: skip
    name = "labels/uint8-255-ignored"
    yield Draft(name, "segmentation's usual padding", normal(name, (4, 20)),
                torch.tensor([255, 3, 255, 19], dtype=torch.uint8), reports=reports.IGNORED_BEYOND,
                options={"may_refuse": True, "reduction": "mean", "ignore_index": 255})  # fmt: skip
    name = "labels/beyond-32767"
    logits = spread((3, 70000), scale=6.0)
    yield Draft(name, "labels that 16 bits cannot hold", logits, torch.tensor([40000, 65536, 69999]),
                reports=reports.LABEL_WRAP)  # fmt: skip


def refusals() -> Iterator[Draft]:
    for what, wrong in (("the-number-of-classes", 5), ("far-beyond", 1000), ("negative", -1)):
        for reduction in ("none", "mean"):
            name = f"refusals/{what}-{reduction}"
            yield Draft(name, "a label that is no class must not give a number that looks like a loss",
                        normal(name, (4, 5)), torch.tensor([0, wrong, 2, 4]), reports=reports.OUT_OF_RANGE,
                        options={"reduction": reduction, "expects": "refusal"})  # fmt: skip

    shapes = {"column": (4, 1), "row": (1, 4), "one-more": (5,), "one-less": (3,), "scalar": ()}
    for what, shape in shapes.items():
        for reduction in ("none", "mean"):
            name = f"refusals/target-{what}-{reduction}"
            yield Draft(name, f"labels of shape {shape} for logits of shape (4, 5) are not broadcast",
                        normal(name, (4, 5)), labels(name, shape, 5), reports=reports.REDUCTION,
                        options={"reduction": reduction, "expects": "refusal"})  # fmt: skip
    name = "refusals/probabilities-of-one-row"
    yield Draft(name, "target probabilities of shape (1, 5) for logits of shape (4, 5) are not broadcast",
                normal(name, (4, 5)), probabilities(name, (1, 5)), reports=reports.REDUCTION,
                options={"expects": "refusal"})  # fmt: skip


def purity() -> Iterator[Draft]:
    for dtype in ("float64", "float32", "bfloat16"):
        name = f"purity/{dtype}"
        target = labels(name, (6,), 5)
        target[2] = -100
        yield Draft(name, "inputs stay as they are, and the same call gives the same bits",
                    normal(name, (6, 5), dtype), target, weights(name, 5, dtype), reports=reports.OVERWRITTEN,
                    options={"repeated": True})  # fmt: skip
    name = "purity/gradient"
    yield Draft(name, "inputs stay as they are when the gradient is taken", normal(name, (6, 5)),
                labels(name, (6,), 5), weights(name, 5), reports=reports.OVERWRITTEN,
                options={"gradient": 1, "reduction": "mean", "repeated": True})  # fmt: skip
    for reduction in REDUCTIONS:
        for what, wanted in (("with", {"gradient": 1}), ("without", {})):
            name = f"purity/{what}-gradient-{reduction}"
            yield Draft(name, "the loss is right whether or not a gradient is wanted of it, the second time too",
                        normal("purity/pair", (6, 5)), labels("purity/pair", (6,), 5), reports=reports.TWICE,
                        options={"reduction": reduction, "repeated": True, **wanted})  # fmt: skip
    name = "purity/probabilities"
    yield Draft(name, "target probabilities stay as they are", normal(name, (6, 5)), probabilities(name, (6, 5)),
                reports=reports.OVERWRITTEN, options={"label_smoothing": 0.1, "repeated": True})  # fmt: skip


def batch() -> Iterator[Draft]:
    name = "batch/strange-neighbours"
    logits = normal(name, (6, 4))
    logits[1], logits[2, 1], logits[3] = NAN, INF, 3e38
    logits[4] = tensor([-INF, -INF, -INF, -INF])
    yield Draft(name, "NaN, inf and huge logits stay in their own rows", logits, torch.tensor([0, 1, 2, 3, 1, 2]))
    name = "batch/scales"
    logits = normal(name, (5, 4), "float32") * tensor([[1e-30], [1e-3], [1.0], [1e3], [1e30]])
    yield Draft(name, "each row has a maximum of its own", logits, labels(name, (5,), 4))


FAMILIES: tuple[Family, ...] = (
    ("shapes", "shapes and the class axis", shapes),
    ("strides", "arrays that are not contiguous", strides),
    ("reductions", "the form and the accuracy of reductions", reductions),
    ("weights", "class weights", weighted),
    ("ignored", "ignored samples and their denominators", ignored),
    ("smoothing", "label smoothing, weights and ignored samples", smoothing),
    ("probabilities", "target probabilities", soft),
    ("labels", "integer types of labels, the last class", label_types),
    ("refusals", "labels that are no class", refusals),
    ("purity", "inputs untouched, results repeatable", purity),
    ("batch", "a row does not depend on its batch", batch),
)
