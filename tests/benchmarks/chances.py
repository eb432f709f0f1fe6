"""How often a random claim is given a cause: `python tests/benchmarks/chances.py`.

A random claim has nothing to do with the input: the true loss times 0.3 to 3, each factor as likely as any other, in so
many digits.  What is printed beside it, the chance that is stated to the reader, should be how often that happens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from children import ROOT
from markdown import into, table

from xentcli.diagnose.causes.find import causes_among, in_order, looks
from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.causes.matching import chance, readings
from xentcli.question.claims import FEWEST_DIGITS, Claim
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.diagnose.causes.matching import Reading
    from xentcli.diagnose.causes.mistake import Guess

PAGE = ROOT / "xentcli" / "docs" / "engineer.md"
DIGITS = (2, 3, 4, 5, 6, 8)
SPREAD = (0.3, 3.0)  # of a claim, as a multiple of the true loss
TELLING = 10  # claims that are explained, from which on a ratio says something


@dataclass(frozen=True)
class Input:
    """An input with the values of all mistakes."""

    name: str
    samples: int
    truth: float
    tried: list[Guess]


@dataclass(frozen=True)
class Count:
    """What came of some claims of so many digits."""

    claims: int
    explained: int
    stated: float  # the chances of everything that the claims were compared with, added up

    def __add__(self, other: Count) -> Count:
        return Count(self.claims + other.claims, self.explained + other.explained, self.stated + other.stated)


def problems() -> Iterator[tuple[str, Problem]]:
    """Five inputs of usual kinds: of a class each, of a batch, weighted, of sequences with padding, of shares."""
    rng = np.random.default_rng(20)
    small, batch = rng.normal(0, 2, (4, 3)), rng.normal(0, 1.5, (64, 10))
    yield "4 × 3", _problem(small, rng.integers(0, 3, 4))
    yield "64 × 10", _problem(batch, rng.integers(0, 10, 64))
    weight = from_memory(rng.uniform(0.2, 3.0, 5), "weight")
    yield "40 × 5, weights", _problem(rng.normal(0, 3, (40, 5)), rng.integers(0, 5, 40), weight=weight)
    tokens = rng.integers(0, 50, (6, 12))
    tokens[np.arange(12) >= rng.integers(5, 12, (6, 1))] = -100
    yield "6 × 12 × 50, padded", _problem(rng.normal(0, 1, (6, 12, 50)), tokens, class_axis=-1)
    shares = rng.dirichlet(np.ones(7), 20)
    yield "20 × 7, probabilities", _problem(rng.normal(0, 2, (20, 7)), shares)


def _problem(logits: np.ndarray, target: np.ndarray, **options: Any) -> Problem:
    return Problem(from_memory(logits, "logits"), from_memory(target, "labels"), Options(**options))


def measured(name: str, problem: Problem) -> Input:
    """The values of all mistakes on an input, and its true loss, which is that of none."""
    reference = run(problem, Policy(rows=0)).losses.reference
    assert reference is not None and reference.lower is not None and reference.upper is not None  # noqa: PT018
    return Input(name, problem.samples, (reference.lower + reference.upper) / 2, in_order(guesses(problem)))


def counted(given: Input, digits: int, claims: int, seed: int) -> Count:
    """What comes of random claims of so many digits."""
    least, most = map(math.log, SPREAD)
    factors = np.exp(np.random.default_rng([seed, digits]).uniform(least, most, claims))
    texts = [f"{given.truth * factor:#.{digits}g}".rstrip(".") for factor in factors]
    return sum((judged(given, Claim.parse(text)) for text in texts), Count(0, 0, 0.0))


def judged(given: Input, claim: Claim) -> Count:
    """Whether a claim is explained, and what chance was said to have; a claim that holds counts for nothing."""
    literal, *others = readings(claim)
    if claim.digits < FEWEST_DIGITS or literal.fits(given.truth):
        return Count(1, 0, 0.0)
    stated = _stated(given, literal)
    for reading in others:  # what an earlier reading covers is stated already
        share = max(0.0, 1.0 - literal.tolerance / reading.tolerance)
        truth = chance(np.array([given.truth]), reading, math.nan)
        stated += share * (truth + _stated(given, reading))
    return Count(1, int(bool(causes_among(given.tried, claim, given.truth, given.samples))), stated)


def _stated(given: Input, reading: Reading) -> float:
    """The chance of everything that the claim is compared with, read in this way."""
    looked = looks(reading, given.tried, given.truth, given.samples)
    return max((look.chance for look in looked), default=0.0)


def rows(inputs: list[Input], claims: int, seed: int) -> Iterator[tuple[str, ...]]:
    """The table: how many of the claims are explained, on every input, and what was stated of all."""
    yield ("digits", *(each.name for each in inputs), "all", "stated", "ratio")
    for digits in DIGITS:
        counts = [counted(each, digits, claims, seed) for each in inputs]
        whole = sum(counts, Count(0, 0, 0.0))
        shares = [f"{100 * each.explained / each.claims:.2g} %" for each in (*counts, whole)]
        ratio = f"{whole.stated / whole.explained:.2f}" if whole.explained >= TELLING else ""
        yield (str(digits), *shares, f"{100 * whole.stated / whole.claims:.2g} %", ratio)


BEGIN, END = "<!-- chances: python tests/benchmarks/chances.py --save -->", "<!-- end of chances -->"


@click.command()
@click.option("--claims", type=click.IntRange(1), default=2000, show_default=True, help="Of each number of digits.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the claims.")
@click.option("--save", is_flag=True, help="Put the table into the page for engineers.")
def main(claims: int, seed: int, save: bool) -> None:
    """Print how often a random claim is given a cause, and how often that is said to happen."""
    inputs = [measured(name, problem) for name, problem in problems()]
    text = "\n".join(table(list(rows(inputs, claims, seed))))
    click.echo(text)
    if save:
        PAGE.write_text(into(PAGE.read_text(), f"\n{text}\n", BEGIN, END))


if __name__ == "__main__":
    main()
