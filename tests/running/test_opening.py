"""What a worker does before it computes: it opens the files itself, and finds what its client found, or says so."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from elsewhere import problem_of

from xentcli.errors import InputError, WorkersError
from xentcli.running.opening import Opening, there

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xentcli.question.problem import Problem


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """A worker computes in one thread."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    np.save(tmp_path / "logits.npy", np.zeros((4, 3), np.float32))
    np.save(tmp_path / "labels.npy", np.zeros(4, np.int64))
    paths = (str(tmp_path / "logits.npy"), str(tmp_path / "labels.npy"))
    return Opening.of(partial(problem_of, *paths), problem_of(*paths), certified=True)


def rows_of(problem: Problem) -> int:
    return problem.samples


def total(problem: Problem) -> float:
    return float(problem.block().logits.sum())


def test_what_is_sent_is_small(opening: Opening) -> None:
    """A client that sends data is the cluster's bottleneck."""
    assert len(pickle.dumps(opening)) < 1_000
    assert there(pickle.loads(pickle.dumps(opening)), rows_of).result == 4


@pytest.mark.parametrize(
    "other", [np.zeros((5, 3), np.float32), np.zeros((4, 2), np.float32), np.zeros((4, 3)), np.zeros((4, 3), np.half)]
)
def test_another_file_by_the_same_name(other: np.ndarray, opening: Opening, tmp_path: Path) -> None:
    """A worker with last week's files on its own disk would give last week's loss."""
    np.save(tmp_path / "logits.npy", other)
    if len(other) == 5:
        np.save(tmp_path / "labels.npy", np.zeros(5, np.int64))
    with pytest.raises(InputError, match="another file") as caught:
        there(opening, rows_of)
    assert f"logits.npy, worker on {os.uname().nodename}, process {os.getpid()}" in str(caught.value)


def test_each_run_reads_the_files_anew(opening: Opening, tmp_path: Path) -> None:
    """The workers of a cluster live for weeks, and files are written again in the meantime."""
    assert there(opening, total).result == 0.0
    np.save(tmp_path / "new.npy", np.ones((4, 3), np.float32))
    (tmp_path / "new.npy").replace(tmp_path / "logits.npy")
    assert there(opening, total).result == 0.0
    again = Opening.of(opening.make, opening.make(), certified=True)
    assert there(again, total).result == 12.0


def test_a_worker_of_another_version_that_came_later(opening: Opening) -> None:
    """The client looks once, at the beginning; those who come later look themselves."""
    versions = (("xentcli", "0.0.9"), *opening.versions[1:])
    with pytest.raises(WorkersError, match="other versions") as caught:
        there(replace(opening, run="another", versions=versions), rows_of)
    assert "xentcli 0.0.9" in str(caught.value)


def test_a_worker_whose_machine_cannot_certify(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """What enclosures assume of numpy must hold where they are computed."""
    monkeypatch.setattr("xentcli.running.opening.check_kernels", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        there(opening, rows_of)
    assert there(replace(opening, run="another", certified=False), rows_of).result == 4
