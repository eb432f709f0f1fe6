"""Files with one fault each, given to the command: always one readable message, never a traceback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hostile import FILES
from process import is_one_error, xent, xent_here

if TYPE_CHECKING:
    from pathlib import Path

BY_PROCESS = (
    "place: missing",
    "place: directory",
    "place: link to nothing",
    "place: link to itself",
    "place: zeros without end",
    "format: real pickle",
    "npy: sparse and too long",
    "column: position too great",
)


def arguments(name: str, folder: Path) -> list[str]:
    """What computes the loss of this hostile file, which is written here."""
    file = FILES[name]
    path, labels = folder / f"hostile{file.suffix}", folder / "labels.npy"
    folder.mkdir(exist_ok=True)
    file.write(path)
    np.save(labels, np.zeros(2, np.int64))
    return ["compute", str(path), *([str(labels)] if file.column is None else [f"--label-column={file.column}"])]


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_told_in_one_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, or a number printed all the same, sends its reader away from the fault in the file."""
    monkeypatch.chdir(tmp_path)  # the socket among them has a short name
    ended = xent_here(*arguments(name, tmp_path), cwd=tmp_path)
    assert is_one_error(ended), ended
    assert FILES[name].says in ended.err
    assert "\x1b" not in ended.err


def test_a_process_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above runs in this process must be what a user's process prints."""
    monkeypatch.chdir(tmp_path)
    given = {name: arguments(name, tmp_path / f"{number}") for number, name in enumerate(BY_PROCESS)}
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda name: xent(*given[name], cwd=tmp_path), BY_PROCESS))
    for name, one in zip(BY_PROCESS, ended, strict=True):
        assert is_one_error(one), (name, one)
        assert FILES[name].says in one.err
