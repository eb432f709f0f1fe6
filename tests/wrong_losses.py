"""A cast of wrong implementations, each wrong in one declared way, as people write them in plain torch.

`WRONG` maps the code of a cause to a function that draws an input and gives the loss that this mistake makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

EPSILONS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Drawn:
    """An input: logits [N, C, ...] or with the classes last, labels or probabilities, and the options of the loss."""

    rng: torch.Generator
    logits: torch.Tensor  # [N, C, d1, ...], of the dtype that is computed in
    target: torch.Tensor
    weight: torch.Tensor | None
    ignore_index: int
    label_smoothing: float
    reduction: str
    last: bool  # the file has the classes on the last axis

    @property
    def exact(self) -> torch.Tensor:
        return self.logits.double()

    @property
    def classes(self) -> int:
        return self.logits.shape[1]

    @property
    def counted(self) -> torch.Tensor:
        return self.target != self.ignore_index

    @property
    def weights(self) -> torch.Tensor:
        """Of the labels that count, 0 elsewhere."""
        weight = torch.ones(self.classes).double() if self.weight is None else self.weight.double()
        return weight[torch.where(self.counted, self.target, 0)] * self.counted

    def loss(self, logits: torch.Tensor | None = None, target: torch.Tensor | None = None, **changes: Any) -> Any:
        """The loss in float64, with some of the options changed."""
        options = {
            "weight": None if self.weight is None else self.weight.double(),
            "ignore_index": self.ignore_index,
            "label_smoothing": self.label_smoothing,
            "reduction": self.reduction,
        } | changes
        target = self.target if target is None else target
        target = target.double() if target.is_floating_point() else target
        return functional.cross_entropy(self.exact if logits is None else logits, target, **options)

    def reduce(self, losses: torch.Tensor) -> torch.Tensor:
        """Weighted losses of all samples, reduced as torch does; those that do not count are 0."""
        if self.reduction == "sum":
            return losses.sum()
        return losses.sum() / (losses.numel() if self.target.is_floating_point() else self.weights.sum())

    def at_label(self, values: torch.Tensor) -> torch.Tensor:
        """Each sample's entry of its label, weighed; 0 where it does not count."""
        labels = torch.where(self.counted, self.target, 0)
        return values.gather(1, labels.unsqueeze(1)).squeeze(1) * self.weights

    def call(self) -> dict[str, Any]:
        """The arguments of `xentcli.compute`."""
        move = self.last and self.logits.ndim > 2
        soft = self.target.is_floating_point()
        return {
            "logits": self.logits.movedim(1, -1) if move else self.logits,
            "labels": self.target.movedim(1, -1) if move and soft else self.target,
            "class_axis": -1 if move else None,
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "label_smoothing": self.label_smoothing,
            "reduction": self.reduction,
        }


def choose(rng: torch.Generator, options: Any) -> Any:
    return options[int(torch.randint(len(options), (), generator=rng))]


def draw(rng: torch.Generator, **fixed: Any) -> Drawn:
    """An input of any shape, dtype and options; `fixed` says which of them a mistake needs."""
    classes = fixed.get("classes") or choose(rng, (3, 5, 10, 40, 200))
    flat, long = (choose(rng, ((40,), (17,), (96,))), choose(rng, ((4, 7), (6, 12), (3, 4, 5))))
    shape = choose(rng, (flat, long)) if fixed.get("sequences") is None else (long if fixed["sequences"] else flat)
    dtype = choose(rng, fixed.get("dtypes") or (torch.float64, torch.float32, torch.bfloat16))
    scale = fixed.get("scale") or choose(rng, (0.7, 1.5, 3.0))
    logits = (scale * torch.randn(shape[0], classes, *shape[1:], generator=rng)).to(dtype)
    learned = (logits.double() + 2 * torch.randn(logits.shape, generator=rng)).argmax(1)
    target = torch.where(torch.rand(shape, generator=rng) < 0.5, learned, torch.randint(classes, shape, generator=rng))
    soft = fixed.get("soft", False)
    ignored = fixed["ignored"] if "ignored" in fixed else not soft and choose(rng, (False, False, True))
    ignore_index = -100
    if ignored:
        ignore_index = fixed.get("ignore_index") or choose(rng, (-100, -1, 0, classes - 1))
        target = torch.where(torch.rand(shape, generator=rng) < 0.25, ignore_index, target)
    if soft:
        target = torch.softmax(3 * torch.randn(logits.shape, generator=rng), 1).to(dtype)
    weighted = fixed["weighted"] if "weighted" in fixed else choose(rng, (False, False, True))
    return Drawn(
        rng=rng,
        logits=logits,
        target=target,
        weight=(0.2 + 2 * torch.rand(classes, generator=rng)).to(dtype) if weighted else None,
        ignore_index=ignore_index,
        label_smoothing=fixed["smoothing"] if "smoothing" in fixed else choose(rng, (0.0, 0.0, 0.1, 0.3)),
        reduction=fixed.get("reduction") or choose(rng, ("mean", "mean", "sum")),
        last=choose(rng, (False, True)),
    )


def sum_instead_of_mean(rng):
    drawn = draw(rng, reduction="mean")
    return drawn, drawn.loss(reduction="sum")


def mean_instead_of_sum(rng):
    drawn = draw(rng, reduction="sum")
    return drawn, drawn.loss(reduction="mean")


def weighted_mean_denominator(rng):
    drawn = draw(rng, weighted=True, reduction="mean", soft=choose(rng, (False, False, True)))
    total = drawn.loss(reduction="sum")
    if drawn.target.is_floating_point():
        weight = drawn.weight.double().reshape(-1, *[1] * (drawn.logits.ndim - 2))
        return drawn, total / (drawn.target.double() * weight).sum()
    return drawn, total / drawn.counted.sum()


def weights_forgotten(rng):
    drawn = draw(rng, weighted=True)
    return drawn, drawn.loss(weight=None)


def ignored_in_denominator(rng):
    drawn = draw(rng, ignored=True, weighted=False, reduction="mean")
    return drawn, drawn.loss(reduction="sum") / drawn.target.numel()


def ignored_counted(rng):
    if choose(rng, (False, True)):  # the padding was declared in one place only
        drawn = draw(rng, ignored=False, smoothing=0.0)
        drawn = replace(drawn, target=torch.where(torch.rand(drawn.target.shape, generator=rng) < 0.3, 0, drawn.target))
        return drawn, drawn.loss(ignore_index=0)
    drawn = draw(rng, ignored=True)
    inside = drawn.ignore_index >= 0
    as_class = drawn.ignore_index if inside else choose(rng, (0, drawn.ignore_index % drawn.classes))
    labels = torch.where(drawn.counted, drawn.target, as_class)
    return drawn, drawn.loss(target=labels, ignore_index=-12345)


def mean_of_group_means(rng):
    drawn = draw(rng, ignored=True, reduction="mean", sequences=choose(rng, (False, True)))
    losses, weights = drawn.loss(reduction="none"), drawn.weights
    size = 1 if drawn.logits.ndim > 2 and choose(rng, (False, True)) else choose(rng, (4, 8, 16))
    size = min(size, len(losses) // 2)
    pairs = zip(losses.split(size), weights.split(size), strict=True)
    means = torch.stack([loss.sum() / weight.sum() for loss, weight in pairs])
    return drawn, means.mean()


def softmax_twice(rng):
    drawn = draw(rng, soft=choose(rng, (False, False, True)))
    return drawn, drawn.loss(drawn.exact.softmax(1))


def input_is_probs(rng):
    drawn = draw(rng, smoothing=0.0, dtypes=(torch.float64, torch.float32))
    drawn = replace(drawn, logits=drawn.exact.softmax(1).to(drawn.logits.dtype))
    return drawn, drawn.reduce(-drawn.at_label(drawn.exact.log().clamp(min=-300)))


def nll_on_raw(rng):
    drawn = draw(rng, smoothing=0.0)
    raw = choose(rng, (drawn.exact, drawn.exact.softmax(1)))
    return drawn, drawn.reduce(-drawn.at_label(raw))


def bits(rng):
    drawn = draw(rng)
    return drawn, drawn.loss() / math.log(2)


def base10(rng):
    drawn = draw(rng)
    return drawn, drawn.loss() / math.log(10)


def perplexity(rng):
    drawn = draw(rng, reduction="mean")
    return drawn, drawn.loss().exp()


def perplexity_base2(rng):
    drawn = draw(rng, reduction="mean")
    return drawn, choose(rng, (2 ** drawn.loss(), (drawn.loss() / math.log(2)).exp()))


def negated(rng):
    drawn = draw(rng)
    return drawn, -drawn.loss()


def eps_clip(rng):
    drawn = draw(rng, smoothing=0.0, scale=6.0)
    chances, epsilon = drawn.exact.softmax(1), choose(rng, EPSILONS)
    ways = (chances.clamp(min=epsilon).log(), (chances + epsilon).log(), chances.clamp(epsilon, 1 - epsilon).log())
    return drawn, drawn.reduce(-drawn.at_label(choose(rng, ways)))


def labels_one_based(rng):
    drawn = draw(rng)
    moved = (drawn.target + choose(rng, (-1, 1))) % drawn.classes
    return drawn, drawn.loss(target=torch.where(drawn.counted, moved, -1000), ignore_index=-1000)


def labels_shifted(rng):
    drawn = draw(rng)
    step = choose(rng, (1, -1, 2, -2))
    kept = drawn.target.shape[-1] - abs(step)
    logits = drawn.exact[..., :kept] if step > 0 else drawn.exact[..., -kept:]
    target = drawn.target[..., -kept:] if step > 0 else drawn.target[..., :kept]
    if drawn.logits.ndim == 2:
        logits = drawn.exact[:kept] if step > 0 else drawn.exact[-kept:]
    return drawn, drawn.loss(logits, target)


def wrong_class_axis(rng):
    if choose(rng, (False, True)):
        drawn = draw(rng, smoothing=0.0)
        axis = choose(rng, [axis for axis in range(drawn.logits.ndim) if axis != 1])
        return drawn, drawn.reduce(-drawn.at_label(drawn.exact.log_softmax(axis)))
    drawn = draw(rng, sequences=True)
    mixed = drawn.exact.reshape(-1, drawn.classes)
    shape = drawn.target.shape
    return drawn, drawn.loss(mixed.reshape(*shape, drawn.classes).movedim(-1, 1))


def smoothing_variant(rng):
    drawn = draw(rng, smoothing=choose(rng, (0.1, 0.2, 0.05)), ignored=False)
    size, kind = drawn.label_smoothing, choose(rng, ("off", "on", "others"))
    if kind == "off":
        return drawn, drawn.loss(label_smoothing=0.0)
    if kind == "on":
        return replace(drawn, label_smoothing=0.0), drawn.loss()
    minus = -drawn.exact.log_softmax(1)
    weight = torch.ones(drawn.classes).double() if drawn.weight is None else drawn.weight.double()
    weighed = (minus * weight.reshape(-1, *[1] * (minus.ndim - 2))).sum(1)
    own = drawn.at_label(minus)
    return drawn, drawn.reduce((1 - size) * own + size / (drawn.classes - 1) * (weighed - own))


def offset_cancellation(rng):
    drawn = draw(rng, smoothing=0.0, weighted=False, ignored=False, dtypes=(torch.float32,))
    drawn = replace(drawn, logits=drawn.logits + choose(rng, (2e6, -4e6, 8e6)))
    losses = torch.logsumexp(drawn.logits, 1) - drawn.logits.gather(1, drawn.target.unsqueeze(1)).squeeze(1)
    return drawn, drawn.reduce(losses.double())


def low_precision(rng):
    drawn = draw(rng, weighted=False, smoothing=0.0, ignored=False, dtypes=(torch.float32,), scale=6.0, classes=40)
    half = choose(rng, (torch.bfloat16, torch.float16))
    kind = choose(rng, ("cast", "computed"))
    if kind == "cast":
        return drawn, drawn.loss(drawn.logits.to(half).double())
    return drawn, functional.cross_entropy(drawn.logits.to(half), drawn.target, reduction=drawn.reduction).double()


def last_class_dropped(rng):
    drawn = draw(rng, smoothing=0.0, weighted=False)
    if choose(rng, (False, True)):
        zero = torch.zeros_like(drawn.exact[:, :1])
        return drawn, drawn.loss(torch.cat((drawn.exact, zero), 1))
    last = drawn.classes - 1
    drawn = replace(drawn, target=torch.where(drawn.target == last, last - 1, drawn.target))
    drawn = replace(drawn, ignore_index=-100 if drawn.ignore_index == last else drawn.ignore_index)
    return drawn, drawn.loss(drawn.exact[:, :-1])


def temperature(rng):
    drawn = draw(rng, soft=choose(rng, (False, False, True)))
    factor = choose(rng, (0.5, 2.0, 10.0, 0.1, 64**-0.5, 128**-0.5, 5.0))
    return drawn, drawn.loss(drawn.exact * factor)


def compound(rng):
    drawn = draw(rng, reduction="mean", weighted=False, ignored=False, smoothing=0.0)
    wrong = choose(rng, (drawn.exact.softmax(1), None))
    target = None if wrong is not None else (drawn.target + 1) % drawn.classes
    if choose(rng, (False, True)):
        return drawn, drawn.loss(wrong, target, reduction="sum")
    return drawn, drawn.loss(wrong, target) / math.log(2)


Wrong = Callable[[torch.Generator], tuple[Drawn, torch.Tensor]]
WRONG: dict[str, Wrong] = {
    make.__name__.replace("_", "-"): make
    for make in (
        sum_instead_of_mean,
        mean_instead_of_sum,
        weighted_mean_denominator,
        weights_forgotten,
        ignored_in_denominator,
        ignored_counted,
        mean_of_group_means,
        softmax_twice,
        input_is_probs,
        nll_on_raw,
        bits,
        base10,
        perplexity,
        perplexity_base2,
        negated,
        eps_clip,
        labels_one_based,
        labels_shifted,
        wrong_class_axis,
        smoothing_variant,
        offset_cancellation,
        low_precision,
        last_class_dropped,
        temperature,
        compound,
    )
}

UNITS = 100  # of the last digit: so far from the right value is a wrong one printed, or in more digits
MANY = {"eps-clip", "temperature", "smoothing-variant", "compound", "mean-of-group-means"}  # values, so many digits


def wrong_case(code: str, seed: int) -> tuple[Drawn, str]:
    """An input and the claim that the mistake makes of it, in 5 to 7 digits that tell it from the right value."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(100):
        drawn, value = WRONG[code](rng)
        value, right = float(value), float(drawn.loss())
        if math.isfinite(value) and math.isfinite(right) and value:
            place = math.floor(math.log10(abs(value))) + 1
            telling = [
                digits
                for digits in ((6, 7) if code in MANY else (5, 6, 7))
                if abs(value - right) >= UNITS * 10.0 ** (place - digits)
            ]
            if telling:
                return drawn, f"{value:#.{choose(rng, telling)}g}".rstrip(".")
    raise AssertionError(f"no telling case of {code}")
