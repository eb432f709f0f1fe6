"""The metrics beside those of torchmetrics, scikit-learn and netcal: equal where these are right, and else told apart.

The faults are of the versions that `tests/constraints.txt` names: where one is mended, its test says so.
"""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.calibration import _TemperatureScaling, calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, top_k_accuracy_score
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_recall,
)
from torchmetrics.functional.text import perplexity

import xentcli
from xentcli.judging.scoring import scores_of_mass, scores_of_order, scores_of_rows
from xentcli.losses.truth import Terms
from xentcli.measuring.each_row import EachRow
from xentcli.measuring.predictions import predictions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.metrics import Metrics

pytestmark = pytest.mark.filterwarnings("ignore:torch.searchsorted")  # of how torchmetrics lays out what it bins
COUNTS = pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
WHOLE = 10  # cases that go through the front door, too
BINS = 15
DIGITS = "samples/digits/logits.npy", "samples/digits/labels.npy"


def metrics_of(logits: torch.Tensor, labels: torch.Tensor, **options: object) -> Metrics:
    found = xentcli.compute(logits, labels, metrics=True, **options).metrics
    assert found is not None
    return found


def quick(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """What `metrics_of` tells without a temperature, straight from the numbers: a case costs a millisecond."""
    terms = Terms(logits.numpy(), labels.numpy(), None, None)
    rows = terms.enclose(moments=True)
    each = EachRow.empty(*logits.shape)
    found = predictions_of(terms, rows, 0, 0, each.columns)
    each.total.add(each.losses)
    known = scores_of_rows(found, len(labels), None) | scores_of_mass(each, found) | scores_of_order(each, found)
    return {name: each.value for name, each in known.items()} | {"perplexity": math.exp(rows.loss.mean())}


def cases(count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
    """Random models, whose confidences lie on no edge and are not 1, not even in torchmetrics' float32."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        rows, classes = (int(torch.randint(2, most, (), generator=generator)) for most in (60, 8))
        logits = torch.randn(rows, classes, dtype=torch.float64, generator=generator).clamp(-3, 3) * 2.5
        labels, chances = torch.randint(classes, (rows,), generator=generator), logits.softmax(1)
        if not ((chances * BINS - (chances * BINS).round()).abs() < 1e-5).logical_and(chances > 0.05).any():
            yield logits, labels, classes


def binned(softmax: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """ECE and MCE of scikit-learn's calibration curve, which has no counts and leaves empty bins out."""
    confidence, chosen = softmax.max(1)
    sizes = torch.histc(confidence, BINS, 0.0, 1.0).numpy()
    right, mean = calibration_curve((chosen == labels).numpy(), confidence.numpy(), n_bins=BINS)
    gaps = np.abs(right - mean)
    return {"ece": float((gaps * sizes[sizes > 0]).sum() / sizes.sum()), "mce": float(gaps.max())}


def classwise(softmax: torch.Tensor, labels: torch.Tensor) -> float:
    errors = [
        binary_calibration_error(softmax[:, c], (labels == c).int(), n_bins=BINS) for c in range(softmax.shape[1])
    ]
    return float(torch.stack(errors).mean())


@COUNTS
def test_they_are_torchmetrics_own(count: int) -> None:
    """ECE, MCE, perplexity and top 5; every tenth case has classwise ECE, of torchmetrics' errors of each class."""
    for number, (logits, labels, classes) in enumerate(cases(count)):
        softmax, asked = logits.softmax(1), {"num_classes": classes, "validate_args": False}
        theirs = {
            "ece": multiclass_calibration_error(softmax, labels, n_bins=BINS, norm="l1", **asked),
            "mce": multiclass_calibration_error(softmax, labels, n_bins=BINS, norm="max", **asked),
            "perplexity": perplexity(logits[None], labels[None]),
            "top5": multiclass_accuracy(logits, labels, average="micro", top_k=min(5, classes), **asked),
        } | ({"ece_classwise": classwise(softmax, labels)} if number % 10 == 0 else {})
        ours = quick(logits, labels)
        assert {name: ours[name] for name in theirs} == pytest.approx(
            {name: float(value) for name, value in theirs.items()}, rel=1e-5, abs=1e-6
        ), number


@COUNTS
def test_they_are_scikit_learns_own(count: int) -> None:
    """Loss, Brier score, ECE and MCE to nearly all digits of float64, and top 5 where there are more classes."""
    for number, (logits, labels, classes) in enumerate(cases(count)):
        softmax, known = logits.softmax(1).numpy(), range(classes)
        theirs = {
            "perplexity": math.exp(log_loss(labels.numpy(), softmax, labels=known)),
            "brier": brier_score_loss(labels.numpy(), softmax, labels=known, scale_by_half=False),
        } | binned(logits.softmax(1), labels)
        if classes > 5:
            theirs["top5"] = top_k_accuracy_score(labels.numpy(), softmax, k=5, labels=known)
        ours = quick(logits, labels)
        assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-11, abs=1e-12), number


@COUNTS
def test_they_are_netcals_own(count: int) -> None:
    """Its ECE, MCE and ACE; with two classes or labels of two alone it asks another question."""
    measures = pytest.importorskip("netcal.metrics", reason="netcal brings pyro, gpytorch and tensorboard")
    for number, (logits, labels, classes) in enumerate(cases(count)):
        if classes < 3 or len(labels.unique()) < 3:
            continue
        softmax, known = logits.softmax(1).numpy(), labels.numpy()
        theirs = {
            "ece": measures.ECE(BINS).measure(softmax, known),
            "mce": measures.MCE(BINS).measure(softmax, known),
        }
        ours = quick(logits, labels)
        assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-11, abs=1e-12), number


def test_the_quick_way_is_the_way_of_the_report() -> None:
    """What the thousand cases hold is what a user gets; the accuracy is torchmetrics', as well."""
    for logits, labels, classes in cases(WHOLE):
        reported, ours = metrics_of(logits, labels), quick(logits, labels)
        assert {name: reported[name].value for name in ours} == pytest.approx(ours, rel=1e-12)
        micro = multiclass_accuracy(logits, labels, num_classes=classes, average="micro")
        assert reported["accuracy"].value == pytest.approx(float(micro), abs=1e-6)


def test_the_page_has_what_they_print() -> None:
    """Whoever compares two tools reads these numbers: they are those of the sample, each to its digits."""
    page = (Path(xentcli.__file__).parent / "docs" / "metrics.md").read_text()
    told = dict(re.findall(r"^\| ([^|]+?) \| (.+) \|$", page.split("## What each tool prints")[1], re.MULTILINE))
    logits, labels = (torch.from_numpy(np.load(name)) for name in DIGITS)
    for name, values in printed(logits, labels).items():
        for value in values:
            assert f"{value:.6g}" in told[name], (name, value)


def printed(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, list[float]]:
    """The row of the page -> what stands in it, by the tools that are installed."""
    ours, softmax, known = metrics_of(logits, labels), logits.double().softmax(1), labels.numpy()
    accuracy = partial(multiclass_accuracy, logits, labels, num_classes=10)
    error = partial(multiclass_calibration_error, softmax, labels, num_classes=10)
    best, numbers = partial(top_k_accuracy_score, known), softmax.numpy()
    curve = {bins: np.subtract(*calibration_curve(*_hits(softmax, labels), n_bins=bins)) for bins in (5, BINS)}
    theirs = {
        "loss": [log_loss(known, numbers)],
        "perplexity": [perplexity(logits[None], labels[None])],
        "accuracy": [accuracy(), accuracy(average="micro"), best(numbers), best(numbers, k=1)],
        "top 5": [accuracy(average="micro", top_k=5), best(numbers, k=5)],
        "Brier score": [brier_score_loss(known, numbers), brier_score_loss(known, numbers, scale_by_half=True)],
        "ECE": [error(n_bins=BINS)],
        "ECE, classwise": [classwise(softmax, labels)],
        "MCE": [error(n_bins=BINS, norm="max"), np.abs(curve[BINS]).max()],
        "mean gap of bins": [np.abs(curve[5]).mean(), np.abs(curve[BINS]).mean()],
        "temperature": [_TemperatureScaling().fit(logits.double().numpy(), known).beta_],
    }
    names = {"loss": "nll", "top 5": "top5", "Brier score": "brier", "ECE, equal mass": "ece_equal_mass"}
    names |= {"ECE, classwise": "ece_classwise", "perplexity": "perplexity", "accuracy": "accuracy"}
    names |= {"ECE": "ece", "MCE": "mce"}
    rows = theirs | {"ECE, equal mass": []}
    own = {name: [ours[names[name]].value] for name in rows if name in names}
    return {name: [float(each) for each in (*own.get(name, ()), *rows[name])] for name in rows}


def _hits(softmax: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    confidence, chosen = softmax.max(1)
    return (chosen == labels).numpy(), confidence.numpy()


# torchmetrics


def test_torchmetrics_has_a_sixteenth_bin() -> None:
    """A confidence of 1, which float32 reaches from a margin of 17 on, is in no bin with 0.95: gaps do not cancel."""
    logits, labels = torch.tensor([[40.0, 0.0], [3.0, 0.0]], dtype=torch.float64), torch.tensor([1, 0])
    softmax = logits.float().softmax(1)
    assert softmax[0, 0] == 1.0
    theirs = float(multiclass_calibration_error(softmax, labels, num_classes=2, n_bins=BINS))
    assert theirs == pytest.approx(sixteen(softmax.max(1).values.numpy(), np.array([False, True])), abs=1e-6)
    ours = metrics_of(logits, labels)["ece"]
    assert ours.upper < theirs - 0.02
    assert ours.value == pytest.approx((1.0 + float(softmax[1, 0]) - 1.0) / 2, abs=1e-6)


def sixteen(confidences: np.ndarray, hits: np.ndarray) -> float:
    """ECE by the faulty rule: the place of a confidence among the edges, of which 1 is the last."""
    places = np.searchsorted(np.linspace(0.0, 1.0, BINS + 1), confidences, side="right") - 1
    return float(np.abs(np.bincount(places, hits - confidences, BINS + 1)).sum() / len(hits))


def test_torchmetrics_takes_logits_from_0_to_1_for_probabilities() -> None:
    """A young model's logits are small: one batch is read in one way, and the next one in another."""
    logits, labels = torch.tensor([[0.2, 0.9, 0.1], [0.7, 0.3, 0.5], [0.4, 0.6, 0.0]]), torch.tensor([1, 0, 2])
    theirs = [multiclass_calibration_error(each, labels, num_classes=3) for each in (logits, logits.softmax(1))]
    assert abs(float(theirs[0] - theirs[1])) > 0.1
    assert metrics_of(logits, labels)["ece"].value == pytest.approx(float(theirs[1]), abs=1e-6)


def test_torchmetrics_perplexity_is_infinite_where_softmax_underflows() -> None:
    """A loss of 120 nats is a number, as is exp of half of it."""
    logits, labels = torch.tensor([[0.0, 120.0], [0.0, 0.0]]), torch.tensor([0, 1])
    assert perplexity(logits[None], labels[None]) == math.inf
    ours = metrics_of(logits, labels)["perplexity"]
    assert ours.lower <= math.exp((120.0 + math.log(2.0)) / 2) * (1 + 1e-14)
    assert ours.upper >= math.exp((120.0 + math.log(2.0)) / 2) * (1 - 1e-14)
    assert ours.upper < math.inf


def test_torchmetrics_perplexity_does_not_know_minus_100() -> None:
    """torch's own mark of what does not count is an index from the end: an error at best, and a class at worst."""
    logits, labels = torch.randn(4, 128, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 2, -100, 3])
    theirs = perplexity(logits[None], labels[None])
    assert theirs == pytest.approx(float(perplexity(logits[None], labels.where(labels >= 0, 28)[None])))
    ours = metrics_of(logits, labels)["perplexity"].value
    assert ours == pytest.approx(float(perplexity(logits[None], labels[None], ignore_index=-100)), rel=1e-5)
    assert abs(ours - float(theirs)) > 1.0


def test_torchmetrics_macro_recall_counts_the_ignored_class() -> None:
    """An ignored class that the model still says is one of the classes that the mean divides by."""
    logits = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    labels = torch.tensor([0, 0, 1, 1])
    assert multiclass_recall(logits, labels, num_classes=2, average="macro", ignore_index=0) == 0.25
    groups = xentcli.compute(logits, labels, ignore_index=0, by="class").groups
    assert groups is not None
    assert [(part.name, part.accuracy.value) for part in groups["class"] if part.rows] == [("1", 0.5)]


def test_torchmetrics_accuracy_is_of_classes_unless_asked() -> None:
    """Its default is the mean recall of the classes, with the name of the share of rows that are right."""
    logits, labels = torch.eye(2)[[0, 0, 0, 0]], torch.tensor([0, 0, 0, 1])
    assert multiclass_accuracy(logits, labels, num_classes=2) == 0.5
    assert metrics_of(logits, labels)["accuracy"].value == 0.75


def test_a_tie_is_right_or_wrong_by_the_order_of_the_classes() -> None:
    """Equal logits: torchmetrics takes the first class, scikit-learn the last one, and neither says so."""
    logits = torch.zeros(2, 4)
    for label, first, last in ((0, 1.0, 0.0), (3, 0.0, 1.0)):
        labels = torch.full((2,), label)
        assert multiclass_accuracy(logits, labels, num_classes=4, average="micro") == first
        assert top_k_accuracy_score(labels, logits.numpy(), k=1, labels=range(4)) == last
        accuracy = xentcli.compute(logits, labels).metrics["accuracy"]
        assert (accuracy.lower, accuracy.upper) == (0.0, 1.0)


# scikit-learn


def test_scikit_learn_halves_the_brier_score_of_two_classes() -> None:
    """The convention is named, as half of a number looks like a better model."""
    logits, labels = torch.tensor([[0.3, 1.2], [2.0, -1.0], [0.0, 0.5]], dtype=torch.float64), torch.tensor([1, 1, 0])
    halved = brier_score_loss(labels, logits.softmax(1)[:, 1])
    assert metrics_of(logits, labels)["brier"].value == pytest.approx(2 * halved)


def test_scikit_learn_clips_an_infinite_loss() -> None:
    """−log 0 becomes 36.0 in float64 and 15.9 in float32, so that a mask on the label looks like a mere bad row."""
    logits, labels = torch.tensor([[0.0, -math.inf], [0.0, 0.0]], dtype=torch.float64), torch.tensor([1, 0])
    for dtype in (np.float32, np.float64):
        clipped = -math.log(np.finfo(dtype).eps)
        theirs = log_loss(labels, logits.softmax(1).numpy().astype(dtype))
        assert theirs == pytest.approx((clipped + math.log(2.0)) / 2, rel=1e-6)
    assert metrics_of(logits, labels)["perplexity"].lower == math.inf


def test_scikit_learn_needs_to_be_told_the_classes() -> None:
    """Classes that no label names are left out of its losses, or are an error: here they are columns of the logits."""
    logits, labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="number of classes"):
        log_loss(labels, logits.softmax(1).numpy())
    known = log_loss(labels, logits.softmax(1).numpy(), labels=range(3))
    assert metrics_of(logits, labels)["nll"].value == pytest.approx(known)


def test_scikit_learns_curve_has_edges_in_the_lower_bin() -> None:
    """With (lo, hi] a confidence on an edge cancels what it does not cancel with [lo, hi): the interval has both."""
    logits = torch.log(torch.tensor([[0.6, 0.4], [0.61, 0.39]], dtype=torch.float64))
    labels = torch.tensor([1, 0])
    lower_bin = (0.6 + 0.39) / 2  # in two bins, as 0.6 is an edge
    assert binned(logits.softmax(1), labels)["mce"] == pytest.approx(0.6, abs=1e-9)
    ours = metrics_of(logits, labels)["ece"]
    assert ours.lower <= abs(0.6 - 0.39) / 2 + 1e-12
    assert ours.upper >= lower_bin - 1e-12


# netcal


def unmoved(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The inverse temperature as netcal fits it: SciPy's differences of a loss that has the dtype of the numbers.

    A step of 1.5e-8 changes no loss of float32, so that every slope is 0, and the first guess is the best.
    """

    def loss(inverse: np.ndarray) -> float:
        return float(cross_entropy(logits * torch.tensor(inverse[0], dtype=logits.dtype), labels))

    return float(minimize(loss, [1.0], method="L-BFGS-B").x[0])


def test_netcals_temperature_of_float32_does_nothing() -> None:
    """Probabilities as torch gives them are left as they are, and the ECE after it is that before it."""
    logits, labels = (torch.from_numpy(np.load(name)) for name in DIGITS)
    ours = metrics_of(logits, labels)["temperature"]
    assert unmoved(logits, labels) == 1.0
    assert 1.0 / unmoved(logits.double(), labels) == pytest.approx(ours.value, rel=1e-4)
    assert ours.value == pytest.approx(0.709997, abs=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pyro
def test_netcal_itself_does_so() -> None:
    """The double above is what is installed, where it is."""
    scaling = pytest.importorskip("netcal.scaling", reason="netcal brings pyro, gpytorch and tensorboard")
    logits, labels = (np.load(name) for name in DIGITS)
    for dtype in (np.float32, np.float64):
        fitted = scaling.TemperatureScaling()
        softmax = torch.from_numpy(logits.astype(dtype)).softmax(1)
        fitted.fit(softmax.numpy(), labels)
        double = unmoved(softmax.log(), torch.from_numpy(labels))
        assert float(fitted.temperature[0]) == pytest.approx(double, rel=1e-5)  # it says temperature, and multiplies


def test_netcals_ece_of_two_classes_is_of_the_second_one() -> None:
    """Two columns are one probability there, of class 1: its calibration is not that of what the model says."""
    logits = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.5, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 0])
    softmax = logits.softmax(1)
    second = float(binary_calibration_error(softmax[:, 1].contiguous(), labels, n_bins=BINS))
    top = float(multiclass_calibration_error(softmax, labels, num_classes=2, n_bins=BINS))
    assert metrics_of(logits, labels)["ece"].value == pytest.approx(top, abs=1e-6)
    assert metrics_of(logits, labels)["ece_classwise"].value == pytest.approx(classwise(softmax, labels), abs=1e-6)
    measures = pytest.importorskip("netcal.metrics", reason="netcal brings pyro, gpytorch and tensorboard")
    assert measures.ECE(BINS).measure(softmax.numpy(), labels.numpy()) == pytest.approx(second, abs=1e-6)
