"""How a claim is read, and how likely chance is: against draws of numbers that have nothing to do with the values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.diagnose.causes.matching import Reading, chance, explains, readings
from xentcli.diagnose.causes.mistake import Guess, Mistake
from xentcli.question.claims import Claim

MISTAKE = Mistake("code", "what", "remedy")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("3.2", ["digits", "last digit"]),
        ("3.212345", ["digits", "float32", "last digit"]),
        ("-1.1064976", ["digits", "float32", "last digit"]),
        ("1.1064976453781128", ["float32", "float64"]),  # a float32 in full
        ("1.1064976453781138", ["float64"]),
        ("1.1064976453", ["digits"]),
        ("0.00123", ["digits", "last digit"]),
        ("4e2", ["digits", "last digit"]),
    ],
)
def test_a_claim_is_read_as_it_may_have_been_printed(text: str, kinds: list[str]) -> None:
    """A float32 in 17 digits is taken for an exact number, and nothing matches it."""
    assert [reading.kind for reading in readings(Claim.parse(text))] == kinds


@given(
    st.lists(st.floats(0.2, 20.0), min_size=1, max_size=30),
    st.floats(1.0, 3.0),
    st.floats(1e-4, 0.05),
    st.integers(0, 2**32 - 1),
)
def test_the_chance_is_that_of_numbers_drawn(values: list[float], claim: float, tolerance: float, seed: int) -> None:
    """A chance that is estimated too low blames the innocent."""
    drawn = claim * 3.0 ** np.random.default_rng(seed).uniform(-1.0, 1.0, 4000)
    hits = (np.abs(drawn[:, None] - np.array(values)) <= tolerance).any(axis=1).mean()
    assert chance(np.array(values), Reading("digits", claim, tolerance), math.nan) == pytest.approx(hits, abs=0.05)


def test_values_that_cluster_round_the_truth_say_little() -> None:
    """Many mistakes hardly move the loss: one of them is next to every claim that is next to the truth."""
    reading = Reading("digits", 2.3006, 0.00005)
    near = 2.3 + 1e-4 * np.arange(1, 20)
    assert chance(near, reading, math.nan) < 0.01
    assert chance(near, reading, 2.3) > 0.5


def test_the_truth_is_no_cause() -> None:
    """A mistake that makes no difference at the digits printed explains nothing."""
    reading = Reading("digits", 2.31, 0.005)
    assert explains(Guess((MISTAKE,), 2.312), reading, 2.30)
    assert not explains(Guess((MISTAKE,), 2.3001), reading, 2.30)
    assert not explains(Guess((MISTAKE,), math.nan), reading, 2.30)
    assert not explains(Guess((MISTAKE,), -2.31), reading, 2.30)
