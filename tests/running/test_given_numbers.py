"""Given probabilities and log-probabilities: what is computed of them, in blocks, parts, processes and explanations."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
import torch
from process import xent_here

from xentcli import compute
from xentcli.errors import InputError, UsageError
from xentcli.explain.run import explain
from xentcli.question.problem import Options, Problem
from xentcli.sources.memory import from_memory

GIVEN = {"log-probabilities": lambda logits: logits.log_softmax(1), "probabilities": lambda logits: logits.softmax(1)}
SCORES = [[0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]


def same_but_blocks(report):
    return report.to_dict() | {"input": None}


@pytest.mark.parametrize("given", GIVEN)
def test_the_loss_is_that_of_the_logits(given):
    """Else a dump of a model's output gets another loss than its logits."""
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]], dtype=torch.float64)
    report = compute(GIVEN[given](logits), [0, 1], input=given)
    assert report.verdict == "holds"
    assert report.losses.library.value == pytest.approx(1.1832900582379514, rel=1e-15)
    assert "probabilities" in report.options.input
    assert not {"probabilities-as-logits", "log-probabilities"} & {finding.code for finding in report.findings}


def test_numbers_that_do_not_add_up_are_taken_as_they_are():
    """Else sigmoid scores are normalised behind the user's back, and what they miss of 1 is not told."""
    report = compute(SCORES, [1, 2], input="probabilities")
    assert f"{report.losses.library.value:.7g}" == "0.08920461"
    assert report.row_sums is not None
    assert report.row_sums.row == 0
    assert report.row_sums.lower <= 0.99 <= report.row_sums.upper
    assert report.row_sums.upper - report.row_sums.lower < 1e-14
    assert "rows-off-one" in {finding.code for finding in report.findings}


@pytest.mark.parametrize(("given", "reduction"), list(product(GIVEN, ["mean", "sum", "none"])))
def test_blocks_threads_and_streams_change_nothing(given, reduction, monkeypatch):
    """Else the report depends on the machine; a streamed input has torch's own totals as a small one has."""
    logits = torch.randn(500, 9, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(9, (500,), generator=torch.Generator().manual_seed(2))
    asked = {"input": given, "reduction": reduction, "label_smoothing": 0.1}
    whole = compute(GIVEN[given](logits), labels, **asked)
    for block_bytes in (1, 1000, 1 << 20):
        again = compute(GIVEN[given](logits), labels, **asked, block_bytes=block_bytes, threads=3)
        assert same_but_blocks(again) == same_but_blocks(whole)
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 1000)
    streamed = compute(GIVEN[given](logits), labels, **asked, block_bytes=3000)
    assert same_but_blocks(streamed) == same_but_blocks(whole)


@pytest.mark.parametrize("given", GIVEN)
def test_parts_and_processes_add_up(given, tmp_path, monkeypatch):
    """Else a cluster's report, or a merged one, is another: the rows' sums are facts that add up as well."""
    monkeypatch.chdir(tmp_path)
    logits = torch.randn(60, 5, generator=torch.Generator().manual_seed(1))
    np.save("given.npy", GIVEN[given](logits).numpy())
    np.save("labels.npy", np.arange(60) % 5)
    files = ["compute", "given.npy", "labels.npy", "--input", given]
    for number in (1, 2, 3):
        assert xent_here(*files, "--shard", f"{number}/3", "--partial", f"{number}.json", "-qq", cwd=tmp_path).code == 0
    merged = json.loads(xent_here("merge", "1.json", "2.json", "3.json", "--json", cwd=tmp_path).out)
    whole = json.loads(xent_here(*files, "--json", cwd=tmp_path).out)
    for name in ("row_sums", "options", "verdict"):
        assert merged[name] == whole[name]
    for name in ("library", "reference"):  # the manual total of parts is an exact sum
        assert merged["losses"][name] == whole["losses"][name]
    assert xent_here("merge", "1.json", "2.json", "3.json", "--expect", "9.9", cwd=tmp_path).code == 1


@pytest.mark.parametrize(
    ("rows", "given", "what", "place", "hint"),
    [
        ([[0.5, 0.5], [1.5, -0.5]], "probabilities", "1.5", "row 1, class 0", "--input logits"),
        ([[0.5, 0.5], [1.0, -0.25]], "probabilities", "-0.25", "row 1, class 1", "--input logits"),
        ([[0.5, float("nan")], [1.0, 0.0]], "probabilities", "nan", "row 0, class 1", "the program"),
        ([[-0.1, -2.4], [-0.3, -1.4]], "probabilities", "-0.1", "row 0, class 0", "--input log"),
        ([[2.0, 0.5], [1.0, 0.0]], "log-probabilities", "2", "row 0, class 0", "--input logits"),
        ([[0.75, 0.25], [1.0, 0.0]], "log-probabilities", "0.75", "row 0, class 0", "--input prob"),
    ],
)
def test_what_is_no_probability_is_refused(rows, given, what, place, hint):
    """Else a file of logits gets a negative loss, and exit code 0."""
    with pytest.raises(InputError) as caught:
        compute(rows, [0, 1], input=given)
    assert caught.value.details["found"] == what
    assert place in caught.value.details["at"]
    assert hint in caught.value.details["hint"]


def test_ignored_rows_may_hold_anything():
    """Else padding that nobody computed makes the input a nonsense."""
    report = compute([[0.25, 0.75], [9.0, float("nan")]], [1, -100], input="probabilities")
    assert report.verdict == "holds"
    assert report.row_sums is not None
    assert report.row_sums.row == 0


def test_an_unknown_kind_is_refused():
    """Else a misspelt kind is taken for logits."""
    with pytest.raises(UsageError, match="unknown input"):
        compute([[0.5, 0.5]], [0], input="probs")


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}], ids=["plain", "smoothed"])
def test_every_step_of_an_explanation_adds_up(given, options):
    """Else the steps tell another story than the loss: what each rounding adds is the error, of both paths."""
    logits = torch.tensor([[2.0, 0.0, -1.0, 0.3], [0.5, 1.0, 3.0, -7.7]])
    problem = Problem(
        from_memory(GIVEN[given](logits), "given"), from_memory([0, 1], "labels"), Options(input=given, **options)
    )
    told = explain(problem, 1)
    assert told.verdict == "holds"
    assert told.steps[0].name == given
    for path in ("library", "manual"):
        adds = sum(getattr(step, path).adds for step in told.steps if getattr(step, path))
        loss = getattr(told.losses, path)
        assert adds == pytest.approx(loss.value - float(told.losses.reference.decimal), abs=1e-12)
    assert told.gradient is not None
    assert told.gradient.error < 1e-5 * max(abs(number.library) for number in told.gradient.classes)


def test_a_mistake_is_found_beside_given_probabilities():
    """Else `F.cross_entropy` of probabilities, the common mistake, is no known one where they are declared."""
    probabilities = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).softmax(1)
    labels = torch.tensor([2, 0, 1, 3, 3, 0])
    claim = f"{torch.nn.functional.cross_entropy(probabilities.double(), labels).item():.7f}"
    report = compute(probabilities, labels, input="probabilities", expect=claim)
    assert report.expectation is not None
    assert report.expectation.causes[0].code == "softmax-twice"
    summed = f"{torch.nn.functional.nll_loss(probabilities.double().log(), labels, reduction='sum').item():.6f}"
    report = compute(probabilities, labels, input="probabilities", expect=summed)
    assert report.expectation.causes[0].code == "sum-instead-of-mean"
