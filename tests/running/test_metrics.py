"""Perplexity, accuracy and the standard error beside every loss: against others, and at the edges."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score
from torch.nn.functional import cross_entropy

import xentcli
from xentcli.errors import UsageError


def metrics_of(logits, labels, **options):
    return xentcli.compute(torch.as_tensor(logits), torch.as_tensor(labels), **options).metrics


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_accuracy_counts_ties_both_ways(rows: int, classes: int, seed: int) -> None:
    """Two tools that break ties in their own ways print two accuracies; both must be within the ends, and both tell."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.integers(0, 4, (rows, classes)).astype(np.float32), rng.integers(0, classes, rows)
    own = logits[np.arange(rows), labels]
    above, equal = (logits > own[:, None]).sum(1), (logits == own[:, None]).sum(1)
    found = metrics_of(logits, labels)["accuracy"]
    assert found.lower == int(((above == 0) & (equal == 1)).sum()) / rows
    assert found.upper == int((above == 0).sum()) / rows


@given(st.integers(2, 50), st.integers(2, 12), st.floats(0.01, 30.0), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_perplexity_and_its_error_are_those_of_other_libraries(rows, classes, scale, seed) -> None:
    """exp of the mean loss by mpmath, the standard error by scipy, the interval by its Student's t."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, scale, (rows, classes)), rng.integers(0, classes, rows)
    found = metrics_of(logits, labels)
    losses = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), reduction="none").numpy()
    with mpmath.workdps(40):
        sums = [mpmath.log(mpmath.fsum(map(mpmath.exp, map(mpmath.mpf, row)))) for row in logits.tolist()]
        own = [mpmath.mpf(float(logits[row, label])) for row, label in enumerate(labels)]
        true = mpmath.exp(mpmath.fsum(each - mine for each, mine in zip(sums, own, strict=True)) / rows)
        assert found["perplexity"].lower <= true <= found["perplexity"].upper
    assert found["perplexity"].upper - found["perplexity"].lower <= 1e-13 * found["perplexity"].value
    se = scipy.stats.sem(losses)
    assert found["nll"].se == pytest.approx(se, rel=1e-6, abs=1e-9)
    reach = scipy.stats.t.ppf(0.975, rows - 1) * se
    assert found["nll"].interval == pytest.approx((losses.mean() - reach, losses.mean() + reach), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("options", [{"weight": np.array([3.0, 0.5, 1.0])}, {"label_smoothing": 0.2}])
def test_weights_and_smoothing_leave_perplexity_alone(options) -> None:
    """It is a property of the model and the labels: the options of a training loss must not move it."""
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(0, 2, (40, 3)), rng.integers(0, 3, 40)
    plain, altered = metrics_of(logits, labels), metrics_of(logits, labels, **options)
    assert altered["accuracy"] == plain["accuracy"]
    assert altered["nll"].value == pytest.approx(plain["nll"].value, rel=1e-14)
    assert altered["nll"].lower <= plain["nll"].value <= altered["nll"].upper


def test_equal_losses_have_no_spread() -> None:
    """What rounding leaves of ln(3)² · n − (n ln 3)²/n is not a standard error."""
    assert metrics_of(np.zeros((7, 3)), np.zeros(7, np.int64))["nll"].se == 0.0


def test_a_masked_label_is_infinitely_perplexing() -> None:
    """An infinite perplexity is the answer, and has no standard error."""
    found = metrics_of([[0.0, -math.inf], [0.0, 1.0]], [1, 1])
    assert found["perplexity"].value == math.inf
    assert found["nll"].se is None


def test_the_worst_rows_are_infinitely_bad_where_one_is() -> None:
    """Their mean is known: infinite, as that of all rows."""
    found = metrics_of([[0.0, -math.inf], [0.0, 1.0]], [1, 1], metrics=True)
    assert (found["nll_cvar95"].lower, found["nll_cvar95"].upper) == (math.inf, math.inf)


@pytest.mark.parametrize("labels", [[[0.5, 0.5], [1.0, 0.0]], [-100, -100]])
def test_without_labels_there_is_no_accuracy(labels) -> None:
    """Of target probabilities, or of nothing, an accuracy would be a guess."""
    assert metrics_of([[0.0, 1.0], [0.0, 1.0]], labels) is None


def test_given_probabilities_have_ties_too() -> None:
    """Equal probabilities tie as equal logits do."""
    found = metrics_of([[0.5, 0.5], [0.9, 0.1]], [1, 0], input="probabilities")
    assert (found["accuracy"].lower, found["accuracy"].upper) == (0.5, 1.0)
    assert found["perplexity"].value == pytest.approx(math.sqrt(2 / 0.9))


def by_hand(logits: np.ndarray, labels: np.ndarray) -> dict[str, mpmath.mpf]:
    """The definitions, in 50 digits."""
    with mpmath.workdps(50):
        totals = dict.fromkeys(("brier", "entropy", "margin", "overconfidence"), mpmath.mpf(0))
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            terms = [mpmath.exp(mpmath.mpf(value)) if value > -math.inf else mpmath.mpf(0) for value in row]
            p = [term / mpmath.fsum(terms) for term in terms]
            entropy = -mpmath.fsum(each * mpmath.log(each) for each in p if each)
            totals["brier"] += mpmath.fsum((each - (index == label)) ** 2 for index, each in enumerate(p))
            totals["entropy"] += entropy
            totals["overconfidence"] += -mpmath.log(p[label]) - entropy
            totals["margin"] += p[label] - max(p[:label] + p[label + 1 :], default=mpmath.mpf(0))
        return {name: total / len(labels) for name, total in totals.items()}


FAMILIES = {
    "plain": lambda rng: rng.normal(0, 3, (20, 7)),
    "confident": lambda rng: rng.normal(0, 60, (20, 5)),
    "one class": lambda rng: rng.normal(0, 3, (6, 1)),
    "offsets": lambda rng: rng.normal(0, 2, (10, 4)) + 1e6,
    "equal": lambda rng: np.zeros((5, 6)),
    "wide": lambda rng: rng.normal(0, 1, (2, 1500)),
    "masked": lambda rng: np.where(np.arange(6) < 4, rng.normal(0, 2, (8, 6)), -np.inf),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_metrics_enclose_their_definitions(family: str, dtype: type) -> None:
    """A Brier score or an entropy whose digits are printed as certain must have them."""
    rng = np.random.default_rng(5)
    logits = FAMILIES[family](rng).astype(dtype)
    labels = rng.integers(0, min(logits.shape[1], 4), len(logits))
    found, true = metrics_of(logits, labels, metrics=True), by_hand(logits, labels)
    for name in ("brier", "entropy", "overconfidence"):
        assert found[name].lower <= true[name] <= found[name].upper, name
        assert found[name].upper - found[name].lower <= 1e-8
    assert found["margin"].value == pytest.approx(float(true["margin"]), abs=1e-12)


def test_metrics_are_those_of_numpy_and_scikit_learn() -> None:
    """The usual definitions, on a usual model."""
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(0, 2, (500, 9)), rng.integers(0, 9, 500)
    found = metrics_of(logits, labels, metrics=True)
    p = scipy.special.softmax(logits, axis=1)
    confidence, hit = p.max(1), p.argmax(1) == labels
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [(hit - confidence)[bins == each] for each in np.unique(bins)]
    losses = -np.log(p[np.arange(500), labels])
    worst = np.sort(losses)[::-1]
    expected = {
        "ece": sum(abs(each.sum()) for each in gaps) / 500,
        "mce": max(abs(each.mean()) for each in gaps),
        "top5": top_k_accuracy_score(labels, p, k=5),
        "bits": losses.mean() / np.log(2),
        "nll_median": np.median(losses),
        "nll_cvar99": worst[:5].mean(),
        "worst_share": worst[:5].sum() / losses.sum(),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, rel=1e-9)
    assert found["nll_median"].percentiles["99"].value == pytest.approx(np.percentile(losses, 99))
    assert found["brier"].se == pytest.approx(scipy.stats.sem(((p - np.eye(9)[labels]) ** 2).sum(1)), rel=1e-9)


def test_blocks_and_threads_change_no_metric(monkeypatch) -> None:
    """The same bytes on every machine, with every amount of memory."""
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(0, 2, (300, 11)).astype(np.float32), rng.integers(0, 11, 300)
    labels[::7] = -100
    runs = [(1 << 20, 1), (500, 2), (45, 2)]
    first, *others = (
        xentcli.compute(logits, labels, metrics=True, block_bytes=size, threads=threads).to_dict()
        for size, threads in runs
    )
    assert others == [first, first]


@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0, 3.3]}, {"label_smoothing": 0.1}])
def test_rows_that_are_plain_alone_are_bounded_as_among_others(options, monkeypatch) -> None:
    """A block whose labels all weigh 1 looks like one without weights: its bounds must not depend on that."""
    monkeypatch.setattr("xentcli.running.engine.SMALL_INPUT", 0)
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(0, 4, (200, 3)).astype(np.float32), rng.integers(0, 3, 200)
    labels[:20], logits[:20, 0], logits[:20, 1] = 0, -40.0, 35.0 + rng.random(20)  # the widest bounds of all
    whole, *others = (
        xentcli.compute(logits, labels, metrics=True, block_bytes=size, **options).to_dict() for size in (1 << 20, 120)
    )
    assert others == [whole]


def test_the_worst_rows_say_what_the_model_says() -> None:
    """A mislabelled row is found by its margin, not by what torch rounds worst."""
    logits = np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.2, 0.0]])
    worst = xentcli.compute(logits, np.array([0, 2, 0]), metrics=True, worst=2).worst
    assert [(each.row, each.label, each.top) for each in worst] == [(1, 2, 1), (2, 0, 1)]
    assert worst[0].margin == pytest.approx(-math.tanh(4.5), abs=2e-4)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"reference": "off"}, [0, 1]),
        ({"input": "log-probabilities"}, [0, 1]),
        ({}, [[0.5, 0.5], [1.0, 0.0]]),
    ],
)
def test_metrics_of_what_has_none_are_refused(options, labels) -> None:
    """Asked for, and not silently left out."""
    with pytest.raises(UsageError, match="metrics"):
        metrics_of([[-0.7, -0.7], [-0.1, -2.4]], labels, metrics=True, **options)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_row_without_a_softmax_leaves_no_calibration(bad: float) -> None:
    """A bin for what is no number would be a guess; the run must say so and not fall over."""
    found = metrics_of([[0.0, bad], [1.0, 2.0]], [0, 1], metrics=True)
    assert "ece" not in found
    assert math.isnan(found["brier"].value)


def slope(beta: mpmath.mpf, logits: np.ndarray, labels: np.ndarray) -> mpmath.mpf:
    """Of the loss with respect to β: Σ over the rows of E[x] − x_y under softmax(βx)."""
    total = mpmath.mpf(0)
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        finite = [mpmath.mpf(value) for value in row if value > -math.inf]
        terms = [mpmath.exp(beta * (value - max(finite))) for value in finite]
        total += mpmath.fsum(map(mpmath.fmul, terms, finite)) / mpmath.fsum(terms) - mpmath.mpf(row[label])
    return total


@pytest.mark.parametrize(
    ("scale", "offset", "masked"), [(0.05, 0, False), (3.0, 0, False), (80.0, 0, True), (2.0, 1e5, True)]
)
def test_the_temperature_is_proven_by_two_signs(scale: float, offset: float, masked: bool) -> None:
    """A temperature that was stopped too early, as an optimiser's default is, is a wrong one to ten digits."""
    rng = np.random.default_rng(8)
    logits, labels = rng.normal(0, 1.5, (40, 6)), rng.integers(0, 4, 40)
    logits[np.arange(40), labels] += 1.0
    logits = logits * scale + offset
    if masked:
        logits[:, 5] = -np.inf
    found = metrics_of(logits, labels, metrics=True)
    temperature, (low, high) = found["temperature"], (found["temperature"].lower, found["temperature"].upper)
    with mpmath.workdps(40):
        assert slope(1 / mpmath.mpf(high), logits, labels) < 0 < slope(1 / mpmath.mpf(low), logits, labels)
    assert high - low <= 1e-9 * temperature.value
    assert found["nll_tempered"].value <= found["nll"].value
    at_best = cross_entropy(torch.from_numpy(logits / temperature.value), torch.from_numpy(labels)).item()
    assert found["nll_tempered"].value == pytest.approx(at_best, rel=1e-9)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ([[2.0, 0.0], [0.0, 1.0]], [0, 1]),  # always right: the colder the better
        ([[2.0, 0.0], [0.0, 1.0]], [1, 0]),  # always wrong: the hotter the better
        ([[0.0, 0.0], [1.0, 1.0]], [0, 1]),  # no temperature changes anything
        ([[0.0, -math.inf], [0.0, 1.0]], [1, 0]),
    ],
)
def test_where_no_temperature_fits_there_is_none(logits, labels) -> None:
    """The end of a search is no answer: an optimiser that stops at its bound prints it as one."""
    assert "temperature" not in metrics_of(logits, labels, metrics=True)


def test_a_large_input_is_calibrated_when_asked(monkeypatch) -> None:
    """Ten more passes are not a surprise, and blocks and threads change nothing."""
    monkeypatch.setattr(xentcli.running.engine, "ESCALATED_INPUT", 100)
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(0, 2, (90, 5)), rng.integers(0, 5, 90)
    logits[np.arange(90), labels] += 2.0
    assert "temperature" not in metrics_of(logits, labels, metrics=True)
    one = metrics_of(logits, labels, calibrate=True)
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    assert metrics_of(logits, labels, calibrate=True, block_bytes=200, threads=1)["temperature"] == one["temperature"]


def test_loggers_take_the_values() -> None:
    """`wandb.log(report.metrics.flat("eval/"))` wants names and floats, and nothing else."""
    flat = metrics_of([[2.0, 0.0], [0.0, 1.0]], [0, 0], metrics=True).flat("eval/")
    assert flat["eval/accuracy"] == 0.5
    assert all(isinstance(value, float) for value in flat.values())


def test_bits_per_byte_is_a_ratio_of_sums(tmp_path) -> None:
    """The mean of rows' ratios is another number; the standard error is that of a ratio, by the bootstrap as well."""
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(0, 2, (400, 5)), rng.integers(0, 5, 400)
    sizes = rng.integers(0, 9, 400)
    labels[::9] = -100
    np.save(tmp_path / "bytes.npy", sizes)
    losses = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), reduction="none").numpy() / math.log(2)
    counted = labels >= 0
    found = metrics_of(logits, labels, bytes=tmp_path / "bytes.npy")["bits_per_byte"]
    assert found.value == pytest.approx(losses.sum() / sizes[counted].sum(), rel=1e-12)
    picks = rng.integers(0, counted.sum(), (2000, counted.sum()))
    ratios = losses[counted][picks].sum(1) / sizes[counted][picks].sum(1)
    assert found.se == pytest.approx(ratios.std(), rel=0.1)
    total = metrics_of(logits, labels, bytes=1234)["bits_per_byte"]
    assert total.lower <= losses.sum() / 1234 <= total.upper


@pytest.mark.parametrize("sizes", [[1, 2], [1.5, 2.0, 3.0], [-1, 2, 3], [0, 0, 0]])
def test_bytes_that_make_no_sense_are_refused(tmp_path, sizes) -> None:
    """A wrong denominator is the most common fault of this number."""
    np.save(tmp_path / "bytes.npy", np.array(sizes))
    with pytest.raises(xentcli.InputError, match="bytes"):
        metrics_of(np.zeros((3, 2)), np.zeros(3, np.int64), bytes=str(tmp_path / "bytes.npy"))
