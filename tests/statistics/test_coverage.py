"""Whether intervals of 95 % hold the truth 95 times in a hundred, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xentcli.statistics.means import (
    Estimate,
    correlation,
    exp_estimate,
    interval,
    mean_estimate,
    perplexity_difference,
    ratio_estimate,
)
from xentcli.statistics.ranks import Ordered

RHO = 0.9  # of each loss and the next one in its document
RUNS = 10_000
NOISE = 0.01  # 4.6 standard errors of a share of 95 % in so many runs


def documents(random: np.random.Generator, groups: int, length: int) -> np.ndarray:
    """Losses of documents, AR(1) with mean 0 and variance 1, [groups, length]."""
    losses = random.normal(size=(groups, length))
    for step in range(1, length):
        losses[:, step] = RHO * losses[:, step - 1] + math.sqrt(1 - RHO**2) * losses[:, step]
    return losses


def holds(estimate: Estimate, truth: float) -> bool:
    return estimate.lower95 <= truth <= estimate.upper95


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "length"), [(50, 64), (200, 32), (2000, 8)])
def test_intervals_by_groups_cover_and_those_by_rows_do_not(groups: int, length: int) -> None:
    """Tokens of a text resemble their neighbours: who counts each as news is sure of what is not so."""
    random = np.random.default_rng(groups)
    ids = np.repeat(np.arange(groups), length)
    by_group = by_row = 0
    for _ in range(RUNS):
        found = mean_estimate(documents(random, groups, length).reshape(-1), ids)
        lower, upper = interval(found.value, found.se, groups * length - 1)
        by_group += holds(found, 0.0)
        by_row += lower <= 0.0 <= upper
    assert abs(by_group / RUNS - 0.95) < NOISE
    assert by_row / RUNS < 0.65


@pytest.mark.slow
def test_documents_of_many_lengths_are_covered() -> None:
    """A ratio of sums, of which the lower one is random, too."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(RUNS):
        lengths = random.integers(5, 15, 200)
        ids = np.repeat(np.arange(200), lengths)
        losses = np.repeat(random.normal(size=200), lengths) + random.normal(size=ids.size)
        held += holds(ratio_estimate(losses + 3.0, random.integers(1, 7, ids.size).astype(float), ids), 3.0 / 3.5)
    assert abs(held / RUNS - 0.95) < NOISE


@pytest.mark.slow
def test_perplexities_and_correlations_are_covered() -> None:
    """Bends of the exponential and of r near 1 must not leave one side open."""
    random, groups, length = np.random.default_rng(2), 200, 10
    ids = np.repeat(np.arange(groups), length)
    held = np.zeros(3)
    for _ in range(RUNS):
        base = documents(random, groups, length).reshape(-1)
        other = base + 0.5 * documents(random, groups, length).reshape(-1)
        held += (
            holds(exp_estimate(base + 2.0, ids), math.exp(2.0)),
            holds(perplexity_difference(other + 2.1, base + 2.0, ids), math.exp(2.1) - math.exp(2.0)),
            holds(correlation(other, base, ids), 1 / math.sqrt(1.25)),
        )
    assert np.all(np.abs(held / RUNS - 0.95) < NOISE)


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "truth"), [(0.5, math.log(2)), (0.9, math.log(10)), (0.99, math.log(100))])
def test_intervals_of_percentiles_cover(fraction: float, truth: float) -> None:
    """At least 95 %, as ranks are whole, and at most 98."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(RUNS):
        found = Ordered.of(random.exponential(size=1500)).percentile(fraction)
        held += (found.lower95 or 0.0) <= truth <= (found.upper95 or 0.0)
    assert 0.95 - NOISE / 2 < held / RUNS < 0.98
