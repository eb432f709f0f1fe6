"""The lint of the input is silent about what is as it should be: real logits, Gaussian ones, a language model's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import xentcli
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory

DIGITS = Path(__file__).parents[2] / "samples" / "digits"
SHAPES = ((500, 10), (40, 3), (64, 64), (9, 2), (2000, 2), (16, 12, 12), (4, 30, 7), (300, 500))


def codes(report: xentcli.Report) -> set[str]:
    return {finding.code for finding in report.findings}


def language_model(seed: int, vocabulary: int = 3000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [6, 48, vocabulary] and tokens that follow Zipf's law, repeat their neighbours, and are often foreseen."""
    rng = torch.Generator().manual_seed(seed)
    frequency = -torch.log(torch.arange(1, vocabulary + 1).float())
    tokens = torch.multinomial(frequency.exp(), 6 * 48, replacement=True, generator=rng).reshape(6, 48)
    again = torch.rand(tokens.shape, generator=rng) < 0.15
    tokens = torch.where(again, tokens.roll(1, 1), tokens)  # "that that", and punctuation
    logits = frequency + 1.5 * torch.randn(6, 48, vocabulary, generator=rng)
    foreseen = torch.rand(tokens.shape, generator=rng) < 0.5
    boost = foreseen * 8.0 * torch.rand(tokens.shape, generator=rng)
    logits.scatter_add_(2, tokens.unsqueeze(2), boost.unsqueeze(2))
    logits.scatter_add_(2, tokens.roll(1, 1).unsqueeze(2), torch.full((6, 48, 1), 1.0))  # what was just said
    return logits + 12.0, tokens


def test_the_digits_are_as_they_should_be() -> None:
    """Every reader's first run ends in an alarm."""
    for suffix in ("npy", "csv"):
        report = xentcli.compute(DIGITS / f"logits.{suffix}", DIGITS / f"labels.{suffix}")
        assert codes(report) == set()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_gaussian_logits_are_as_they_should_be(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Random labels are at chance level, and nothing else; what 16 bits do to the paths is no lint."""
    for seed in range(4):
        rng = torch.Generator().manual_seed(seed)
        logits = (torch.randn(shape, generator=rng) * (0.3, 1.0, 2.0, 3.0)[seed]).to(dtype)
        labels = torch.randint(shape[1], (shape[0], *shape[2:]), generator=rng)
        assert codes(xentcli.compute(logits, labels)) <= {
            "chance-level",
            "softmax-underflow",
            "sixteen-bit-accumulation",
        }


@pytest.mark.parametrize("seed", range(4))
def test_a_language_model_is_as_it_should_be(seed: int) -> None:
    """Frequent tokens, repeated ones and padding that is declared are no mistakes."""
    logits, tokens = language_model(seed)
    padded = tokens.clone()
    padded[::2, 30:] = -100
    for labels in (tokens, padded):
        assert codes(xentcli.compute(logits, labels, class_axis=-1)) == set()
        assert codes(xentcli.compute(logits.flatten(0, 1), labels.flatten())) == set()


def test_a_language_models_mistakes_are_seen() -> None:
    """The same data with what goes wrong with language models: the proof above must be able to fail."""
    logits, tokens = language_model(0)
    logits = logits.scatter_add(2, tokens.unsqueeze(2), torch.full((6, 48, 1), 6.0))  # a better model
    assert codes(xentcli.compute(logits, tokens.roll(1, 1), class_axis=-1)) == {"labels-out-of-step"}
    assert codes(xentcli.compute(logits.bfloat16().float(), tokens, class_axis=-1)) == {"sixteen-bit-values"}
    many = torch.cat((tokens, tokens.flip(0)))
    both = torch.cat((logits, logits.flip(0)))
    many[:, 40:] = torch.where(torch.arange(12).unsqueeze(1) % 3 == 0, many[:, 40:], 2999)
    assert "padding-label" in codes(xentcli.compute(both, many, class_axis=-1))


def test_warnings_count_where_the_user_says_so() -> None:
    """`--strict` turns a finding that may be a mistake into a failed build; a note it does not."""
    chances = [[0.25, 0.75]] * 4 + [[0.5, 0.5], [0.125, 0.875], [0.9375, 0.0625], [0.25, 0.75]]
    report = xentcli.compute(chances, [0, 1] * 4)
    assert codes(report) == {"probabilities-as-logits"}
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 1)
    report = xentcli.compute([[0.0, -float("inf")]], [0])
    assert codes(report) == {"masked-classes"}
    assert report.exit_code(strict=True) == 0


def test_blocks_do_not_change_a_finding() -> None:
    """What is found in one go is found in blocks: the samples that are looked at closely are always the same ones."""
    logits, tokens = language_model(0)
    logits = logits.scatter_add(2, tokens.unsqueeze(2), torch.full((6, 48, 1), 6.0))
    problem = Problem(from_memory(logits, "logits"), from_memory(tokens.roll(1, 1), "labels"), Options(class_axis=-1))
    blocks = Problem(problem.logits, problem.target, problem.options, block_bytes=1)
    whole, split = (run(each, Policy()).findings for each in (problem, blocks))
    assert {finding.code for finding in whole} == {"labels-out-of-step"}
    assert whole == split
