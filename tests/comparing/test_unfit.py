"""Sides that do not fit together: what the one is to the other is named, and what is hinted at makes them fit."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import is_one_error, xent_here

import xentcli
from xentcli.errors import XentError

if TYPE_CHECKING:
    from pathlib import Path

G = np.random.default_rng(3)
X = (G.standard_normal((120, 10)) * 2.0).astype(np.float32)
Y = X + (G.standard_normal(X.shape) * 0.1).astype(np.float32)
PADDING = {
    "-inf": np.full((120, 6), -np.inf, np.float32),
    "zeros": np.zeros((120, 6), np.float32),
    "one number a row": np.repeat(G.standard_normal((120, 1)).astype(np.float32), 6, axis=1),
    "one column": np.full((120, 1), -3.0, np.float32),
}


@pytest.mark.parametrize("kind", PADDING)
@pytest.mark.parametrize("is_base", [True, False])
def test_a_padded_vocabulary_is_named_and_cut(kind: str, is_base: bool, tmp_path: Path) -> None:
    """Vocabularies are padded to a multiple of 64 on one side; the hint's option compares what both have."""
    wide = np.concatenate([X if is_base else Y, PADDING[kind]], axis=1)
    np.save(tmp_path / "base.npy", wide if is_base else X)
    np.save(tmp_path / "other.npy", Y if is_base else wide)
    ended = xent_here("compare", "base.npy", "other.npy", cwd=tmp_path)
    assert is_one_error(ended)
    assert ("masked" if kind == "-inf" else "constant") in ended.err
    assert f"of {'base' if is_base else 'other'}.npy" in ended.err
    assert "hint      --first-classes 10\n" in ended.err
    claim = f"{xentcli.compare(X, Y).comparisons[0].statistics['kl'].value:.12g}"
    cutting = ("--first-classes", "10", "--expect-kl", claim, "-q")
    cut = xent_here("compare", "base.npy", "other.npy", *cutting, cwd=tmp_path)
    assert cut.code == 0, cut


def test_classes_that_hold_numbers_are_not_called_padding(tmp_path: Path) -> None:
    """Two vocabularies of other sizes are two models."""
    np.save(tmp_path / "base.npy", X)
    np.save(tmp_path / "other.npy", Y[:, :7])
    ended = xent_here("compare", "base.npy", "other.npy", cwd=tmp_path)
    assert "padding is" not in ended.err
    assert "--first-classes 7, if the others are padding" in ended.err


@pytest.mark.parametrize(("rows", "told"), [(slice(1, None), "row 0 of other.npy is like row 1 of base.npy"),
                                            (slice(3, None), "row 0 of other.npy is like row 3 of base.npy"),
                                            (slice(None, -1), "base.npy has 1 row more at its end")])  # fmt: skip
def test_a_side_without_its_first_row(rows: slice, told: str, tmp_path: Path) -> None:
    """One script drops the first token, another the last one; the hint is a command that makes them fit."""
    np.save(tmp_path / "base.npy", X)
    np.save(tmp_path / "other.npy", Y[rows])
    ended = xent_here("compare", "base.npy", "other.npy", cwd=tmp_path)
    assert is_one_error(ended)
    assert told in " ".join(ended.err.split())
    hint = ended.err.partition("hint ")[2].strip()
    command = shlex.split(hint)
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True)
    assert np.array_equal(np.load(tmp_path / "cut.npy"), X[rows])


def test_other_rows_are_not_called_moved(tmp_path: Path) -> None:
    """Rows that have nothing to do with each other have no distance worth a sentence."""
    np.save(tmp_path / "base.npy", X)
    np.save(tmp_path / "other.npy", G.standard_normal((119, 10)).astype(np.float32))
    ended = xent_here("compare", "base.npy", "other.npy", cwd=tmp_path)
    assert "is one of them shifted or cut off?" in ended.err


def test_the_first_classes_of_any_axis_and_type() -> None:
    """Axes other than the last are cut, too; more classes than there are is refused."""
    wide = np.concatenate([X, X], axis=1).astype(np.float64)
    whole = xentcli.compare(X, Y).comparisons[0].statistics["kl"]
    for first, second, axis in ((wide, Y, -1), (wide.T, Y.T, 0), (wide[:, :, None], Y[:, :, None], 1)):
        found = xentcli.compare(first, second, class_axis=axis, first_classes=10).comparisons[0].statistics["kl"]
        assert found.value == pytest.approx(whole.value, rel=1e-12)
    with pytest.raises(XentError, match="fewer classes"):
        xentcli.compare(X, Y, first_classes=11)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_side_without_a_softmax_is_named(value: float) -> None:
    """Which model overflowed is the first question."""
    odd = X.copy()
    odd[4, 2] = value
    for sides, name in (((odd, Y), "the base"), ((Y, odd), "the other"), ((odd, odd), "the base and the other")):
        with pytest.raises(XentError) as told:
            xentcli.compare(*sides)
        assert told.value.details["found"] == f"NaN, inf, or −inf alone in {name}"


def test_files_that_hold_other_labels_are_refused(tmp_path: Path) -> None:
    """Two dumps of shuffled batches: each has labels, and the rows of one are not those of the other."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    others = labels.copy()
    others[7] = (others[7] + 1) % 4
    np.savez(tmp_path / "base.npz", logits=logits, labels=labels)
    np.savez(tmp_path / "same.npz", logits=logits + 1, labels=labels)
    np.savez(tmp_path / "other.npz", logits=logits + 1, labels=others)
    np.save(tmp_path / "others.npy", others)
    assert xent_here("compare", "base.npz", "same.npz", "-q", cwd=tmp_path).code == 0
    assert xent_here("compare", "base.npz", "other.npz:logits", "-q", cwd=tmp_path).code == 0
    for arguments in (("base.npz", "other.npz"), ("base.npz", "same.npz", "--labels", "others.npy")):
        ended = xent_here("compare", *arguments, cwd=tmp_path)
        assert ended.code == 2
        assert "the labels of both differ" in ended.err
        assert "row 7" in ended.err
    with pytest.raises(xentcli.InputError, match="labels of both differ"):
        xentcli.compare(tmp_path / "base.npz", tmp_path / "other.npz")
