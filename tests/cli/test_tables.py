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
