"""What a watcher is told while the engine works: every pass in words, from none to all of its rows, and true digits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import xentcli
from xentcli.explain.run import explain
from xentcli.question.claims import Claim
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory

if TYPE_CHECKING:
    from xentcli.records.progress import Progress


def problem_of(logits: Any, labels: Any, block_bytes: int = 64, **options: Any) -> Problem:
    arrays = from_memory(np.asarray(logits), "logits"), from_memory(np.asarray(labels, np.int64), "labels")
    return Problem(*arrays, Options(**options), block_bytes)


def told(problem: Problem, policy: Policy) -> dict[str, list[Progress]]:
    """All that a watcher is told, by what is done, in the order in which it was begun."""
    heard: dict[str, list[Progress]] = {}
    run(problem, policy, threads=2, progress=lambda progress: heard.setdefault(progress.doing, []).append(progress))
    return heard


def true_total(logits: np.ndarray, labels: np.ndarray, counted: int) -> flint.arb:
    """The sum of the first losses, by interval arithmetic with 200 bits."""
    total = flint.arb(0)
    for row, label in zip(logits[:counted].tolist(), labels[:counted].tolist(), strict=True):
        total += sum((flint.arb(logit).exp() for logit in row), flint.arb(0)).log() - flint.arb(row[label])
    return total


def standard_error(logits: np.ndarray, labels: np.ndarray, counted: int) -> float:
    """Of the mean of the first losses, by scipy's log of the sum."""
    losses = logsumexp(logits[:counted], axis=1) - logits[np.arange(counted), labels[:counted]]
    return float(losses.std(ddof=1)) / math.sqrt(counted)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 2**32), st.sampled_from(["mean", "sum"]))
@settings(max_examples=40, deadline=None)
def test_digits_so_far_are_those_of_the_rows_so_far(rows: int, classes: int, seed: int, reduction: str) -> None:
    """Somebody who stops a run of hours takes the running loss home; every digit of it must be right."""
    numbers = np.random.default_rng(seed)
    logits, labels = numbers.normal(0, 9, (rows, classes)), numbers.integers(0, classes, rows)
    heard = told(problem_of(logits, labels, reduction=reduction), Policy())["computing"]
    assert [each.total for each in heard] == [rows] * len(heard)
    assert [each.done for each in heard] == sorted({each.done for each in heard})
    assert (heard[0].done, heard[-1].done) == (0, rows)
    with flint.ctx.workprec(200):
        for each in heard[1:]:
            word, text, *error = each.so_far().split()
            number = Decimal(text)
            step = flint.fmpq(10) ** int(number.as_tuple().exponent)
            truth = true_total(logits, labels, each.done) / (each.done if reduction == "mean" else 1)
            assert word == reduction
            assert abs(truth - flint.arb(text)) <= step / 2
            if reduction == "sum" or each.done < 2:
                assert len(number.as_tuple().digits) >= 10
            else:
                assert float(error[1]) == pytest.approx(standard_error(logits, labels, each.done), rel=0.06)
                assert 0.09 < float(step) / float(error[1]) * 10 <= 10 or len(number.as_tuple().digits) == 2
            assert each.bytes == each.done * classes * 8


def test_without_a_reference_the_library_speaks() -> None:
    """Digits that nobody certified are named after whose they are, and are as many as the dtype tells apart."""
    problem = problem_of(np.zeros((9, 2), np.float32), [0] * 9)
    last = told(problem, Policy(reference="off"))["computing"][-1]
    assert last.so_far() == "library's mean 0.693147"


@pytest.mark.parametrize(("labels", "options"), [([-100] * 3, {}), ([0] * 3, {"reduction": "none"})])
def test_where_there_is_no_loss_none_is_told(labels: list[int], options: dict[str, Any]) -> None:
    """Nothing that counts yet, or no total asked for."""
    assert {each.so_far() for each in told(problem_of(np.zeros((3, 2)), labels, **options), Policy())["computing"]} == {
        ""
    }


@pytest.mark.parametrize(
    ("claim", "passes"),
    [
        ("0.6931", ["computing"]),
        ("0.69314718055994530942", ["computing", "deciding exactly"]),
        ("0.69314718055994530943", ["computing", "deciding exactly", "looking for the mistake"]),
        ("1.301", ["computing", "looking for the mistake"]),
    ],
)
def test_every_pass_is_told(claim: str, passes: list[str]) -> None:
    """A bar that is full while the program works on looks like a program that hangs."""
    problem = problem_of(np.zeros((8200, 2)), np.zeros(8200), 1 << 15)
    heard = told(problem, Policy(expect=Claim.parse(claim)))
    assert list(heard) == passes
    for each in heard.values():
        assert (each[0].done, each[-1].done, len(each) > 1) == (0, 8200, True)
    assert all(each.so_far().startswith("mean 0.6931471805") for each in heard.get("looking for the mistake", []))


def test_the_search_for_the_worst_row_is_told() -> None:
    """`xent explain` without a row looks at all of them."""
    heard: list[Progress] = []
    explain(problem_of(np.eye(20), range(20), 320), progress=heard.append)
    assert [(each.doing, each.done) for each in heard] == [
        ("looking for the worst row", done) for done in range(0, 21, 2)
    ]


@pytest.mark.parametrize(("name", "value"), [("threads", 0), ("threads", -1), ("block_bytes", 0), ("block_bytes", -5)])
def test_amounts_that_make_no_sense(name: str, value: int) -> None:
    """A queue of no workers would wait for ever, and blocks of no bytes would never end."""
    with pytest.raises(xentcli.UsageError) as caught:
        xentcli.compute(np.zeros((2, 2)), [0, 1], **{name: value})
    assert (caught.value.what, caught.value.details["found"]) == (f"{name} is out of range", str(value))


@given(st.integers(1, 3), st.integers(1, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_python_face_takes_both(threads: int, block_bytes: int) -> None:
    """The same report, whatever the machine has."""
    logits, labels = np.linspace(-3, 3, 600).reshape(200, 3), np.arange(200) % 3
    report = xentcli.compute(logits, labels, threads=threads, block_bytes=block_bytes)
    assert report.to_dict() == xentcli.compute(logits, labels).to_dict()
    assert math.isfinite(report.losses.library.value or math.nan)
