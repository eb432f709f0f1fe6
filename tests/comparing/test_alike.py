"""What two sets of logits are to each other: named before any number, and not where it only looks so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from process import xent_here

import xentcli
from xentcli.comparing.finding_codes import PAIR_FINDINGS

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(12)
X = (G.standard_normal((200, 9)) * 2.0).astype(np.float32)
NOISE = (G.standard_normal(X.shape) * 0.2).astype(np.float32)
Y = X + NOISE
LABELS = np.where(G.random(200) < 0.7, X.argmax(axis=1), G.integers(9, size=200))


def codes(x: np.ndarray, y: np.ndarray, labels: np.ndarray | None = None) -> dict[str, Any]:
    (one,) = xentcli.compare(x, y, labels, rows=0).comparisons
    return {finding.code: finding for finding in one.findings}


def test_nothing_is_said_of_two_ordinary_sides() -> None:
    """A false alarm sends people looking for what is not there; so of a noisy side, and of an unrelated one."""
    far = (G.standard_normal(X.shape) * 2.0).astype(np.float32)
    for other in (X, Y, X + 8 * NOISE, far):
        assert not codes(X, other, LABELS)
    assert not codes(X[:7], np.roll(X, 1, axis=0)[:7])


@pytest.mark.parametrize(("shift", "way"), [(-1, "leads"), (1, "lags")])
def test_a_side_that_is_a_row_off(shift: int, way: str) -> None:
    """One side was cut before, the other after the first token; every number of theirs is nonsense."""
    found = codes(X, np.roll(Y, shift, axis=0))
    assert set(found) == {"rows-out-of-step"}
    assert f"the other {way} by a row" in found["rows-out-of-step"].message
    sequences = X.reshape(20, 10, 9), np.roll(Y.reshape(20, 10, 9), shift, axis=1)
    (one,) = xentcli.compare(*sequences, class_axis=-1).comparisons
    assert [finding.code for finding in one.findings] == ["rows-out-of-step"]


@pytest.mark.parametrize(("shift", "way"), [(1, "lag"), (-1, "lead")])
def test_labels_that_are_a_row_off(shift: int, way: str) -> None:
    """The labels are the next tokens on one side and the tokens on the other."""
    found = codes(X, Y, np.roll(LABELS, shift))
    assert set(found) == {"labels-out-of-step"}
    assert f"the labels {way} by a row" in found["labels-out-of-step"].message


def test_a_constant_is_no_difference() -> None:
    """Two kernels that differ by an offset give the same model: said, with how many rows are so."""
    base = np.round(X * 64) / 64
    moved = base.copy()
    moved[:50] += np.float32(0.5)
    found = codes(base, moved)
    assert set(found) == {"constant-offset"}
    assert "in 50 rows" in found["constant-offset"].message
    assert found["constant-offset"].rows == (0, 1, 2, 3, 4)


def test_classes_in_another_order() -> None:
    """Two exports with their classes sorted in two ways agree in no row, and in every entropy."""
    order = G.permutation(9)
    assert set(codes(X, X[:, order])) == {"classes-permuted"}
    assert not codes(X, Y[:, order])


@pytest.mark.parametrize("slope", [0.5, 0.98, 1.25])
def test_a_temperature(slope: float) -> None:
    """Logits that were divided by a temperature on one side alone are another model to every statistic."""
    found = codes(X, slope * X + G.standard_normal((200, 1)).astype(np.float32))
    assert set(found) == {"other-temperature"}
    assert f"the other is {slope:g} times the base" in found["other-temperature"].message
    noisy = slope * X + 0.2 * abs(slope - 1.0) * (G.standard_normal(X.shape) * X.std()).astype(np.float32)
    assert "other-temperature" not in codes(X, noisy)


def test_findings_stand_before_the_numbers_and_in_every_format(tmp_path: Path) -> None:
    """A reader of a CI page sees them; they fail nothing."""
    np.save(tmp_path / "base.npy", X)
    np.save(tmp_path / "other.npy", np.roll(Y, 1, axis=0))
    outs = {
        form: xent_here("compare", "base.npy", "other.npy", "-f", form, cwd=tmp_path)
        for form in ("table", "json", "markdown", "junit", "github")
    }
    assert {ended.code for ended in outs.values()} == {0}
    assert all("rows-out-of-step" in ended.out for ended in outs.values())
    table = outs["table"].out
    assert table.index("rows-out-of-step)") < table.index("Divergence")
    (one,) = json.loads(outs["json"].out)["comparisons"]
    assert one["summary"].endswith("; 1 warning: rows-out-of-step")
    assert 'skipped="1"' in outs["junit"].out


def test_every_finding_is_registered_and_found_here() -> None:
    """A code that the registry lacks cannot be looked up."""
    order = G.permutation(9)
    found = (
        codes(X, np.roll(Y, 1, axis=0)) | codes(X, Y, np.roll(LABELS, 1)) | codes(X, X + np.float32(0.5))
        | codes(X, X[:, order]) | codes(X, X / 2)
    )  # fmt: skip
    assert found.keys() == {finding.code for finding in PAIR_FINDINGS}


@pytest.mark.parametrize("finding", PAIR_FINDINGS, ids=lambda each: each.code)
def test_a_finding_is_explained(finding: Any, tmp_path: Path) -> None:
    """A code that nobody can look up says nothing."""
    ended = xent_here("explain", finding.code, cwd=tmp_path)
    assert ended.code == 0
    assert finding.definition.split()[0] in ended.out
