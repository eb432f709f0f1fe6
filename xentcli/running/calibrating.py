"""The temperature that fits the labels best: Newton's method over the blocks, and its digits proven by two signs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentcli.losses.machine import subnormals_kept
from xentcli.losses.tempered import tempered
from xentcli.losses.truth import terms_of
from xentcli.numbers.exactsum import nearest_float
from xentcli.records.statistic import Statistic
from xentcli.running.pipeline import in_order, thread_crew
from xentcli.statistics.calibration import by_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.losses.tempered import Tempered
    from xentcli.question.problem import Problem
    from xentcli.statistics.calibration import Bins

    Evaluate = Callable[[float], Tempered | None]

FAR = 30.0  # |log β| beyond which no temperature is looked for
STEPS = 60
CLOSE = 1e-15  # a step in log β that moves nothing
TRIES = 12  # widenings of a bracket by 8


@dataclass(frozen=True)
class Calibrated:
    """Name -> the metric, and the confidences at the best temperature."""

    metrics: dict[str, Statistic]
    bins: Bins


def calibrated(problem: Problem, threads: int | None = None) -> Calibrated | None:
    """The metrics of the labels that count; None where no temperature fits.

    temperature  T = 1/β of the least mean −log p of softmax(x/T)
    nll_tempered, ece_tempered  the mean −log p and the ECE there

    None fits where each label has the greatest logit (T falls to 0), where a guess would do better (T grows without
    end), and where a label's logit is −inf.
    """

    def evaluate(beta: float) -> Tempered | None:
        with thread_crew(threads or torch.get_num_threads()) as crew:
            parts = in_order(crew, (partial(_of_block, problem, span, beta) for span in problem.spans()))
            found = [part for part in parts if part is not None]
        return reduce(add, found) if found else None

    beta = _root(evaluate)
    found = None if beta is None else _bracket(evaluate, beta)
    return None if found is None else Calibrated(_statistics(found), found.sums.bins)


def _of_block(problem: Problem, span: tuple[int, int], beta: float) -> Tempered | None:
    """The sums of a block; None where no label in it counts."""
    terms = terms_of(problem.block(*span), problem.options)
    assert terms.labels is not None
    counted = np.flatnonzero(terms.labels >= 0)
    if not counted.size:
        return None
    whole = len(counted) == len(terms.labels)
    with subnormals_kept():
        return tempered(terms.logits if whole else terms.logits[counted], terms.labels[counted], beta)


def _root(evaluate: Evaluate) -> float | None:
    """About the β at which the slope is 0, by Newton's method in log β between the signs that were seen."""
    place, low, high = 0.0, -math.inf, math.inf
    for _ in range(STEPS):
        found = evaluate(math.exp(place))
        if found is None or not found.slope.is_finite:
            return None
        slope, bend = found.slope.value(), found.bend.value()
        if slope < 0.0:
            low = place
        elif slope > 0.0:
            high = place
        step = slope / (bend * math.exp(place)) if bend > 0.0 else math.inf
        if abs(step) <= CLOSE:
            return math.exp(place)
        place = _between(place - step, place, low, high)
        if abs(place) > FAR:
            return None
        if place in {low, high}:
            return math.exp(place)
    return math.exp(place)


def _between(wanted: float, place: float, low: float, high: float) -> float:
    """The place that is wanted, or one that halves what is left, at most four steps of 1 away while an end is open."""
    if low < wanted < high and abs(wanted - place) <= 4.0:
        return wanted
    if math.isinf(low) or math.isinf(high):
        return place + math.copysign(4.0, wanted - place)
    return (low + high) / 2.0


@dataclass(frozen=True)
class _Fit:
    """β, the interval in which the root is proven to lie, and the sums at β."""

    beta: float
    lower: float
    upper: float
    sums: Tempered


def _bracket(evaluate: Evaluate, beta: float) -> _Fit | None:
    """Widen an interval about β until the slope is proven to be negative at its lower end and positive at the other."""
    sums = evaluate(beta)
    if sums is None or not sums.slope_radius.is_finite or not sums.bend.value() > 0.0:
        return None
    reach = 4.0 * sums.slope_radius.value() / (sums.bend.value() * beta) + 2.0**-50
    for _ in range(TRIES):
        lower, upper = beta * (1.0 - reach), beta * (1.0 + reach)
        ends = evaluate(lower), evaluate(upper)
        if reach < 1.0 and all(end is not None and _sign(end) == side for end, side in zip(ends, (-1, 1), strict=True)):
            return _Fit(beta, lower, upper, sums)
        reach *= 8.0
    return None


def _sign(found: Tempered) -> int:
    """The proven sign of the slope; 0 where it is open."""
    if not found.slope.is_finite or not found.slope_radius.is_finite:
        return 0
    slope, radius = found.slope.fraction(), found.slope_radius.fraction()
    return 0 if abs(slope) <= radius else 1 if slope > 0 else -1


def _statistics(fit: _Fit) -> dict[str, Statistic]:
    count = sum(fit.sums.bins.rows)
    ends = (Fraction(1) / Fraction(end) for end in (fit.upper, fit.lower))
    low, high = (math.nextafter(nearest_float(end), side) for end, side in zip(ends, (0.0, math.inf), strict=True))
    loss, radius = (each.fraction() / count for each in (fit.sums.loss, fit.sums.loss_radius))
    least, most = (nearest_float(loss + side * radius) for side in (-1, 1))
    return {
        "temperature": Statistic(1.0 / fit.beta, low, high),
        "nll_tempered": Statistic(
            nearest_float(loss), math.nextafter(least, -math.inf), math.nextafter(most, math.inf)
        ),
        "ece_tempered": Statistic(*by_width(fit.sums.bins).ece),
    }
