"""`xent explain --codes` and `xent explain CODE`: what a reader of a report looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import xent_here

from xentcli.diagnose.codes import CODES

if TYPE_CHECKING:
    from pathlib import Path


def test_all_codes_are_listed(tmp_path: Path) -> None:
    """A code that is not listed cannot be looked for."""
    ended = xent_here("explain", "--codes", cwd=tmp_path)
    assert ended.code == 0
    words = {line.split(" ")[0] for line in ended.out.splitlines()}
    assert CODES.keys() <= words


@pytest.mark.parametrize("name", ["sum-instead-of-mean", "chance-level"])
def test_a_code_is_explained_with_numbers(name: str, tmp_path: Path) -> None:
    """The definition, the example, and what the report says of it."""
    ended = xent_here("explain", name, cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith(f"{name}, a {CODES[name][0].kind}\n")
    assert "Example\nlogits" in ended.out


def test_a_code_that_is_both_is_explained_twice(tmp_path: Path) -> None:
    """softmax-underflow explains a claim of inf, and is found in an input."""
    out = xent_here("explain", "softmax-underflow", cwd=tmp_path).out
    assert "softmax-underflow, a cause\n" in out
    assert "softmax-underflow, a finding\n" in out


def test_a_file_wins_over_a_code_of_its_name(tmp_path: Path) -> None:
    """Nobody's file is shadowed by a word of ours."""
    np.save(tmp_path / "bits.npy", np.zeros((2, 2)))
    (tmp_path / "bits.npy").rename(tmp_path / "bits")
    ended = xent_here("explain", "bits", cwd=tmp_path)
    assert ended.code == 2
    assert "the labels are missing" in ended.err


def test_an_unknown_code_is_a_missing_file(tmp_path: Path) -> None:
    """A misspelt code says what is missing instead."""
    ended = xent_here("explain", "softmax-thrice", cwd=tmp_path)
    assert ended.code == 2
    assert "error: no such file" in ended.err
