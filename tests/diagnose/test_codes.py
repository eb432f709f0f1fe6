"""The registry of codes: each has a definition and an example that shows it, and a near miss that does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xentcli
from xentcli.diagnose.causes.find import RIGHT
from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.codes import CODES
from xentcli.explain.shown import claimed, problem_of, show
from xentcli.question.claims import Claim

ALL = [code for meanings in CODES.values() for code in meanings]
FINDINGS = {code.code: code for code in ALL if code.kind == "finding"}
CAUSES = {code.code: code for code in ALL if code.kind == "cause"}


def changed(name: str, **changes: Any) -> dict[str, Any]:
    return FINDINGS[name].example | changes


def rows(name: str) -> list[Any]:
    return [list(row) for row in FINDINGS[name].example["logits"]]


def labels(name: str) -> list[Any]:
    return list(FINDINGS[name].example["labels"])


def with_first_row(name: str, change: Any) -> dict[str, Any]:
    first, *others = rows(name)
    return changed(name, logits=[change(first), *others])


NEAR_MISSES = {
    "library-wrong": lambda name: changed(name, atol=1e-3),
    "manual-wrong": lambda name: changed(name, atol=1.0),
    "softmax-underflow": lambda name: changed(name, logits=[[0.0, 103.0]]),
    "library-overflow": lambda name: changed(name, logits=[[0.0] * 60000]),
    "manual-overflow": lambda name: changed(name, weight=[4.0, 1.0]),
    "library-reduction-overflow": lambda name: changed(name, logits=[[0.0, 0.0]] * 65519, labels=[0] * 65519),
    "manual-reduction-overflow": lambda name: changed(name, logits=[[0.0, 8.0]] * 8000, labels=[0] * 8000),
    "nan-loss": lambda name: changed(name, labels=[-100, 1]),
    "zero-weight": lambda name: changed(name, labels=[1]),
    "cancelling-weights": lambda name: changed(name, weight=[0.5, -0.99]),
    "infinite-loss": lambda name: changed(name, labels=[0, 0]),
    "nothing-counted": lambda name: changed(name, labels=[0]),
    "sixteen-bit-accumulation": lambda name: changed(name, logits=[[0.0] * 10] * 8, labels=[0] * 8),
    "non-finite-logits": lambda name: changed(name, labels=[-100, 1]),
    "masked-classes": lambda name: changed(name, labels=[-100, 1]),
    "probabilities-as-logits": lambda name: with_first_row(name, lambda row: [0.97 * value for value in row]),
    "log-probabilities": lambda name: with_first_row(name, lambda row: [value - 0.01 for value in row]),
    "scores-as-logits": lambda name: with_first_row(name, lambda row: [1.01, *row[1:]]),
    "padded-classes": lambda name: with_first_row(name, lambda row: [*row[:-1], 0.1]),
    "clamped-values": lambda name: changed(
        name, logits=[[value - 2e-3 * place for place, value in enumerate(row)] for row in rows(name)]
    ),
    "rows-off-one": lambda name: changed(name, logits=[[0.3, 0.5, 0.2], [0.05, 0.01, 0.94]]),
    "zero-probability": lambda name: changed(name, logits=[[0.25, 0.74999, 1e-5], [0.5, 0.25, 0.25]]),
    "probability-above-one": lambda name: changed(name, logits=[[0.0, -16.0], [-0.5, -0.9327521]]),
    "class-axis-elsewhere": lambda name: changed(name, logits=list(map(list, zip(*rows(name), strict=True)))),
    "labels-out-of-step": lambda name: changed(name, labels=[*labels(name)[1:], 0]),
    "labels-off-by-one": lambda name: changed(name, labels=[label - 1 for label in labels(name)]),
    "padding-label": lambda name: changed(name, labels=[[0, *labels(name)[0][1:]], *labels(name)[1:]]),
    "one-hot-labels": lambda name: changed(name, labels=[[1] * 6, *labels(name)[1:]]),
    "constant-labels": lambda name: changed(name, logits=rows(name)[:15], labels=labels(name)[:15]),
    "labels-are-argmax": lambda name: changed(name, labels=[(labels(name)[0] + 1) % 4, *labels(name)[1:]]),
    "target-not-normalised": lambda name: changed(name, labels=[[0.5, 0.5], [0.9, 0.1005]]),
    "equal-logits": lambda name: changed(name, logits=rows(name)[:7], labels=labels(name)[:7]),
    "repeated-rows": lambda name: changed(name, logits=rows(name)[:17], labels=labels(name)[:17]),
    "sixteen-bit-values": lambda name: changed(name, logits=np.array(FINDINGS[name].example["logits"]) + 1e-6),
    "large-offset": lambda name: changed(name, logits=[[value - 4.95e4 for value in row] for row in rows(name)]),
    "chance-level": lambda name: changed(name, logits=rows(name)[:63], labels=labels(name)[:63]),
    "loss-below-float32": lambda name: changed(name, logits=[[0.0, 16.0], [16.0, 0.0]]),
}


def test_every_code_is_in_its_registry() -> None:
    """A code that nobody can look up says nothing."""
    assert NEAR_MISSES.keys() == FINDINGS.keys()
    everywhere = {guess.code for code in CAUSES.values() for guess in guesses(problem_of(code.example))}
    assert everywhere | {mistake.code for mistake in RIGHT.values()} == CAUSES.keys()


@pytest.mark.parametrize("code", ALL, ids=lambda code: f"{code.kind}-{code.code}")
def test_a_code_is_defined_and_its_example_shows_it(code) -> None:
    """A reader who asks what a code means is shown something else."""
    assert code.definition.endswith(".")
    assert show(code).said.code == code.code


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_is_silent_next_to_its_condition(name: str) -> None:
    """A false alarm is worse than a miss: what is just short of the condition stays unsaid."""
    report = xentcli.compute(**NEAR_MISSES[name](name))
    assert name not in {finding.code for finding in report.findings}


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_comes_first_and_not_for_a_number_beside_it(name: str) -> None:
    """Half a per mille off is another number, and has another cause or none."""
    example = CAUSES[name].example
    claim = claimed(name, problem_of(example))
    first, *_ = xentcli.compute(**example, expect=claim).expectation.causes
    assert first.code == name
    if math.isfinite(Claim.parse(claim).value):
        beside = f"{float(claim) * 1.0005:.7g}"
        causes = xentcli.compute(**example, expect=beside).expectation.causes
        assert name not in {cause.code for cause in causes}
