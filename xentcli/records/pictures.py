"""What the pictures of a report are drawn of, as frozen records: few numbers, whatever the size of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xentcli.records.statistic import Statistic  # noqa: TC001 (schemas are made of the types of the fields)


@dataclass(frozen=True)
class LossBin:
    """Rows whose losses are at least `lower` and below `upper`."""

    lower: float  # -inf: the negative losses, which weights make
    upper: float
    rows: int
    total: float  # of their losses in nats: an exact sum, rounded once; before that, all bins add up to the whole
    share: float | None  # of the total of all rows; None where that is not positive, or infinite


@dataclass(frozen=True)
class Histogram:
    """The losses of the rows that count, by bins of equal width on a logarithmic scale, 4 a decade."""

    of: Literal["-log p", "loss"]  # loss: with weights and smoothing, so that nll and its median are no marks on it
    bins: tuple[LossBin, ...]  # side by side, from the first one with rows to the last one
    rows: int  # in all bins, infinite and NaN
    total: float
    infinite: int
    nan: int
    on_edges: int  # rows whose enclosed losses reach into the next bin: they are where their middles are


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose confidence, the probability of the most probable class, is at least `lower` and below `upper`."""

    lower: float
    upper: float  # 1 in the last one, which it belongs to
    rows: int
    confidence: float | None  # their mean; None without rows
    accuracy: Statistic | None  # its ends are of ties, its interval is Wilson's; None without rows
    on_edges: int  # rows whose enclosed confidences reach into another bin


@dataclass(frozen=True)
class Confusion:
    """Rows of one label of which the model says one other class, the first of the most probable ones."""

    label: int
    predicted: int
    rows: int
    total: float  # Σ −log p in nats: an exact sum, rounded once
    share: float | None  # of the total of all rows; None where that is 0 or infinite


@dataclass(frozen=True)
class ClassSteps:
    """A class of one row, step by step, in float64."""

    index: int
    logit: float  # x_c
    shifted: float  # s_c = x_c - max x
    exponential: float  # e_c = exp(s_c)
    probability: float  # p_c = e_c/S


@dataclass(frozen=True)
class Pictures:
    """Bins and pairs of classes alone, at most some dozens of each."""

    histogram: Histogram
    reliability: tuple[ReliabilityBin, ...] | None  # None where a row has no softmax
    reliability_tempered: tuple[ReliabilityBin, ...] | None  # at the best temperature; None where none was found
    confusions: tuple[Confusion, ...]  # at most 20 pairs of the most rows; of equally many, the greatest total first
