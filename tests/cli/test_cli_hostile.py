"""Files with one fault each, given to the command: always one readable message, never a traceback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hostile import FILES
from process import is_one_error, xent, xent_here

from xentcli.errors import Exit

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


@pytest.mark.parametrize(
    "options", [("-o", "z.npy"), ("-o", "./y.npy"), ("--report", "json=w.npy"), ("-o", "link.npy")]
)
def test_an_output_never_takes_the_place_of_an_input(options: tuple[str, ...], tmp_path: Path) -> None:
    """A typing error of one letter must not cost the logits of a night."""
    np.save(tmp_path / "z.npy", np.zeros((2, 3)))
    np.save(tmp_path / "y.npy", np.zeros(2, int))
    np.save(tmp_path / "w.npy", np.ones(3))
    (tmp_path / "link.npy").symlink_to("z.npy")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for names in (("z.npy", "y.npy"), ("z*.npy", "y.npy")):
        ended = xent_here("compute", *names, "--weight", "w.npy", *options, cwd=tmp_path)
        assert ended.code == Exit.BAD_INPUT
        assert "would take the place of an input" in ended.err
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["no\x1b[31m.npy", "no\x07.npy", "no\u202e.npy", "no\nerror: all is well.npy"])
def test_a_name_does_not_steer_the_terminal(name: str, tmp_path: Path) -> None:
    """A downloaded file's name could paint over an error, or begin one of its own."""
    for path in (name, "z.npy"):
        (tmp_path / path).write_bytes(b"a")
        ended = xent_here("compute", path, name, cwd=tmp_path)
        assert ended.code == Exit.BAD_INPUT
        assert ended.err.count("error:") == ended.err.count("error: all is well") + 1
        assert all(sign.isprintable() or sign == "\n" for sign in ended.err)
        assert not any(line.startswith("error: all") for line in ended.err.splitlines())


@pytest.mark.parametrize("arguments", [
    ("merge", "/dev/zero"), ("conform", "torch.nn.functional:cross_entropy", "--only", "ties", "--xfail", "/dev/zero"),
])  # fmt: skip
def test_a_file_without_an_end_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """It took gigabytes."""
    ended = xent_here(*arguments, cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    assert "this is too long for a" in ended.err
