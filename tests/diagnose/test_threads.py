"""Numbers that people asked about in public, computed here by plain numpy, are named by the mistake that made them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import pytest

import xentcli
from xentcli.diagnose.causes import grammar, sampling
from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.causes.rescaling import FACTORS
from xentcli.diagnose.causes.sums import Sums
from xentcli.explain.shown import problem_of

A = np.array([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]])
Y = np.array([0, 1])
T = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]])
SCORES = np.array([[0.5, 0.89, 0.6], [0.05, 0.01, 0.94]])
HIGH = np.array([[3.0, 0.5, 9.0], [1.0, 6.0, 0.5]])
COUNTS, SURE = np.array([[3.0, 1.0, 1.0], [1.0, 5.0, 1.0]]), np.array([[3.0, 2.0, 2.0], [0.0, 0.5, 0.0]])
GRID = np.round(np.random.default_rng(7).normal(0, 2, (4, 6, 5)), 3)  # [sequences, positions, classes]
TOKENS = np.random.default_rng(8).integers(0, 5, (4, 6))
TOKENS[1, 4:] = TOKENS[3, 2:] = -100
WEIGHT = np.array([0.5, 2.0, 1.5])
ROWS = np.arange(2)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def ce(x: np.ndarray, y: np.ndarray = Y) -> np.ndarray:
    return -log_softmax(x)[np.arange(len(y)), y]


def bce(p: np.ndarray) -> np.ndarray:
    t = np.eye(3)[Y]
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def misplaced(p: np.ndarray) -> np.ndarray:
    t = np.eye(3)[Y]
    return -(t * np.log(p) + (1 - t) * (1 - np.log(p)))


def focal(gamma: float) -> float:
    return float(((1 - np.exp(-ce(A))) ** gamma * ce(A)).mean())


def keras(x: np.ndarray, y: np.ndarray) -> float:
    p = np.clip(x / x.sum(1, keepdims=True), 1e-7, 1 - 1e-7)
    return float(-np.log(p[ROWS, y]).mean())


def tokens(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The losses of a text, 0 where a label is ignored, and which count."""
    known = y >= 0
    losses = -np.take_along_axis(log_softmax(x), np.where(known, y, 0)[..., None], -1)[..., 0]
    return losses * known, known


SIGMOID, SOFTMAX = 1 / (1 + np.exp(-A)), np.exp(log_softmax(A))
LATE, LATE_KNOWN = tokens(GRID[:, :-1], TOKENS[:, 1:])
OWN, OWN_KNOWN = tokens(GRID, TOKENS)
SMOOTH = -log_softmax(A).mean(1)


@dataclass(frozen=True)
class Thread:
    """A claim, how it comes about, and the code that should be named first, or the codes of the pair."""

    claim: str
    value: float
    code: str | tuple[str, str]
    logits: Any = field(default_factory=A.tolist)
    labels: Any = field(default_factory=Y.tolist)
    options: dict[str, Any] = field(default_factory=dict)


TEXT: dict[str, Any] = {"logits": GRID, "labels": TOKENS, "options": {"class_axis": -1}}
EXAMPLES = {"logits": SCORES.tolist(), "labels": [1, 2]}
THREADS = {
    "bce of sigmoids": Thread("0.9115438", bce(SIGMOID).mean(), "one-vs-rest-bce"),
    "bce of sigmoids, summed": Thread("2.734631", bce(SIGMOID).sum(1).mean(), "one-vs-rest-bce"),
    "bce of the softmax, summed": Thread("2.16161", bce(SOFTMAX).sum(1).mean(), "one-vs-rest-bce"),
    "bce of the softmax": Thread("0.7205367", bce(SOFTMAX).mean(), "one-vs-rest-bce"),
    "divided by the classes": Thread("0.39443", ce(A).sum() / 6, "mean-over-classes"),
    "averaged twice": Thread("0.591645", ce(A).mean() / 2, "averaged-twice"),
    "four steps": Thread("4.73316", 4 * ce(A).mean(), "not-divided-by-steps"),
    "sum per sequence": Thread("{:.6f}", OWN.sum() / 4, "sum-per-sequence", **TEXT),
    "counted before the shift": Thread("{:.7f}", LATE.sum() / OWN_KNOWN.sum(), "labels-shifted", **TEXT),
    "a batch of 32": Thread("{:.6g}", OWN.sum() / 32, "wrong-divisor", **TEXT),
    "a position less": Thread("{:.6g}", OWN.sum() / OWN_KNOWN.sum() * 6 / 5, "wrong-divisor", **TEXT),
    "scores as they are": Thread("0.08920461", -np.log(SCORES[ROWS, [1, 2]]).mean(), "nll-on-raw", **EXAMPLES),
    "logarithm of logits": Thread("-1.445186", -np.log(HIGH[ROWS, [0, 1]]).mean(), "nll-on-raw", HIGH.tolist(), [0, 1]),
    "keras, scores": Thread("0.4332719", keras(SCORES, np.array([1, 2])), "from-logits-forgotten", **EXAMPLES),
    "keras, counts": Thread("0.4236489", keras(COUNTS, Y), "from-logits-forgotten", COUNTS.tolist()),
    "keras, clipped": Thread("{:.8f}", keras(SURE, Y), "from-logits-forgotten", SURE.tolist()),
    "probabilities that miss 1": Thread(
        "{:.6f}",
        -np.log(T[ROWS, Y]).mean(),
        "scores-normalised",
        (T * 0.95).tolist(),
    ),
    "focal, 2": Thread("0.8698113", focal(2), "focal"),
    "focal, 1": Thread("0.9895318", focal(1), "focal"),
    "focal, alpha": Thread("0.2174528", focal(2) / 4, "focal"),
    "focal, 0.2": Thread("{:.7f}", focal(0.2), "focal"),
    "focal, 0.5": Thread("{:.7f}", focal(0.5), "focal"),
    "uniform target": Thread("1.766623", SMOOTH.mean(), "uniform-target"),
    "divergence": Thread(
        "0.3675543", (T * (np.log(T) - log_softmax(A))).sum(1).mean(), "kl-instead-of-ce", labels=T.tolist()
    ),
    "divergence over classes": Thread(
        "0.1225181", (T * (np.log(T) - log_softmax(A))).mean(), "kl-instead-of-ce", labels=T.tolist()
    ),
    "every label": Thread("3.61658", -log_softmax(A)[:, Y].sum() / 2, "broadcast-all-pairs"),
    "every pair": Thread("1.8082901", -log_softmax(A)[:, Y].mean(), "broadcast-all-pairs"),
    "mean of exponentials": Thread("5.090355", np.exp(ce(A)).mean(), "mean-of-perplexities"),
    "perplexities of sequences": Thread(
        "{:.6f}", np.exp(OWN.sum(1) / OWN_KNOWN.sum(1)).mean(), "mean-of-perplexities", **TEXT
    ),
    "z-loss": Thread("1.184036", ce(A).mean() + 1e-4 * (np.log(np.exp(A).sum(1)) ** 2).mean(), "z-loss-included"),
    "softcap": Thread("6.601222", ce(30 * np.tanh(A / 3)).mean(), "softcap", (10 * A).tolist()),
    "a softcap that multiplies": Thread("{:.6f}", ce(10 * A * np.tanh(A / 3)).mean(), "softcap", (10 * A).tolist()),
    "a softcap left out": Thread("{:.7f}", ce(30 * np.arctanh(A / 30)).mean(), "softcap"),
    "1 − log p": Thread("2.183290", 1 + ce(A).mean(), "complement-misplaced"),
    "1 − log p of sigmoids": Thread("{:.6f}", misplaced(SIGMOID).mean(), "complement-misplaced"),
    "weights on logits": Thread(
        "{:.6f}", ce(WEIGHT * A).mean(), "weights-on-logits", options={"weight": WEIGHT.tolist()}
    ),
    "weights by class": Thread(
        "{:.7f}", (WEIGHT[Y] * ce(A)).sum() / WEIGHT.sum(), "wrong-divisor", options={"weight": WEIGHT.tolist()}
    ),
    "smoothing that adds": Thread("{:.7f}", (ce(A) + 0.1 * SMOOTH).mean(), "smoothing-variant"),
    "smoothing that is stretched": Thread(
        "{:.6f}",
        ((1 - 0.15) * ce(A) + 0.15 * SMOOTH).mean(),
        "smoothing-variant",
        options={"label_smoothing": 0.1},
    ),
    "class 0 left out": Thread("2.196734", ce(A)[1], "ignored-counted"),
    "the likeliest class": Thread("0.1832901", ce(A, A.argmax(1)).mean(), "other-label"),
    "two shards": Thread("{:.7f}", ce(A).mean() + math.log(2), "shard-log-k"),
    "temperature": Thread("{:.7f}", ce(A / 2).mean(), "temperature"),
    "four bytes a token": Thread("{:.7f}", OWN.sum() / OWN_KNOWN.sum() / math.log(16), "bytes-for-tokens", **TEXT),
    "shift over all": Thread("{:.7f}", LATE.sum() / 20, ("labels-shifted", "ignored-in-denominator"), **TEXT),
    "shift by sequence": Thread(
        "{:.7f}",
        np.mean([row.sum() / known.sum() for row, known in zip(LATE, LATE_KNOWN, strict=True) if known.any()]),
        ("labels-shifted", "mean-of-group-means"),
        **TEXT,
    ),
}


def named(thread: Thread, claim: str) -> list[tuple[str, ...]]:
    call = {"logits": np.array(thread.logits, np.float64), "labels": thread.labels} | thread.options
    expectation = xentcli.compute(**call, expect=claim).expectation
    assert expectation.holds is False
    return [cause.steps or (cause.code,) for cause in expectation.causes]


@pytest.mark.parametrize("name", THREADS)
def test_a_number_is_named_first(name: str) -> None:
    """Who asked got no answer, or another one; the number is what the formula gives."""
    thread = THREADS[name]
    claim = thread.claim.format(thread.value) if "{" in thread.claim else thread.claim
    places = len(claim.partition(".")[2])
    assert float(claim) == pytest.approx(thread.value, abs=0.51 * 10.0**-places)
    code = thread.code if isinstance(thread.code, tuple) else (thread.code,)
    assert named(thread, claim)[0] == code


@pytest.mark.parametrize("name", THREADS)
def test_a_number_beside_it_is_not(name: str) -> None:
    """A mistake is made or not: seven parts in ten thousand off, this one was not."""
    thread = THREADS[name]
    code = thread.code if isinstance(thread.code, tuple) else (thread.code,)
    assert code not in named(thread, f"{thread.value * 1.0007:.7g}")


@pytest.mark.parametrize("name", THREADS)
def test_two_digits_name_nothing(name: str) -> None:
    """Of two digits there are a hundred numbers, and as many mistakes."""
    thread = THREADS[name]
    call = {"logits": np.array(thread.logits, np.float64), "labels": thread.labels} | thread.options
    report = xentcli.compute(**call, expect=f"{thread.value:.2g}")
    assert not report.expectation.causes
    assert report.expectation.holds or "no mistake can be told by" in report.summary


def test_a_divergence_of_nothing_is_explained() -> None:
    """The targets are the softmax: the divergence is 0, the loss is not."""
    causes = xentcli.compute(A, SOFTMAX, expect="0.0000000").expectation.causes
    assert "kl-instead-of-ce" in {cause.code for cause in causes}


def test_several_mistakes_of_one_number_are_in_the_order_of_how_often_they_are_made() -> None:
    """Three samples of three classes, divided by three once more: by the classes, or by the samples."""
    logits, labels = np.concatenate((A, 0.5 * A[:1])), [0, 1, 2]
    claim = float(ce(logits, np.array(labels)).mean()) / 3
    causes = xentcli.compute(logits, labels, expect=f"{claim:.6f}").expectation.causes
    assert [cause.code for cause in causes] == ["mean-over-classes", "averaged-twice"]


@pytest.mark.parametrize(
    ("code", "what"),
    [("temperature", "logits times √8"), ("softcap", "capped at 30"), ("low-precision", "cast to bfloat16")],
)
def test_what_costs_much_is_computed_where_the_claim_is(code: str, what: str) -> None:
    """A value that was estimated from some of the rows may be named, or overlooked, by mistake."""
    rng = np.random.default_rng(3)
    call = {"logits": rng.normal(0, 4, (4000, 700)).astype(np.float32), "labels": rng.integers(0, 700, 4000)}
    exact = {guess.mistakes: guess.value for guess in guesses(problem_of(call))}
    (wanted,) = (value for mistakes, value in exact.items() if len(mistakes) == 1 and what in mistakes[0].what)
    with patch.object(sampling, "LARGE", 1), patch.object(sampling, "EVERY", 2):
        first, *_ = xentcli.compute(**call, expect=f"{wanted:.8g}").expectation.causes
        ends = (wanted - 1e-6, wanted + 1e-6)
        estimated = {guess.mistakes: guess.value for guess in guesses(problem_of(call), ends)}
    assert (first.code, what in first.statement) == (code, True)
    assert estimated.keys() == exact.keys()
    single = {mistakes: value for mistakes, value in exact.items() if len(mistakes) == 1 and math.isfinite(value)}
    for mistakes, value in single.items():
        assert estimated[mistakes] == pytest.approx(value, rel=0.1, abs=1e-3)


def test_far_from_a_claim_nothing_is_computed_twice() -> None:
    """A false claim about a large file takes as long as all mistakes of all rows, of which one was near it."""
    rng = np.random.default_rng(4)
    call = {"logits": rng.normal(0, 4, (4000, 700)).astype(np.float32), "labels": rng.integers(0, 700, 4000)}
    families = {name: Mock(side_effect=family) for name, family in enumerate(grammar.COSTLY)}
    with (
        patch.object(sampling, "LARGE", 1),
        patch.object(sampling, "EVERY", 2),
        patch.object(grammar, "COSTLY", tuple(families.values())),
    ):
        guesses(problem_of(call), (1e6, 1e6 + 1.0))
        sampled = {name: family.call_count for name, family in families.items()}
        (value,) = (
            guess.value
            for guess in guesses(problem_of(call))
            if len(guess.mistakes) == 1 and "logits times 1.5" in guess.mistakes[0].what
        )
        before = {name: family.call_count for name, family in families.items()}
        guesses(problem_of(call), (value - 1e-6, value + 1e-6))
    again = [name for name in families if families[name].call_count > before[name] + sampled[name] + 1]
    assert all(count == 6 for count in sampled.values())  # of eleven chunks every other one
    assert len(again) <= 3


def test_an_estimate_follows_the_losses_and_the_number_of_samples() -> None:
    """A mistake that leaves the losses nearly constant strays in their ratio: it is computed for claims far off."""
    rng = np.random.default_rng(5)
    estimates, right = sampling.Estimates(), Sums(plain=0.0)
    (mistake, *_) = FACTORS.values()
    for number in range(32):
        size = int(rng.integers(5, 9))
        own = Sums(float(rng.normal(10, 1, size).sum()), math.nan, float(size), size, size)
        right += own
        if number % 4 == 0:
            estimates.add(own, {mistake: Sums(2.0 * own.total + 5.0 * size)})
    for deviations in (-sampling.DEVIATIONS, 0.0, sampling.DEVIATIONS):
        (found,) = estimates.sums(right, 32, deviations).values()
        assert found.total == pytest.approx(2.0 * right.total + 5.0 * right.counted, rel=1e-12)


def test_two_chunks_tell_nothing_of_a_line() -> None:
    """Two points are on every line: the estimate looks certain, and a mistake that gives the claim is overlooked."""
    estimates = sampling.Estimates()
    (mistake, *_) = FACTORS.values()
    for total in (10.0, 30.0):
        estimates.add(Sums(total, math.nan, 4.0, 4, 4), {mistake: Sums(total**2)})
    (found,) = estimates.sums(Sums(99.0, math.nan, 16.0, 16, 16), 4, 1.0).values()
    assert not math.isfinite(found.total)
