"""Probabilities and log-probabilities against the logits that they were made of, and against Arb."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from flint import arb, ctx
from process import is_one_error, xent_here
from scipy import special

from xentcli import compare

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(7)
BASE = G.standard_normal((60, 6)) * 4
OTHER = BASE + G.standard_normal(BASE.shape) * 0.3
LABELS = G.integers(6, size=60)
MAKERS = {"probabilities": special.softmax, "log-probabilities": special.log_softmax}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_statistics_contain_the_exact_ones_of_the_stored_numbers(kind: str, dtype: type) -> None:
    """The logarithm of a probability is rounded, and the ends must allow for it: each row is divided by its sum."""
    base, other = (MAKERS[kind](side, axis=1).astype(dtype) for side in (BASE, OTHER))
    rows = compare(base, other, LABELS, input=kind, reduction="none").comparisons[0].rows
    ctx.prec = 200
    for row, p, q, label in zip(rows, base.astype(float), other.astype(float), LABELS, strict=True):
        ps, qs = ([arb(float(x)) if kind == "probabilities" else arb(float(x)).exp() for x in side] for side in (p, q))
        ps, qs = ([x / sum(side, arb(0)) for x in side] for side in (ps, qs))
        kl = sum((x * (x / y).log() for x, y in zip(ps, qs, strict=True)), arb(0))
        assert arb(row.kl_lower) <= kl <= arb(row.kl_upper)
        assert row.kl_upper - row.kl_lower <= 1e-9 * row.kl
        assert abs(float((-ps[label].log()).mid()) - row.loss_base) < 1e-12
        assert abs(float((qs[label] - ps[label]).mid()) - row.delta_p) < 1e-12


def test_equal_probabilities_differ_by_nothing() -> None:
    """Exactly, though nobody knows their logarithms exactly."""
    p = special.softmax(BASE, axis=1)
    found = compare(p, p.copy(), LABELS, input="probabilities").comparisons[0]
    assert found.identity.same_rows == 60
    for name in ("kl", "js", "tv", "loss_difference", "delta_p"):
        assert (found.statistics[name].lower, found.statistics[name].upper) == (0.0, 0.0)


def test_a_class_of_probability_0_is_a_masked_class(tmp_path: Path) -> None:
    """On the base's side it adds what the other has there; on the other's the divergence is infinite."""
    p, q = (special.softmax(side, axis=1) for side in (BASE, OTHER))
    p[:, 2] = 0.0
    p /= p.sum(axis=1, keepdims=True)
    found = compare(p, q, input="probabilities").comparisons[0]
    assert found.statistics["kl"].value == pytest.approx(special.rel_entr(p, q).sum(axis=1).mean(), rel=1e-12)
    for name, values in (("p", p), ("q", q)):
        np.save(tmp_path / f"{name}.npy", values)
    ended = xent_here("compare", "q.npy", "p.npy", "--input", "probabilities", cwd=tmp_path)
    assert is_one_error(ended)
    assert "KL divergence is infinite" in ended.err


@pytest.mark.parametrize(
    ("numbers", "told"),
    [(BASE, "this is no probability"), (special.softmax(BASE, axis=1)[:, :5], "do not add up to 1")],
)
def test_what_is_no_distribution_is_refused(numbers: np.ndarray, told: str, tmp_path: Path) -> None:
    """Some classes of a row, made to add up to 1 in silence, are a divergence of another model."""
    np.save(tmp_path / "x.npy", numbers)
    ended = xent_here("compare", "x.npy", "x.npy", "--input", "probabilities", cwd=tmp_path)
    assert is_one_error(ended)
    assert told in ended.err


def test_tables_are_read_as_compute_reads_them(tmp_path: Path) -> None:
    """Columns that are no classes, names for labels, decimal commas, and rows in another order."""
    heads = ["id", *(f"c{place}" for place in range(6)), "label"]
    lines = [[f"r{row}", *(f"{x:.17g}".replace(".", ",") for x in BASE[row]), f"c{LABELS[row]}"] for row in range(60)]
    (tmp_path / "base.csv").write_text("\n".join(";".join(line) for line in [heads, *lines]) + "\n")
    moved = [[f"r{row}", *(f"{x:.17g}".replace(".", ",") for x in OTHER[row]), "0"] for row in G.permutation(60)]
    (tmp_path / "other.csv").write_text("\n".join(";".join(line) for line in [heads, *moved]) + "\n")
    expected = compare(BASE, OTHER, LABELS).comparisons[0].statistics
    options = ("--label-column", "label", "--columns", "c*", "--decimal", ",")
    ended = xent_here("compare", "base.csv", "other.csv", *options, "--join", "id", "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)["comparisons"][0]["statistics"]
    for name in ("kl", "loss_difference"):
        assert found[name]["value"] == pytest.approx(expected[name].value, rel=1e-12)
    assert is_one_error(xent_here("compare", "base.csv", "other.csv", *options, cwd=tmp_path))
    python = compare(
        tmp_path / "base.csv", tmp_path / "other.csv", label_column="label", columns="c*", decimal=",", join="id"
    )
    assert python.comparisons[0].statistics["kl"].value == found["kl"]["value"]
