"""What pictures are drawn of: against NumPy, SciPy and scikit-learn, exact sums, and bounds on what is kept."""

from __future__ import annotations

import json
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix

import xentcli
from xentcli.cli.request import Request
from xentcli.judging.picturing import confusions_of
from xentcli.losses.reference import enclose
from xentcli.measuring.each_row import EachRow
from xentcli.measuring.lossbins import LossBins
from xentcli.measuring.predictions import COLUMNS
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.records.codec import decode, encode
from xentcli.render.registry import FORMATS
from xentcli.running.engine import run
from xentcli.sources.memory import from_memory

G = np.random.default_rng(20)
LOGITS, LABELS = G.normal(0, 3, (400, 9)), G.integers(0, 9, 400)
EDGES = [0.0, *np.logspace(-8, 4, 49), np.inf]


def report_of(logits, labels, **options):
    return xentcli.compute(torch.as_tensor(logits), torch.as_tensor(labels), metrics=True, rows=0, **options)


def losses_of(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """log Σ exp(x_c) − x_y in 80 bits, without the loss of digits that a small loss suffers."""
    rows, wide = np.arange(len(labels)), logits.astype(np.longdouble)
    gaps = wide - wide.max(1, keepdims=True)
    terms = np.exp(gaps)
    terms[rows, gaps.argmax(1)] = 0.0
    return (np.log1p(terms.sum(1)) - gaps[rows, labels]).astype(np.float64)


@pytest.mark.parametrize("scale", [0.1, 3.0, 40.0])
def test_the_histogram_is_that_of_numpy(scale: float) -> None:
    """A bar of the wrong height, or of another share of the total, sends the reader after the wrong rows."""
    losses = losses_of(LOGITS * scale, LABELS)
    found = report_of(LOGITS * scale, LABELS).pictures.histogram
    counts, _ = np.histogram(losses, EDGES)
    expected = {number: count for number, count in enumerate(counts) if count}
    places = {int(np.searchsorted(EDGES, each.lower * (1 + 1e-12), "right")) - 1: each for each in found.bins}
    assert {number: each.rows for number, each in places.items() if each.rows} == expected
    assert [each.upper for each in found.bins[:-1]] == [each.lower for each in found.bins[1:]]
    assert found.bins[0].rows
    assert found.bins[-1].rows
    for each in found.bins:
        own = losses[(losses >= each.lower) & (losses < each.upper)]
        assert each.total == pytest.approx(math.fsum(own), rel=1e-9, abs=1e-300)
        assert each.share == pytest.approx(math.fsum(own) / math.fsum(losses), rel=1e-9, abs=1e-300)
    assert (found.of, found.rows, found.infinite, found.nan, found.on_edges) == ("-log p", 400, 0, 0, 0)
    assert sum(each.share for each in found.bins) == pytest.approx(1.0)


def test_bins_of_losses_add_up_to_the_true_total() -> None:
    """Shares that do not add up to the loss of the first line are a second, other loss."""
    report = report_of(LOGITS[:50], LABELS[:50], reduction="sum")
    total, parts = report.pictures.histogram.total, [each.total for each in report.pictures.histogram.bins]
    assert report.losses.reference.lower <= total <= report.losses.reference.upper
    assert float(sum(map(Fraction, parts))) == pytest.approx(total, rel=1e-15)


def test_negative_losses_have_a_place() -> None:
    """Weights below 0 are allowed; rows that vanish from the picture are not."""
    weight = np.array([1.0, -2.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    losses = losses_of(LOGITS, LABELS) * weight[LABELS]
    found = report_of(LOGITS, LABELS, weight=weight).pictures.histogram
    below, zero, *_ = found.bins
    assert (below.lower, below.upper, below.rows) == (-math.inf, 0.0, np.count_nonzero(losses < 0))
    assert below.total == pytest.approx(losses[losses < 0].sum())
    assert (zero.lower, zero.rows) == (0.0, np.count_nonzero(losses == 0))
    assert found.of == "loss"
    assert found.total == pytest.approx(losses.sum())


def test_endless_losses_stand_beside_the_bins() -> None:
    """An infinite bar, or shares of infinity, would say nothing of the other rows."""
    found = report_of([[0.0, -math.inf], [0.0, 1.0], [3.0, 0.0]], [1, 0, 0]).pictures.histogram
    assert (found.rows, found.infinite, found.total) == (3, 1, math.inf)
    assert sum(each.rows for each in found.bins) == 2
    assert {each.share for each in found.bins} == {None}


def test_losses_on_an_edge_are_counted() -> None:
    """Rounding decides on which side a loss stands that is 1 but for 6e-17; the reader is told of how many."""
    on_edge = [0.0, math.log(math.e - 1.0)]
    found = report_of(np.array([on_edge, [0.0, 5.0], [900.0, 0.0]]), np.zeros(3, int)).pictures.histogram
    assert found.on_edges == 1
    assert found.bins[0].lower == 0.0  # the last row's loss is e^-900, and no proof puts it below 0


def hits_of(logits, labels) -> tuple[np.ndarray, np.ndarray]:
    p = scipy.special.softmax(logits, axis=1)
    return p.argmax(1) == labels, p.max(1)


def assert_reliable(bins, hit: np.ndarray, confidence: np.ndarray) -> None:
    full = [each for each in bins if each.rows]
    shares, means = calibration_curve(hit, confidence, n_bins=15)
    assert [each.accuracy.value for each in full] == pytest.approx(shares)
    assert [each.confidence for each in full] == pytest.approx(means)
    for each in full:
        own = hit[(confidence >= each.lower) & (confidence < each.upper + (each.upper == 1.0))]
        expected = scipy.stats.binomtest(int(own.sum()), len(own)).proportion_ci(method="wilson")
        assert each.rows == len(own)
        assert each.accuracy.interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_reliability_is_that_of_scikit_learn() -> None:
    """Before and after the best temperature; an accuracy of a bin comes with how sure so few rows make it."""
    labels = np.where(G.random(400) < 0.6, LOGITS.argmax(1), LABELS)
    report = report_of(LOGITS, labels)
    assert_reliable(report.pictures.reliability, *hits_of(LOGITS, labels))
    tempered = LOGITS / report.metrics["temperature"].value
    assert_reliable(report.pictures.reliability_tempered, *hits_of(tempered, labels))
    assert [each.lower for each in report.pictures.reliability] == pytest.approx(np.arange(15) / 15)
    gaps = (each.rows * abs(each.accuracy.value - each.confidence) for each in report.pictures.reliability if each.rows)
    assert sum(gaps) / 400 == pytest.approx(report.metrics["ece"].value)


def test_ties_leave_the_accuracy_of_a_bin_open() -> None:
    """Two tools that break ties in their own ways draw two points: both are within the ends."""
    (found,) = [each for each in report_of([[1.0, 1.0], [1.0, 1.0]], [0, 1]).pictures.reliability if each.rows]
    assert (found.accuracy.lower, found.accuracy.upper) == (0.0, 1.0)


def test_there_is_no_reliability_without_a_softmax_or_a_temperature() -> None:
    """A picture of what does not exist would be a guess."""
    no_softmax = report_of([[0.0, math.nan], [1.0, 2.0]], [0, 1]).pictures
    assert (no_softmax.reliability, no_softmax.histogram.nan) == (None, 1)
    assert report_of([[2.0, 0.0], [0.0, 1.0]], [0, 1]).pictures.reliability_tempered is None


def test_confusions_are_those_of_scikit_learn() -> None:
    """Which classes the model takes for which, the most frequent first, and what that costs."""
    labels = np.where(G.random(400) < 0.5, LOGITS.argmax(1), LABELS)
    found, losses, predicted = (
        report_of(LOGITS, labels).pictures.confusions,
        losses_of(LOGITS, labels),
        LOGITS.argmax(1),
    )
    matrix = confusion_matrix(labels, predicted, labels=range(9))
    np.fill_diagonal(matrix, 0)
    assert len(found) == 20
    assert [each.rows for each in found] == sorted(matrix.reshape(-1), reverse=True)[:20]
    for each in found:
        own = losses[(labels == each.label) & (predicted == each.predicted)]
        assert (each.rows, each.rows) == (matrix[each.label, each.predicted], len(own))
        assert each.total == pytest.approx(math.fsum(own))
        assert each.share == pytest.approx(math.fsum(own) / math.fsum(losses))
    keys = [(-each.rows, -each.total) for each in found]
    assert keys == sorted(keys)


def test_sorted_pairs_are_those_that_were_counted(monkeypatch) -> None:
    """Many classes go another way: what is most often confused must not depend on it."""
    labels = np.where(G.random(400) < 0.5, LOGITS.argmax(1), LABELS)
    counted = report_of(LOGITS, labels).pictures.confusions
    monkeypatch.setattr("xentcli.judging.picturing.FEW", 0)
    assert report_of(LOGITS, labels).pictures.confusions == counted


def test_a_million_classes_take_no_matrix() -> None:
    """10^12 pairs of classes fit nowhere; those of the wrong rows do."""
    rows, classes = 20_000, 10**6
    kept = np.zeros((rows, len(COLUMNS)))
    kept[:, COLUMNS.index("loss")] = 1.5
    kept[:, COLUMNS.index("label")] = G.integers(0, classes, rows)
    kept[:, COLUMNS.index("top")] = G.integers(0, classes, rows)
    kept[:7, COLUMNS.index("label")], kept[:7, COLUMNS.index("top")] = classes - 1, classes - 2
    tracemalloc.start()
    first, *others = confusions_of(EachRow.of((kept,), classes), classes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (first.label, first.predicted, first.rows, first.total) == (classes - 1, classes - 2, 7, 10.5)
    assert len(others) == 19
    assert peak < 300 * rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_worst_rows_are_told_step_by_step(dtype: type) -> None:
    """Whoever unfolds a row reads how the label got its probability, of at most ten classes and always the label's."""
    logits, labels = G.normal(0, 3, (40, 30)).astype(dtype), G.integers(0, 30, 40)
    labels[5] = logits[5].argmin()
    worst = report_of(logits, labels, worst=6).worst
    assert worst[0].row == 5 or labels[worst[0].row] != logits[worst[0].row].argmax()
    for each in worst:
        x = logits[each.row].astype(np.float64)
        p, found = scipy.special.softmax(x), [one.index for one in each.classes]
        order = np.argsort(-x, kind="stable")[:10].tolist()
        assert found == (order if each.label in order else [*order[:9], each.label])
        assert each.sum == pytest.approx(np.exp(x - x.max()).sum(), rel=1e-14)
        for one in each.classes:
            assert (one.logit, one.shifted) == (x[one.index], x[one.index] - x.max())
            assert one.exponential == pytest.approx(np.exp(one.shifted), rel=1e-14)
            assert one.probability == pytest.approx(p[one.index], rel=1e-12)


def test_equal_logits_are_told_in_their_order() -> None:
    """Of a thousand equal classes ten are told, the same ones on every machine."""
    (worst,) = report_of(np.zeros((1, 1000)), np.array([700]), worst=1).worst
    assert [each.index for each in worst.classes] == [*range(9), 700]


def test_blocks_and_threads_change_no_picture(monkeypatch) -> None:
    """The same bytes on every machine, with every amount of memory."""
    monkeypatch.setattr(xentcli.question.problem, "WHOLE_BYTES", 0)
    logits, labels = G.normal(0, 2, (70, 11)).astype(np.float32), G.integers(0, 11, 70)
    labels[::2] = logits[::2].argmax(1)
    labels[::7] = -100
    options = {"weight": np.linspace(-1, 2, 11).astype(np.float32), "label_smoothing": 0.1, "worst": 8, "by": "class"}
    runs = [(1 << 20, 1), (500, 2), (45, 1)]
    first, *others = (
        report_of(logits, labels, block_bytes=size, threads=threads, **options).to_dict() for size, threads in runs
    )
    assert first["pictures"]["reliability_tempered"]
    assert others == [first, first]


@pytest.mark.parametrize("at", [0, 1, 77, 400])
def test_bins_of_losses_add_up_in_any_split(at: int) -> None:
    """What two runs kept of their rows is, read back from JSON and added up, that of one run."""
    rows = enclose(LOGITS * 20, LABELS.astype(np.int64), None, None)
    parts = (LossBins.of(rows.rows(part)) for part in (slice(at), slice(at, None)))
    first, second = (decode(LossBins, json.loads(json.dumps(encode(part))), "bins") for part in parts)
    assert second + first == first + second == LossBins.of(rows)


def test_pictures_are_there_where_they_are_asked_for() -> None:
    """A report of a line must not grow by bins that nobody draws."""
    assert "pictures" not in xentcli.compute(LOGITS, LABELS).to_dict()
    assert report_of(LOGITS, np.full(400, -100)).pictures is None


def drawn(logits, labels, **options):
    """What `--format html` asks of the run."""
    own = Options(**options)
    problem = Problem(from_memory(np.asarray(logits), "<logits>"), from_memory(np.asarray(labels), "<labels>"), own)
    return run(problem, Policy(rows=0, draws=True))


def test_a_page_asks_for_all_that_it_draws() -> None:
    """Who asks for a page has not to know which options its pictures take."""
    logits, labels = G.normal(0, 2, (3, 5, 4)), G.integers(0, 5, (3, 4))
    report = drawn(logits, labels)
    assert list(report.groups) == ["class", "position"]
    assert report.pictures.histogram.rows == 12
    assert report.worst[0].classes
    assert report.metrics["ece"]
    assert list(drawn(LOGITS, LABELS).groups) == ["class"]
    assert drawn(np.zeros((2, 1001)), [0, 1]).groups is None  # a table of so many is no picture


@pytest.mark.parametrize(
    ("labels", "options"),
    [([[0.5, 0.5], [1.0, 0.0]], {}), ([0, 1], {"input": "probabilities"}), ([0, 1], {"temperature": 2.0})],
)
def test_a_page_of_what_has_no_metrics_does_without(labels, options) -> None:
    """Asking for a page of target probabilities is no error: the page says less."""
    report = drawn([[0.5, 0.5], [0.25, 0.75]], labels, **options)
    assert (report.verdict, report.pictures) == ("holds", None)


def test_the_command_line_asks_for_pictures(monkeypatch) -> None:
    """`--report html=FILE` beside a table, too; who says how many rows gets as many."""
    monkeypatch.setitem(FORMATS, "html", FORMATS["json"])
    given = {"rtol": None, "atol": None, "reference": "fast", "digits": None, "rows": 20, "expect": None}
    given |= {"reduction": "mean", "form": "table", "output": None, "quiet": 0, "exit_zero": False, "strict": False}
    given |= {"json": False, "threads": None, "block_bytes": None, "weight": None, "reports": (("html", "out"),)}
    policy = Request.of(dict(given)).policy
    assert (policy.draws, policy.worst) == (True, 10)
    assert Request.of(given | {"worst": 3}).policy.worst == 3
    assert not Request.of(given | {"reports": ()}).policy.draws
