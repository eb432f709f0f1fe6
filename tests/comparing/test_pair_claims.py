"""Claims about two sets of logits: held to their digits, and each mistake, made as people make it, named first."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from process import is_one_error, xent_here
from scipy import special
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

import xentcli
from xentcli.comparing.causes.codes import PAIR_CODES
from xentcli.comparing.shown import show
from xentcli.docs.glossary import find
from xentcli.records.comparison import WITH_LABELS, WITHOUT_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

G = np.random.default_rng(31)
ROWS, CLASSES, EACH = 240, 40, 8  # rows, classes, positions of a sequence
X = (G.standard_normal((ROWS, CLASSES)) * 3.0).astype(np.float32)
Y = (X + G.standard_normal(X.shape) * 0.4).astype(np.float32)
LABELS = G.integers(CLASSES, size=ROWS)
X_WIDE = np.concatenate([X * 2.0, np.zeros((ROWS, 6), np.float32)], axis=1)
Y_WIDE = np.concatenate([Y * 2.0, np.zeros((ROWS, 6), np.float32)], axis=1)
T = torch.from_numpy
SEQUENCES = (ROWS // EACH, EACH, CLASSES)


def logs(side: np.ndarray) -> np.ndarray:
    return special.log_softmax(side.astype(np.float64), axis=1)


P, Q = logs(X), logs(Y)
A, B = np.exp(P), np.exp(Q)
ROW = np.arange(ROWS)
STEP = P[ROW, LABELS] - Q[ROW, LABELS]


def kl(x: np.ndarray, y: np.ndarray) -> float:
    return float(special.rel_entr(np.exp(logs(x)), np.exp(logs(y))).sum(axis=1).mean())


def torch_kl(reduction: str, shape: tuple[int, ...] = X.shape, heat: float = 1.0) -> float:
    one, two = (T(side.astype(np.float64)).reshape(shape) / heat for side in (X, Y))
    return float(kl_div(log_softmax(two, -1), softmax(one, -1), reduction=reduction))


def topk(count: int, ways: str) -> float:
    """Renormalised on the sides that are named."""
    order = np.argsort(-A, axis=1)[:, :count]
    p, q = np.take_along_axis(A, order, 1), np.take_along_axis(B, order, 1)
    p = p / p.sum(axis=1, keepdims=True) if "p" in ways else p
    q = q / q.sum(axis=1, keepdims=True) if "q" in ways else q
    return float((p * np.log(p / q)).sum(axis=1).mean())


def llama(x: np.ndarray, y: np.ndarray) -> float:
    """llama-perplexity's sum over classes whose stored log p is above −16, from its own file format."""
    rows = []
    for p, q in zip(logs(x), logs(y), strict=True):
        low = np.float32(max(p.min(), p.max() - 16.0))
        scale = np.float32((p.max() - low) / 65535.0)
        stored = float(low) + float(scale) * np.rint(np.maximum(p - low, 0.0) / scale)
        rows.append((np.exp(stored) * (stored - q)).sum(where=stored > -16.0))
    return float(np.mean(rows))


def by_group(losses: np.ndarray) -> float:
    return float(np.exp(losses.reshape(-1, EACH).mean(axis=1)).mean())


MISTAKES: dict[str, tuple[str, str, Callable[[], float]]] = {
    "reverse": ("kl", "sides-swapped", lambda: float(kl_div(T(P), T(B), reduction="batchmean"))),
    "reverse of reverse": ("kl_reverse", "sides-swapped", lambda: kl(X, Y)),
    "the sign of a difference": ("loss_difference", "sides-swapped", lambda: float(-STEP.mean())),
    "the inverse ratio": ("ppl_ratio", "sides-swapped", lambda: float(np.exp(-STEP.mean()))),
    "the other's loss": ("loss_base", "sides-swapped", lambda: float(-Q[ROW, LABELS].mean())),
    "F.kl_div's mean": ("kl", "mean-over-classes", lambda: torch_kl("mean")),
    "F.kl_div's sum": ("kl", "summed-over-rows", lambda: torch_kl("sum")),
    "F.kl_div's batchmean of sequences": ("kl", "divided-by-first-axis", lambda: torch_kl("batchmean", SEQUENCES)),
    "teacher against itself": ("kl", "compared-with-itself", lambda: 0.0),
    "the ratio of one to itself": ("ppl_ratio", "compared-with-itself", lambda: 1.0),
    "abs": ("kl", "absolute-differences", lambda: float((A * np.abs(P - Q)).sum(axis=1).mean())),
    "abs, summed": ("kl", "compound", lambda: float((A * np.abs(P - Q)).sum())),
    "abs in bits": ("kl", "compound", lambda: float((A * np.abs(np.log2(A) - np.log2(B))).sum(axis=1).mean())),
    "second order": ("kl", "absolute-differences", lambda: float(0.5 * (A * (P - Q) ** 2).sum(axis=1).mean())),
    "JS": ("kl", "jensen-shannon-for-kl", lambda: float((jensenshannon(A, B, axis=1) ** 2).mean())),
    "JS distance": ("js", "square-root", lambda: float(jensenshannon(A, B, axis=1).mean())),
    "bits": ("kl", "in-bits", lambda: float((A * np.log2(A / B)).sum(axis=1).mean())),
    "log10": ("kl", "in-base-ten", lambda: float((A * np.log10(A / B)).sum(axis=1).mean())),
    "half": ("kl", "halved", lambda: kl(X, Y) / 2),
    "L1 for TV": ("tv", "doubled", lambda: float(np.abs(A - B).sum(axis=1).mean())),
    "cross-entropy": ("kl", "cross-entropy-for-kl", lambda: float(-(A * Q).sum(axis=1).mean())),
    "Jeffreys": ("kl", "both-directions", lambda: kl(X, Y) + kl(Y, X)),
    "mean of both": ("kl", "both-directions", lambda: (kl(X, Y) + kl(Y, X)) / 2),
    "k1": ("kl", "sampled-k1", lambda: float(STEP.mean())),
    "k2": ("kl", "sampled-k2", lambda: float((STEP**2 / 2).mean())),
    "k3": ("kl", "sampled-k3", lambda: float((np.exp(-STEP) - 1 + STEP).mean())),
    "ppl per sequence": ("ppl_base", "perplexity-by-group", lambda: by_group(-P[ROW, LABELS])),
    "ppl ratio per sequence": ("ppl_ratio", "perplexity-by-group", lambda: by_group(STEP)),
    "ratio of ppl per sequence": ("ppl_ratio", "perplexity-by-group",
                                  lambda: by_group(-Q[ROW, LABELS]) / by_group(-P[ROW, LABELS])),
    "no logarithm": ("kl", "logarithm-forgotten", lambda: float(kl_div(T(B), T(A), reduction="batchmean"))),
    "raw logits": ("kl", "logarithm-forgotten",
                   lambda: float(kl_div(T(Y).double(), T(A), reduction="batchmean"))),
    "softmax twice": ("kl", "softmax-twice", lambda: kl(A, B)),
    "ε in both": ("kl", "epsilon-in-logarithm",
                  lambda: float((A * np.log((A + 1e-6) / (B + 1e-6))).sum(axis=1).mean())),
    "ε below": ("kl", "epsilon-in-logarithm", lambda: float((A * np.log(A / (B + 1e-6))).sum(axis=1).mean())),
    "ε in p and q": ("kl", "epsilon-in-logarithm",
                     lambda: float(((A + 1e-6) * np.log((A + 1e-6) / (B + 1e-6))).sum(axis=1).mean())),
    "clamped": ("kl", "epsilon-in-logarithm",
                lambda: float(special.rel_entr(A.clip(1e-5), B.clip(1e-5)).sum(axis=1).mean())),
    "top 10 of both": ("kl", "top-k-classes", lambda: topk(10, "pq")),
    "top 10 of the base": ("kl", "top-k-classes", lambda: topk(10, "p")),
    "top 10 of the other": ("kl", "top-k-classes", lambda: topk(10, "q")),
    "top 10 as they are": ("kl", "top-k-classes", lambda: topk(10, "")),
    "missing T²": ("kl", "distillation-temperature", lambda: torch_kl("batchmean", heat=2.0)),
    "T²": ("kl", "distillation-temperature", lambda: 16.0 * torch_kl("batchmean", heat=4.0)),
    "float16 base": ("kl", "sixteen-bit-base", lambda: kl(X.astype(np.float16), Y)),
    "bfloat16 base": ("kl", "sixteen-bit-base", lambda: kl(T(X).bfloat16().float().numpy(), Y)),
    "llama.cpp's base": ("kl", "sixteen-bit-base", lambda: llama(X, Y)),
    "rows later": ("kl", "rows-shifted", lambda: kl(X[:-1], Y[1:])),
    "rows earlier": ("kl", "rows-shifted", lambda: kl(X[1:], Y[:-1])),
    "rows rolled": ("kl", "rows-shifted", lambda: kl(X, np.roll(Y, -1, axis=0))),
    "rows of a sequence": ("kl", "rows-shifted",
                           lambda: kl(X.reshape(SEQUENCES)[:, 1:].reshape(-1, CLASSES),
                                      Y.reshape(SEQUENCES)[:, :-1].reshape(-1, CLASSES))),
    "percent": ("same_top", "in-percent", lambda: 100.0 * float((X.argmax(1) == Y.argmax(1)).mean())),
    "share that differs": ("same_top", "complement", lambda: float((X.argmax(1) != Y.argmax(1)).mean())),
    "ratio less 1": ("ppl_ratio", "ratio-for-difference", lambda: float(np.expm1(STEP.mean()))),
    "median": ("kl", "other-percentile",
               lambda: float(np.median(special.rel_entr(A, B).sum(axis=1)))),
    "accuracy's softmax": ("loss_base", "softmax-twice",
                           lambda: float(cross_entropy(T(A), T(LABELS)))),
}  # fmt: skip


def printed(value: float, digits: int) -> str:
    return f"{value:#.{digits}g}"


def claimed(name: str, text: str, x: Any = None, y: Any = None, labels: Any = LABELS) -> Any:
    sequences = (ROWS // EACH, EACH, -1)
    one, two = (X, Y) if x is None else (x, y)
    found = xentcli.compare(
        one.reshape(sequences), two.reshape(sequences), labels.reshape(sequences[:2]), class_axis=-1,
        expect={name: text}, rows=0,
    )  # fmt: skip
    return found.comparisons[0].expectations[0]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_first(case: str) -> None:
    """Whoever's script prints another number wants to know which line of it is wrong."""
    name, code, make = MISTAKES[case]
    told = claimed(name, printed(make(), 7))
    assert told.holds is False
    assert [cause.code for cause in told.causes][:1] == [code], told.causes
    assert told.causes[0].remedy


def test_classes_of_padding_that_were_kept() -> None:
    """Six columns of zeros, which nobody's vocabulary has."""
    told = claimed("kl", printed(kl(X_WIDE[:, :CLASSES], Y_WIDE[:, :CLASSES]), 7), X_WIDE, Y_WIDE)
    assert told.causes[0].code == "padded-classes"
    assert "first 40 classes" in told.causes[0].statement


def test_a_tail_that_was_cut() -> None:
    """A vocabulary has thousands of classes below e^-16, and the sum without them is another number."""
    tails = (G.standard_normal((ROWS, 400)).astype(np.float32) + far for far in (-11.0, -8.0))
    x, y = (np.concatenate(pair, axis=1) for pair in zip((X, Y), tails, strict=True))
    p, q = logs(x), logs(y)
    cut = float((np.exp(p) * (p - q)).sum(axis=1, where=p > -16.0).mean())
    told = claimed("kl", printed(cut, 8), x, y)
    assert (told.holds, told.causes[0].code) == (False, "cut-tail")
    assert claimed("kl", printed(llama(x, y), 7), x, y).causes[0].code == "sixteen-bit-base"


def test_the_mistakes_are_all_made_here() -> None:
    """A code that no test makes by other means may name anything."""
    apart = {"padded-classes", "cut-tail", "means-of-groups", "ignored-rows-counted"}
    made = {code for _, code, _ in MISTAKES.values()} | apart
    assert made - {"compound"} == PAIR_CODES.keys() - {"other-statistic", "negated"}


def test_ignored_rows_and_unequal_groups() -> None:
    """Sequences of other lengths: a mean of means is another number, and so is one over the padding."""
    labels = LABELS.copy()
    labels[(ROW % EACH) > (ROW // EACH) % EACH] = -100
    rows = special.rel_entr(A, B).sum(axis=1)
    kept = labels != -100
    means = np.mean([rows[kept & (group == ROW // EACH)].mean() for group in range(ROWS // EACH)])
    for code, value in (("means-of-groups", means), ("ignored-rows-counted", rows[kept].sum() / ROWS)):
        told = claimed("kl", printed(float(value), 7), labels=labels)
        assert told.causes[0].code == code


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 6, 8, 12])
def test_a_right_claim_holds_and_has_no_cause(digits: int) -> None:
    """A right number that is doubted costs more than a wrong one that is believed."""
    for name, value in (("kl", kl(X, Y)), ("ppl-ratio", float(np.exp(STEP.mean()))), ("kl-max", None)):
        number = float(special.rel_entr(A, B).sum(axis=1).max()) if value is None else value
        told = claimed(name, printed(number, digits))
        assert (told.holds, told.causes) == (True, ())


def test_claims_that_have_nothing_to_do_with_it_are_seldom_explained() -> None:
    """A wrong explanation sends people the wrong way: of random claims at most some in a hundred get one."""
    draw = np.random.default_rng(5)
    values = kl(X, Y) * np.exp(draw.uniform(-1.0, 1.0, 20))
    for digits, most in ((3, 3), (5, 1)):
        named = sum(bool(claimed("kl", printed(value, digits)).causes) for value in values)
        assert named <= most


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("base", X), ("other", Y), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path


FILES = ("compare", "base.npy", "other.npy", "--labels", "labels.npy")


def test_the_answer_starts_with_the_claim_and_names_the_mistake(folder: Path) -> None:
    """The last line of a CI job is the one that is read; the exit code is the worst of gates and claims."""
    reverse = printed(kl(Y, X), 6)
    ended = xent_here(*FILES, "--expect-kl", reverse, "--max-kl", "100", "-q", cwd=folder)
    assert ended.code == 1
    assert ended.out.startswith(f"fails: the claim kl {reverse} does not hold, the true one is {kl(X, Y):.8g}: it is ")
    assert "(sides-swapped)" in ended.out
    right = printed(kl(X, Y), 5)
    assert xent_here(*FILES, "--expect-kl", right, "--expect", f"kl={right}", cwd=folder).code == 0
    assert xent_here(*FILES, "--expect-kl", right, "--max-kl", "1e-9", cwd=folder).code == 1
    last = xent_here(*FILES, "--expect-kl", right, "--max-kl", "1e-9", "-q", cwd=folder).out
    assert last.startswith("fails: --max-kl 1e-09: ")  # what a log shows of a red build is its reason


def test_a_claim_that_ties_leave_open_is_undecided(folder: Path) -> None:
    """Exit code 5: neither proven nor refuted."""
    tied = X.copy()
    tied[:40, 3] = tied[:40].max(axis=1)
    np.save(folder / "tied.npy", tied)
    ended = xent_here("compare", "tied.npy", "base.npy", "--expect", "same-top=0.95", "-q", cwd=folder)
    assert ended.code == 5
    assert "may hold or not, the true one is between" in ended.out


def test_every_format_has_the_claims(folder: Path) -> None:
    """A test case each, an annotation each, and in JSON the causes with their values."""
    arguments = (*FILES, "--expect-kl", printed(kl(Y, X), 6), "--expect", f"kl-reverse={printed(kl(Y, X), 6)}")
    outs = {form: xent_here(*arguments, "-f", form, cwd=folder).out for form in ("json", "junit", "github", "csv")}
    wrong, right = json.loads(outs["json"])["comparisons"][0]["expectations"]
    assert (wrong["name"], wrong["holds"], wrong["causes"][0]["code"]) == ("kl", False, "sides-swapped")
    assert (right["name"], right["holds"], right["causes"]) == ("kl_reverse", True, [])
    (suite,) = ElementTree.fromstring(outs["junit"])
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    (failure,) = suite.findall("testcase/failure")
    assert "remedy" in (failure.text or "")
    assert outs["github"].startswith("::error title=xent compare%3A claim kl::the claim kl ")
    assert "::notice title=xent compare%3A claim kl-reverse::" in outs["github"]
    lines = [line for line in csv.DictReader(io.StringIO(outs["csv"])) if line["claimed"]]
    assert [(line["statistic"], line["verdict"], line["cause"]) for line in lines] == [
        ("kl", "fails", "sides-swapped"), ("kl_reverse", "holds", ""),
    ]  # fmt: skip
    for form in ("table", "markdown"):
        assert "sides-swapped" in xent_here(*arguments, "-f", form, cwd=folder).out


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("kl", "has a name and a value"),
        ("kll=0.1", "did you mean kl?"),
        ("kl=much", "is no number"),
        ("kl-98=0.1", "no statistic has this name"),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(claim: str, told: str, folder: Path) -> None:
    """Before anything is computed, with what fits."""
    ended = xent_here(*FILES, "--expect", claim, cwd=folder)
    assert is_one_error(ended)
    assert told in ended.err


def test_a_claim_about_labels_needs_them(folder: Path) -> None:
    """Class 0 for every row would give a number that means nothing."""
    ended = xent_here("compare", "base.npy", "other.npy", "--expect", "ppl-ratio=1.0", cwd=folder)
    assert is_one_error(ended)
    assert "--labels FILE" in ended.err


@pytest.mark.parametrize("code", PAIR_CODES)
def test_a_code_is_defined_and_its_example_shows_it(code: str) -> None:
    """A reader who asks what a code means is shown something else, or next to nothing."""
    cause, shown = PAIR_CODES[code], show(code)
    assert cause.definition.endswith(".")
    assert cause.formula
    assert cause.remedy
    assert shown.said.code == code
    assert not cause.source or cause.source.startswith(("https://", "http://joschu.net/"))


def test_codes_are_explained_and_listed(tmp_path: Path) -> None:
    """The code at the end of a sentence can be looked up."""
    told = xent_here("explain", "top-k-classes", cwd=tmp_path)
    assert told.code == 0
    assert told.out.splitlines()[0].startswith("top-k-classes, a cause of a claim about two sets of logits")
    assert "does not hold" in told.out
    assert "top-k-classes" in xent_here("explain", "--codes", cwd=tmp_path).out


def test_every_statistic_is_explained_with_its_formula() -> None:
    """A name that nobody can look up is a number that nobody can check."""
    found = xentcli.compare(X, Y, LABELS, rows=0).comparisons[0].statistics
    assert set(found) == {*WITHOUT_LABELS, *WITH_LABELS}
    for name in found:
        word = find(name)
        assert word is not None, name
        assert "\n    " in word.text, name
