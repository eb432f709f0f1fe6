"""The sentence that an explanation opens with: its equation holds for whoever types it into a calculator."""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from typing import Any

import pytest
from explained import explained, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from xentcli.explain.run import explain
from xentcli.render.explanation import as_tables
from xentcli.render.page import Page
from xentcli.render.sentence import percentage, sentence

EQUATION = re.compile(r"-ln ([\d.e-]+) = ([\d.e-]+) nats")


def calculated(share: str) -> str:
    """-ln of the number as it is printed, to four digits, by decimal arithmetic."""
    exact = -Context(prec=60).ln(Decimal(share))
    return f"{Context(prec=4).plus(exact):f}"


@given(cases())
@settings(max_examples=80, deadline=None)
def test_the_equation_holds(case: Any) -> None:
    """A student who checks -ln 0.9997 finds another number than the sentence, and trusts none any more."""
    problem = problem_of(case)
    if not problem.samples:
        return
    told = explain(problem, 0)
    found = EQUATION.search(sentence(told))
    if found:
        assert math.isclose(float(calculated(found[1])), float(found[2]), rel_tol=1e-12)
        assert told.surprisal is not None
        assert math.isclose(float(found[2]), told.surprisal, rel_tol=6e-4)
    else:
        unusual = told.label is None or told.ignored or not told.surprisal or not math.isfinite(told.surprisal)
        assert unusual or "-ln(1-" in sentence(told)


@pytest.mark.parametrize(
    ("logits", "target", "options", "said"),
    [
        (
            [[2.0, 0.0]],
            [0],
            {},
            "the network gives the label, class 0, the probability 88.08 %; the loss is -ln 0.8808",
        ),
        ([[0.0, 40.0]], [0], {}, "the probability 4.25e-18; the loss is -ln "),
        ([[0.0, -55.0]], [0], {}, "the probability 1-1.3e-24; the loss is -ln(1-1.3e-24) = 1.3e-24 nats."),
        ([[0.0, -math.inf]], [1], {}, "the probability 0; the loss is -ln 0, which is infinite."),
        ([[0.0, 0.0]], [-100], {}, "Row 0 does not count: its label is -100, the ignored one."),
        (
            [[0.0, 0.0]],
            [[0.5, 0.5]],
            {},
            "the loss against the target probabilities is 0.6931 nats, the sum of -q_c ln",
        ),
        ([[0.0, 0.0]], [1], {"weight": [1.0, 3.0]}, "of which weights and smoothing make the loss 2.079 nats."),
        ([[0.0, math.nan]], [1], {}, "there is no loss to explain"),
        ([[0.25, 0.75]], [1], {"input": "probabilities"}, "the file gives the label, class 1, the probability 75"),
    ],
)
def test_each_kind_of_row_has_its_sentence(logits: Any, target: Any, options: Any, said: str) -> None:
    """An ignored row, a target of probabilities or a weight is told as if it were the plain case."""
    told = explained(logits, target, **options)
    assert said in sentence(told)
    assert as_tables(told, Page(400, color=False)).startswith(sentence(told))


@given(st.decimals("1e-17", "1", places=17))
def test_no_percentage_is_rounded_to_all_or_nothing(share: Decimal) -> None:
    """A probability of 99.99999 % is printed as 100 %, with a loss beside it."""
    text = percentage(share)
    if share in {0, 1}:
        assert text == f"{share:f}"
    elif text.startswith("1-"):
        assert math.isclose(float(text[1:]), -float(1 - share), rel_tol=0.06)
    else:
        number = Decimal(text.removesuffix(" %")) / (100 if text.endswith("%") else 1)
        assert 0 < number < 1
        assert math.isclose(number, share, rel_tol=6e-3)
