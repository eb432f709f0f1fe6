"""The tables that people have are read as what they hold, in at most two tries from the first command."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest
import table_files as files
from process import Ended, is_one_error, xent_here

if TYPE_CHECKING:
    from pathlib import Path

OTHER = {"Excel: some numbers are whole": (np.vstack([[[1.25, 3, -2.5]] * 2, files.LOGITS]), [0, 0, *files.LABELS])}
HINT = re.compile(r"^  hint      (xent .*)$", re.MULTILINE)


def tried(asked: tuple[str, ...], folder: Path) -> tuple[Ended, int]:
    """How the command ended, or the one that its message prints; and how many were typed."""
    first = xent_here("compute", *asked, "--json", cwd=folder)
    if first.code != 2:
        return first, 1
    assert is_one_error(first), first.err
    hint = HINT.search(first.err)
    assert hint, first.err
    return xent_here(*shlex.split(hint[1])[1:], cwd=folder), 2


@pytest.mark.parametrize("kind", files.KINDS)
def test_a_table_gives_the_right_number(kind: str, tmp_path: Path) -> None:
    """Read as other numbers, a file is certified and wrong; refused without a remedy, it is of no use."""
    ended, _ = tried(files.KINDS[kind](tmp_path), tmp_path)
    assert ended.code == 0, ended.err
    expected = files.loss(*OTHER.get(kind, ()))
    assert json.loads(ended.out)["losses"]["library"]["value"] == pytest.approx(expected, rel=1e-13)


def test_what_is_left_out_is_on_the_screen_and_in_json(tmp_path: Path) -> None:
    """A column or a line that is gone in silence may be one that its owner means."""
    asked = files.KINDS["pandas: Series(y).to_csv()"](tmp_path)
    said = "the index, which has no name, is left out"
    assert f"logits  z.csv: {said}" in xent_here("compute", *asked, cwd=tmp_path).out
    assert f"- labels: y.csv: {said}" in xent_here("compute", *asked, "-f", "markdown", cwd=tmp_path).out
    content = json.loads(xent_here("compute", *asked, "--json", cwd=tmp_path).out)
    assert [content["input"][name]["notes"] for name in ("logits", "labels")] == [[said], [said]]


def test_classes_are_called_by_their_names(tmp_path: Path) -> None:
    """Class 2 of a file whose columns have names is looked up by hand, and wrongly where columns were chosen."""
    asked = (*files.KINDS["pandas: names, to_csv()"](tmp_path), "--columns", "bird,cat,dog")
    table = xent_here("compute", *asked, cwd=tmp_path).out
    assert re.search(r"^row +bird +cat +dog$", table, re.MULTILINE)
    assert re.search(r"^  0 +(0 bird|1 cat|2 dog) ", table, re.MULTILINE)
    assert "| 1 cat |" in xent_here("compute", *asked, "-f", "markdown", cwd=tmp_path).out
    content = json.loads(xent_here("compute", *asked, "--json", cwd=tmp_path).out)
    assert content["input"]["class_names"] == ["bird", "cat", "dog"]
    told = xent_here("explain", *asked, "--row", "3", cwd=tmp_path).out
    assert re.search(r"^ *\*?0 bird ", told, re.MULTILINE)
    record = json.loads(xent_here("explain", *asked, "--row", "3", "--json", cwd=tmp_path).out)
    assert record["class_names"] == {"0": "bird", "1": "cat", "2": "dog"}


def test_a_name_does_not_steer_the_terminal(tmp_path: Path) -> None:
    """A header from the network is shown as it is spelled."""
    (tmp_path / "z.csv").write_text('"a\x1b[31m",b\n1.5,2.5\n')
    (tmp_path / "y.csv").write_text("1\n")
    for command in ("compute", "explain"):
        ended = xent_here(command, "z.csv", "y.csv", cwd=tmp_path)
        assert ended.code == 0, ended
        assert "\x1b" not in ended.out
        assert "a\\x1b[31m" in ended.out


def test_a_hint_is_the_whole_command(tmp_path: Path) -> None:
    """What was typed besides stays, quoted for the shell."""
    files.beside(id=range(40)).to_csv(tmp_path / "my z.csv", index=False)
    files.whole(tmp_path)
    ended = xent_here("explain", "my z.csv", "y.csv", "--row", "2", cwd=tmp_path)
    assert "  hint      xent explain 'my z.csv' y.csv --row 2 --drop id\n" in ended.err


def test_how_many_classes_to_draw_names_none(tmp_path: Path) -> None:
    """`classes = 3` and XENT_CLASSES=3 are for `xent random`; `compute` has an option of that name, too."""
    asked = files.KINDS["pandas: names, to_csv()"](tmp_path)
    assert xent_here("compute", *asked, "-q", cwd=tmp_path, env={"XENT_CLASSES": "3"}).code == 0
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nclasses = 3\n")
    assert xent_here("compute", *asked, "-q", cwd=tmp_path).code == 0
    assert xent_here("random", "--samples", "2", "--seed", "1", "-q", cwd=tmp_path).code == 0
    (tmp_path / "pyproject.toml").write_text('[tool.xent.compute]\nclasses = "a,b,c"\n')
    content = json.loads(xent_here("compute", *asked, "--json", cwd=tmp_path).out)
    assert content["input"]["class_names"] == ["a", "b", "c"]
