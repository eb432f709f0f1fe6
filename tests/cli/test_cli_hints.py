"""A hint is followed by pasting it: whoever does so ends at the number, in a few steps."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from process import is_one_error, xent_here
from scipy.special import log_softmax

if TYPE_CHECKING:
    from pathlib import Path

    from process import Ended

LOGITS = np.random.default_rng(0).standard_normal((6, 3))
LABELS = np.array([0, 2, 1, 1, 0, 2])
LOSS = -log_softmax(LOGITS, axis=1)[np.arange(6), LABELS].mean()
HINT = re.compile(r"^  hint      (xent .*)$", re.MULTILINE)
STEPS = 3

TABLES = {  # columns, of which the last one has the labels, and how pandas writes them
    "an index without a name": (("cat", "dog", "cow", "label"), {}),
    "no index": (("cat", "dog", "cow", "label"), {"index": False}),
    "semicolons": (("cat", "dog", "cow", "label"), {"sep": ";", "index": False}),
    "tabs": (("cat", "dog", "cow", "label"), {"sep": "\t"}),
    "a byte order mark": (("cat", "dog", "cow", "label"), {"encoding": "utf-8-sig"}),
    "numbers for names, and an odd name": (("0", "1", "2", "y"), {}),
    "two columns of one name": (("cat", "cat", "cow", "label"), {"index": False}),
}


def table(logits: np.ndarray, labels: np.ndarray, columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(logits).assign(labels=labels).set_axis(list(columns), axis=1)


def followed(ended: Ended, folder: Path) -> Ended:
    """How it ends for whoever pastes each hint."""
    for _ in range(STEPS):
        if ended.code != 2:
            break
        assert is_one_error(ended), ended.err
        hint = HINT.search(ended.err)
        assert hint, ended.err
        ended = xent_here(*shlex.split(hint[1])[1:], cwd=folder)
    return ended


@pytest.mark.parametrize("kind", TABLES)
def test_hints_lead_from_a_table_to_its_loss(kind: str, tmp_path: Path) -> None:
    """A hint that itself is refused sends a beginner in a circle."""
    columns, options = TABLES[kind]
    table(LOGITS, LABELS, columns).to_csv(tmp_path / "t.csv", **options)
    ended = followed(xent_here("compute", "t.csv", "--json", cwd=tmp_path), tmp_path)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["losses"]["library"]["value"] == pytest.approx(LOSS, rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"index": False}])
def test_one_option_names_the_labels_of_both_sides(options: dict[str, bool], tmp_path: Path) -> None:
    """Two runs of one script write two tables with the same labels: that these are no logits need not be said twice."""
    columns = ("cat", "dog", "cow", "label")
    for name, logits in (("a.csv", LOGITS), ("b.csv", LOGITS * 1.5)):
        table(logits, LABELS, columns).to_csv(tmp_path / name, **options)
    ended = followed(xent_here("compare", "a.csv", "b.csv", "--json", cwd=tmp_path), tmp_path)
    assert ended.code == 0, ended.err
    chances = [log_softmax(logits, axis=1) for logits in (LOGITS, LOGITS * 1.5)]
    kl = (np.exp(chances[0]) * (chances[0] - chances[1])).sum(1).mean()
    assert json.loads(ended.out)["comparisons"][0]["statistics"]["kl"]["value"] == pytest.approx(kl, rel=1e-9)


def test_other_labels_in_the_other_table_are_told(tmp_path: Path) -> None:
    """The column that one option names is read in both: rows in another order must not be compared."""
    columns = ("cat", "dog", "cow", "label")
    table(LOGITS, LABELS, columns).to_csv(tmp_path / "a.csv", index=False)
    table(LOGITS, LABELS[::-1], columns).to_csv(tmp_path / "b.csv", index=False)
    ended = xent_here("compare", "a.csv", "b.csv", "--label-column", "label", cwd=tmp_path)
    assert is_one_error(ended), ended.err
    assert "the labels of both differ" in ended.err


def test_the_other_table_need_not_have_the_labels(tmp_path: Path) -> None:
    """Labels are exported once, beside the first model's logits."""
    columns = ("cat", "dog", "cow", "label")
    table(LOGITS, LABELS, columns).to_csv(tmp_path / "a.csv", index=False)
    table(LOGITS, LABELS, columns).drop(columns="label").to_csv(tmp_path / "b.csv", index=False)
    ended = xent_here("compare", "a.csv", "b.csv", "--label-column", "label", "-q", cwd=tmp_path)
    assert ended.code == 0, ended.err
