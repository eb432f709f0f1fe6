"""`xent explain WORD`: every heading, status, verdict and grade that a report shows can be looked up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from process import AGREES, DIFFERS, SAMPLES, xent_here
from rich.table import Table

from xentcli.diagnose.codes import CODES
from xentcli.docs.glossary import find, words
from xentcli.records.conformance import GRADES, OUTCOMES, FamilyVerdict
from xentcli.records.report import STATUSES, Judgement
from xentcli.render.conformance.grids import CALLED, SHORT
from xentcli.render.drawing import COLORS
from xentcli.render.wording import SEVERITIES

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [name for word in words() for name in word.names]
VERDICTS = {*get_args(Judgement), *get_args(FamilyVerdict), *OUTCOMES, *CALLED.values(), "holds", "fails", "undecided"}
SOFT = [str(SAMPLES / "soft" / name) for name in ("logits.csv", "targets.csv")]
TABLES = {
    "compute": ["compute", *AGREES],
    "compute, wrong": ["compute", *DIFFERS],
    "compute, probabilities": ["compute", *SOFT],
    "compute, samples": ["compute", *AGREES, "--reduction", "none"],
    "random, many classes": ["random", "--samples", "3", "--classes", "1000", "--seed", "1"],
    "random, by parts": [
        *("random", "--samples", "30", "--classes", "3", "--seed", "1", "--group", "5"),
        *(word for by in ("class", "position", "group", "confidence", "file") for word in ("--by", by)),
    ],
    "explain": ["explain", *DIFFERS],
    "explain, probabilities": ["explain", *SOFT, "--label-smoothing", "0.1"],
    "explain, cast": ["explain", *AGREES, "--dtype", "bfloat16"],
    "conform": ["conform", "torch.nn.functional:cross_entropy", "--only", "ties"],
}


@pytest.mark.parametrize("arguments", TABLES.values(), ids=TABLES)
def test_every_heading_is_explained(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that nobody explains is a number that nobody trusts."""
    headings: list[str] = []
    add = Table.add_column
    monkeypatch.setattr(
        Table, "add_column", lambda self, name, **looks: (headings.append(name), add(self, name, **looks))
    )
    assert xent_here(*arguments, cwd=tmp_path).code in {0, 1}
    assert len(headings) > 3
    named = {re.sub(r"^\d( |$)", "", name) for name in headings} - {""}
    formats = {"float32", "bfloat16", "cat", "dog", "bird"}  # what a cast gives heads a column, and so do the classes
    unknown = {name for name in named - formats if not name.isdigit() and find(name) is None}
    assert not unknown


@pytest.mark.parametrize(
    "name",
    [
        "truth",
        "hardest",
        "rounded worst",
        "furthest apart",
        "largest in a row",
        "difference of the means",
        "reliability",
    ],
)
def test_words_before_and_beside_tables_are_explained(name: str) -> None:
    """A row is marked, and nobody says what for."""
    assert find(name)


@pytest.mark.parametrize("name", ["wrong doubles", "caught", "survived", "tolerance", "wrong doubles that pass"])
def test_headings_of_the_self_check_are_explained(name: str) -> None:
    """Its tables take minutes to make: their headings stand here."""
    assert find(name)


@pytest.mark.parametrize("name", sorted({*STATUSES, *VERDICTS, *GRADES, *SHORT.values(), *SEVERITIES, *COLORS}))
def test_every_word_of_judgement_is_explained(name: str, tmp_path: Path) -> None:
    """The word that decides a build can be looked up where it stands."""
    ended = xent_here("explain", name, cwd=tmp_path)
    assert ended.code == 0, ended
    assert name in ended.out.splitlines()[0]


def test_entries_are_short_and_their_names_unique() -> None:
    """A second entry of a name would never be read, and a long one not to its end."""
    assert len(set(NAMES)) == len(NAMES)
    for word in words():
        prose = " ".join(part for part in word.text.split("\n\n") if not part.startswith("    "))
        assert 1 <= len(re.findall(r"[.:](?=\s|$)", prose)) <= 6, word.names


def test_spelling_is_free(tmp_path: Path) -> None:
    """Nobody knows whether it was a space, a line or a capital letter."""
    texts = {xent_here("explain", *name, cwd=tmp_path).out
             for name in (["true loss"], ["true", "loss"], ["True-Loss"], ["true_loss"])}  # fmt: skip
    assert len(texts) == 1


def test_a_file_wins_over_a_word(tmp_path: Path) -> None:
    """Nobody's file is shadowed by a word of ours."""
    np.save(tmp_path / "row.npy", np.zeros((2, 2)))
    (tmp_path / "row.npy").rename(tmp_path / "row")
    ended = xent_here("explain", "row", cwd=tmp_path)
    assert ended.code == 2
    assert "the labels are missing" in ended.err


def test_words_and_codes_are_listed(tmp_path: Path) -> None:
    """Each list holds all, and each names the other."""
    listed = xent_here("explain", "--words", cwd=tmp_path).out
    assert all(f"\n{word.names[0]} " in listed for word in words())
    assert "xent explain --words" in xent_here("explain", "--codes", cwd=tmp_path).out
    assert "xent explain --codes" in listed


def test_a_name_that_is_word_and_code_is_explained_as_both(tmp_path: Path) -> None:
    """Neither meaning may hide the other."""
    both = [name for name in CODES if find(name)]
    for name in both:
        out = xent_here("explain", name, cwd=tmp_path).out
        assert f"{name}, a {CODES[name][0].kind}\n" in out
        assert find(name).text.split()[0] in out
