"""Totals of two sets of logits against independent sums, ties as intervals, and what does not fit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest
from process import is_one_error, xent_here
from scipy import special, stats

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(5)
BASE = (G.standard_normal((300, 7)) * 2).astype(np.float32)
OTHER = (BASE + G.standard_normal(BASE.shape) * 0.1).astype(np.float32)
LABELS = G.integers(7, size=300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("base", BASE), ("other", OTHER), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path


def compared(folder: Path, *arguments: str, code: int = 0) -> dict:
    ended = xent_here("compare", *arguments, "--json", cwd=folder)
    assert ended.code == code, ended.err
    return json.loads(ended.out)["comparisons"][0]


def expected(base=BASE, other=OTHER, labels=LABELS):
    p, q = (special.log_softmax(side.astype(np.longdouble), axis=1) for side in (base, other))
    rows = np.arange(len(labels))
    one, two = -p[rows, labels], -q[rows, labels]
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    delta = np.exp(-two) - np.exp(-one)
    return {
        "kl": kl.mean(), "kl_reverse": (np.exp(q) * (q - p)).sum(axis=1).mean(),
        "tv": np.abs(np.exp(p) - np.exp(q)).sum(axis=1).mean() / 2,
        "loss_base": one.mean(), "loss_other": two.mean(), "loss_difference": (two - one).mean(),
        "ppl_base": np.exp(one.mean()), "ppl_ratio": np.exp((two - one).mean()),
        "delta_p": delta.mean(), "rms_delta_p": np.sqrt((delta**2).mean()),
        "correlation": np.corrcoef(one.astype(float), two.astype(float))[0, 1],
        "same_top": (p.argmax(1) == q.argmax(1)).mean(), "accuracy_base": (p.argmax(1) == labels).mean(),
        "flips_right_wrong": ((p.argmax(1) == labels) & (q.argmax(1) != labels)).sum(),
    }  # fmt: skip


def test_every_statistic_is_within_its_ends(folder: Path) -> None:
    """Sums in 80 bits from scipy's softmax, of the textbook's formulas."""
    found = compared(folder, "base.npy", "other.npy", "--labels", "labels.npy")["statistics"]
    for name, value in expected().items():
        slack = 1e-13 * abs(value)
        assert found[name]["lower"] - slack <= value <= found[name]["upper"] + slack, name
        assert found[name]["value"] == pytest.approx(float(value), rel=1e-12), name
    differences = np.array(expected()["kl"])
    assert found["kl"]["upper"] - found["kl"]["lower"] < 1e-11 * differences


def test_standard_errors_of_rows_and_of_groups(folder: Path) -> None:
    """Groups of equal rows know less than their rows say: the standard error is that of the groups."""
    repeated = np.repeat(np.arange(60), 5)
    for name, values in (("base", BASE), ("other", OTHER), ("labels", LABELS)):
        np.save(folder / f"{name}.npy", values[repeated])
    found = compared(folder, "base.npy", "other.npy", "--labels", "labels.npy", "--group", "5")
    assert found["counts"]["groups"] == 60
    difference = found["statistics"]["loss_difference"]
    p, q = (special.log_softmax(side[:60].astype(np.float64), axis=1) for side in (BASE, OTHER))
    rows = (p - q)[np.arange(60), LABELS[:60]]
    assert difference["group_se"] == pytest.approx(rows.std(ddof=1) / np.sqrt(60), rel=1e-9)
    assert difference["se"] == pytest.approx(difference["group_se"] / np.sqrt(5), rel=0.02)


def test_the_same_file_differs_by_nothing(folder: Path) -> None:
    """Exactly: no KL of 1e-9, and no negative one."""
    found = compared(folder, "base.npy", "base.npy", "--labels", "labels.npy", "--max-kl", "0", "--min-same-top", "1")
    for name in ("kl", "kl_reverse", "js", "tv", "loss_difference", "delta_p"):
        assert (found["statistics"][name]["lower"], found["statistics"][name]["upper"]) == (0.0, 0.0)
    assert [gate["verdict"] for gate in found["gates"]] == ["holds", "holds"]
    assert "exactly" in found["summary"]


def test_gates_are_kept_by_proof_alone(folder: Path) -> None:
    """Exit code 1 names the gate, its value and its limit; exit code 5 where ties decide."""
    mean = float(expected()["kl"])
    for limit, code in ((mean * 1.001, 0), (mean * 0.999, 1)):
        ended = xent_here("compare", "base.npy", "other.npy", "--max-kl", repr(limit), cwd=folder)
        assert ended.code == code
        assert ("fails: --max-kl" in ended.out) == bool(code)
    tied = BASE.copy()
    tied[:, 3] = tied.max(axis=1)
    np.save(folder / "tied.npy", tied)
    found = compared(folder, "tied.npy", "base.npy", "--min-same-top", "0.9", code=5)
    assert found["statistics"]["same_top"]["lower"] < 0.2
    assert found["statistics"]["same_top"]["upper"] == 1.0
    assert is_one_error(xent_here("compare", "base.npy", "other.npy", "--max-ppl-ratio", "1", cwd=folder))


def test_what_is_only_chance_is_told_from_what_is_not(folder: Path) -> None:
    """Paired tests on the same rows: scipy's McNemar and t interval, and equivalence that is shown or not."""
    found = compared(folder, "base.npy", "other.npy", "--labels", "labels.npy")["statistics"]
    p, q = (special.log_softmax(side.astype(np.float64), axis=1) for side in (BASE, OTHER))
    moved = (p - q)[np.arange(300), LABELS]
    right = [side.argmax(1) == LABELS for side in (BASE, OTHER)]
    lost, won = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    assert found["flips_right_wrong"]["p"] == pytest.approx(stats.binomtest(int(lost), int(lost + won)).pvalue)
    t = stats.ttest_1samp(moved, 0.0)
    assert found["loss_difference"]["interval"] == pytest.approx(list(t.confidence_interval(0.95)))
    assert found["loss_difference"]["p"] == pytest.approx(t.pvalue, abs=0.03)
    reach = max(map(abs, t.confidence_interval(0.9)))
    for margin, verdict in ((reach * 1.01, "holds"), (reach * 0.99, "fails")):
        arguments = ("base.npy", "other.npy", "--labels", "labels.npy", "--equivalence", repr(float(margin)))
        (gate,) = compared(folder, *arguments, code=int(verdict == "fails"))["gates"]
        assert gate["verdict"] == verdict


def test_blocks_and_threads_are_not_seen(folder: Path) -> None:
    """A report that depends on the machine cannot be compared with yesterday's."""
    outs = {
        xent_here("compare", "base.npy", "other.npy", "--labels", "labels.npy", "--json", *how, cwd=folder).out
        for how in ((), ("--block-bytes", "100"), ("--block-bytes", "1K", "--threads", "1"))
    }
    assert len(outs) == 1


def test_several_others_and_labels_of_the_base(folder: Path) -> None:
    """One pass over the base; labels come with it where it holds them, and ignored rows do not count."""
    labels = LABELS.copy()
    labels[::3] = -100
    np.savez(folder / "both.npz", logits=BASE, labels=labels)
    ended = xent_here("compare", "both.npz", "other.npy", "base.npy", "--json", cwd=folder)
    first, second = json.loads(ended.out)["comparisons"]
    kept = labels >= 0
    assert first["counts"]["ignored"] == 100
    assert first["statistics"]["kl"]["value"] == pytest.approx(
        float(expected(BASE[kept], OTHER[kept], labels[kept])["kl"])
    )
    assert second["statistics"]["kl"]["value"] == 0.0
    for form in ("table", "csv", "markdown"):
        assert xent_here("compare", "both.npz", "other.npy", "-f", form, cwd=folder).code == 0


def test_a_limit_is_a_test_case_and_an_annotation(folder: Path) -> None:
    """A CI server shows which limit is broken, and by what."""
    limits = ("--max-kl", "1e-9", "--min-same-top", "0.1")
    ended = xent_here("compare", "base.npy", "other.npy", *limits, "-f", "junit", cwd=folder)
    (suite,) = ElementTree.fromstring(ended.out)
    assert (ended.code, suite.get("tests"), suite.get("failures")) == (1, "3", "1")
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("message", "").startswith("fails: --max-kl 1e-09: ")
    told = xent_here("compare", "base.npy", "other.npy", *limits, "-f", "github", cwd=folder)
    first, last = told.out.splitlines()
    assert first.startswith("::error title=xent compare%3A max-kl::fails")
    assert last.startswith("::notice title=")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (BASE[:, :5], "other classes"),
        (BASE[:200], "other samples"),
        (BASE[None], "other shapes"),
        (np.zeros(len(BASE), np.int64), "--labels odd.npy"),
        (np.where(np.arange(7) == 2, -np.inf, BASE).astype(np.float32), "KL divergence is infinite"),
        (np.where(np.arange(7) == 2, np.nan, BASE).astype(np.float32), "no softmax"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(other: np.ndarray, told: str, folder: Path) -> None:
    """Numbers of logits that do not belong together are worse than none."""
    np.save(folder / "odd.npy", other)
    ended = xent_here("compare", "base.npy", "odd.npy", cwd=folder)
    assert is_one_error(ended)
    assert told in ended.err
    assert "odd.npy" in ended.err
