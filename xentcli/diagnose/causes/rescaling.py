"""Mistakes about what the numbers of the file are: probabilities for logits, scaled logits, too few or many classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentcli.diagnose.causes.mistake import Mistake, Rarity
from xentcli.diagnose.causes.scores import Mapped, Scaled, Shifted, softmax_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.chunk import Chunk
    from xentcli.diagnose.causes.sums import Sums
    from xentcli.measuring.facts import Floats

Chain = tuple[float, int, int]

MULTIPLES = (8, 64, 128)  # what vocabularies are padded to
DOMINANT = 0.5  # of the exponentials: without such a class, the sum of the others is not what is left of a difference

SOFTMAX_TWICE = Mistake(
    "softmax-twice",
    "the loss of softmax(logits), probabilities fed as if they were logits",
    "F.cross_entropy takes logits: leave the softmax before it out",
)
MINUS_PROBABILITY = Mistake(
    "nll-on-raw",
    "minus the label's probability, without the logarithm",
    "F.nll_loss takes log-probabilities: F.nll_loss(F.log_softmax(logits, dim=1), labels)",
)
MINUS_LOGIT = Mistake(
    "nll-on-raw",
    "minus the label's own entry of the file, without log_softmax",
    "F.nll_loss takes log-probabilities: F.nll_loss(F.log_softmax(logits, dim=1), labels)",
)
LAST_DROPPED = Mistake(
    "last-class-dropped",
    "the loss without the last class, and without the samples that have it as their label",
    "keep all classes: logits[:, :-1] leaves one out",
)
FIRST_DROPPED = Mistake(
    "last-class-dropped",
    "the loss without class 0, and without the samples that have it as their label",
    "keep all classes: logits[:, 1:] leaves one out",
    Rarity.VARIANT,
)


def rescaled(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of other numbers than the logits."""
    chances = chunk.probabilities  # at most 1, so that no maximum need be taken off
    yield SOFTMAX_TWICE, chunk.scored(Shifted(np.log(np.exp(chances).sum(axis=1)), chances))
    yield MINUS_PROBABILITY, chunk.scored(Mapped(np.negative, chunk.probabilities))
    yield MINUS_LOGIT, chunk.scored(Mapped(np.negative, chunk.rows))


def without_bias(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of hidden states × head with nothing added."""
    if chunk.setting.bias is not None:
        yield BIAS_LEFT_OUT, chunk.scored(softmax_scores(chunk.rows - chunk.setting.bias))


def tempered(chain: Chain, chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss of the logits times each constant of a chain."""
    for factor, total in _scaled_sums(chain, chunk):
        yield FACTORS[factor], chunk.scored(Scaled(np.log(total), chunk.scores.values, factor))


def dropped_classes(chunk: Chunk) -> Iterator[tuple[Mistake, Sums]]:
    """The loss with a class too few, or some too many of logit 0."""
    classes = chunk.setting.classes
    if classes > 1 and chunk.setting.has_labels:
        for mistake, left_out, kept in ((LAST_DROPPED, classes - 1, slice(0, -1)), (FIRST_DROPPED, 0, slice(1, None))):
            counted = chunk.counted & (chunk.labels != left_out)
            yield mistake, chunk.scored(Shifted(_without(chunk, left_out, kept), chunk.scores.values), counted=counted)
    for padding in paddings(classes):
        base = np.logaddexp(chunk.scores.base, math.log(padding) - chunk.top)
        yield padded(padding), chunk.scored(Shifted(base, chunk.scores.values))


def _without(chunk: Chunk, left_out: int, kept: slice) -> Floats:
    """log Σ exp(x − max x) over all classes but one, [rows]."""
    gone = chunk.exponentials[:, left_out]
    base: Floats = np.log(chunk.exponential_sums - gone)
    again = np.flatnonzero(~(gone < DOMINANT * chunk.exponential_sums))
    values = chunk.scores.values[again, kept]
    top = values.max(axis=1)
    base[again] = np.log(np.exp(values - top[:, None]).sum(axis=1)) + top
    return base


def paddings(classes: int) -> list[int]:
    """How many classes one may have too many: one, or those that fill a round number."""
    fills = {-classes % multiple for multiple in MULTIPLES if classes > multiple}
    return sorted({1} | fills - {0})


def padded(padding: int) -> Mistake:
    """So many classes of logit 0 beside the others."""
    added = "one more class" if padding == 1 else f"{padding} more classes"
    return Mistake(
        "last-class-dropped",
        f"the loss with {added} of logit 0 in every row",
        "padding classes belong at −inf: logits[:, C:] = -torch.inf, or leave them out",
        Rarity.COMMON if padding == 1 else Rarity.VARIANT,
    )


def scaled(name: str) -> Mistake:
    """All logits multiplied."""
    return Mistake(
        "temperature",
        f"the loss of the logits times {name}",
        f"divide the logits by {name} again: a temperature, or a scale that one side forgot",
        Rarity.SEARCHED,
    )


def _scaled_sums(chain: Chain, chunk: Chunk) -> Iterator[tuple[float, Floats]]:
    """Σ exp(f·(x − max x)) of each row for a chain's factors f: exponentials, their squares and their square roots."""
    start, squares, roots = chain
    first = np.multiply(chunk.scores.values, start)
    np.exp(first, out=first)
    if start != 1.0:
        yield start, first.sum(axis=1)
    powers = np.empty_like(first) if squares or roots else first  # made once: fresh pages cost more than sums
    for step, count, change in ((2.0, squares, np.square), (0.5, roots, np.sqrt)):
        source = first
        for power in range(1, count + 1):
            source = change(source, out=powers)
            yield start * step**power, source.sum(axis=1)


BIAS_LEFT_OUT = Mistake(
    "bias-left-out",
    "the loss of the hidden states times the head, without its bias",
    "add the bias of the head: F.linear(hidden, weight, bias)",
    Rarity.COMMON,
)
CHAINS: tuple[Chain, ...] = (  # a factor, how often it is doubled, how often it is halved
    (1.0, 5, 5),  # 1/32 to 32: √d of heads and embeddings of 64, 256, 1024 ... dimensions, and temperatures
    (2.0**0.5, 4, 5),  # the same of 32, 128, 512, 2048 ...
    (0.1, 1, 0),
    (5.0, 2, 0),
    (1.5, 1, 0),
    (0.7, 0, 0),
    (0.8, 0, 0),
    (100.0, 0, 0),
    (768**0.5, 0, 0),
    (768**-0.5, 0, 0),
)


def _name(factor: float) -> str:
    """A number of two digits as it is, others as roots: 0.5, 1/√64."""
    if float(f"{factor:.2g}") == round(factor, 9):
        return f"{factor:.2g}" if factor < 100.0 else f"{factor:g}"
    return f"√{factor**2:.0f}" if factor > 1.0 else f"1/√{factor**-2:.0f}"


def _factors() -> Iterator[float]:
    for start, squares, roots in CHAINS:
        yield from (start * 2.0**power for power in range(-roots, squares + 1) if start * 2.0**power != 1.0)


FACTORS = {factor: scaled(_name(factor)) for factor in _factors()}
