"""Blocks that are computed elsewhere: whatever is asked for, and however the input is stored, no byte tells where."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from elsewhere import bytes_of, change, sent_crew
from process import xent_here

from xentcli.errors import InputError
from xentcli.question.claims import Claim
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange
from xentcli.running.engine import measure_rows, run
from xentcli.running.opening import Elsewhere
from xentcli.running.partial import Asked, Partial
from xentcli.sources.named import NamedInputs
from xentcli.sources.pairs import open_inputs

Result = TypeVar("Result")

ROWS = 60
NAMED = NamedInputs("logits-*.npy", "labels-*.npy", None, None, None)
POLICY = Policy(rows=3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty rows in three files, which are streamed, some blocks at a time."""
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    monkeypatch.setattr("xentcli.running.engine.BATCH_BYTES", 150)
    generator = np.random.default_rng(0)
    logits, labels = generator.standard_normal((ROWS, 5)).astype(np.float32), generator.integers(0, 5, ROWS)
    logits[41, 2] = 120.0
    for number, rows in enumerate(np.split(np.arange(ROWS), [7, 40])):
        np.save(tmp_path / f"logits-{number}.npy", logits[rows])
        np.save(tmp_path / f"labels-{number}.npy", labels[rows])
    return tmp_path


def problem_in(folder: Path, options: Options, block_bytes: int = 65) -> Problem:
    """Blocks of three rows, or of as many bytes."""
    arrays = open_inputs(str(folder / "logits-*.npy"), str(folder / "labels-*.npy"), None)
    return Problem(*arrays, options, block_bytes)


def elsewhere(folder: Path, options: Options) -> Elsewhere:
    """Where the same problem is opened, cut as usual."""
    return Elsewhere(sent_crew, partial(problem_in, folder, options, 1 << 20))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("claim", [None, "3.5"])
def test_no_byte_tells_where(reduction: str, claim: str | None, folder: Path) -> None:
    """The totals, the tables, the rows that are named, and every sample of a run without a reduction."""
    if claim and reduction == "none":
        return
    options = Options(reduction=reduction)
    policy = replace(POLICY, expect=None if claim is None else Claim.parse(claim))
    problem = problem_in(folder, options)
    there = run(problem, policy, elsewhere=elsewhere(folder, options))
    assert problem.streamed
    assert bytes_of(there) == bytes_of(run(problem, policy, threads=1))


def test_shares_and_what_was_begun(folder: Path) -> None:
    """A run that was interrupted here goes on there, and the other way round."""
    problem, rows = replace(problem_in(folder, Options()), in_parts=True), RowRange(20, 50)
    asked = Asked.of(problem, POLICY)

    def partial_of(begun: int, *, there: bool) -> bytes:
        moments = [None]
        first, rest = (None, elsewhere(folder, Options())) if there else (elsewhere(folder, Options()), None)
        measure_rows(problem, POLICY, rows, None, moments.append, elsewhere=first)
        facts = measure_rows(problem, POLICY, rows, moments[begun], elsewhere=rest)
        return Partial.of(asked, NAMED, rows.start, facts).to_bytes()

    found = {partial_of(begun, there=there) for begun in (0, 2, -1) for there in (False, True)}
    assert len(found) == 1


@pytest.fixture
def copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same files on a disk of its own, as machines without a shared one have them; few rows are looked at first."""
    monkeypatch.setattr("xentcli.running.identity.PLACE_BYTES", 1)
    return Path(shutil.copytree(folder, folder / "copy"))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_copies_are_the_same_input(reduction: str, folder: Path, copied: Path) -> None:
    """Workers that have the files on their own disks are believed once what they read is compared."""
    options = Options(reduction=reduction)
    there = run(problem_in(folder, options), POLICY, elsewhere=elsewhere(copied, options))
    assert bytes_of(there) == bytes_of(run(problem_in(folder, options), POLICY, threads=1))


@pytest.mark.parametrize("keep_time", [False, True])
@pytest.mark.parametrize("kind", ["logits", "labels"])
def test_one_other_number_there_is_refused(kind: str, keep_time: bool, folder: Path, copied: Path) -> None:
    """Last week's file of this name, shape and type: the mean would be of neither file."""
    change(copied / f"{kind}-1.npy", 15, keep_time=keep_time)
    with pytest.raises(InputError, match="a worker read other numbers") as caught:
        run(problem_in(folder, Options()), POLICY, elsewhere=elsewhere(copied, Options()))
    assert f"{kind}-*.npy, worker on {platform.node()}, process {os.getpid()}" in str(caught.value)


def test_files_that_are_shared_are_read_by_workers_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One disk for all: the client must not read what its workers read."""
    monkeypatch.setattr("xentcli.running.opening.differing", lambda *_: 1 / 0)
    assert run(problem_in(folder, Options()), POLICY, elsewhere=elsewhere(folder, Options())).verdict == "holds"


def test_causes_are_looked_for_in_our_files(folder: Path, copied: Path) -> None:
    """A worker with other files would name the mistake of somebody else."""
    policy = replace(POLICY, expect=Claim.parse("3.5"))
    here = run(problem_in(folder, Options()), policy, threads=1)
    there = run(problem_in(folder, Options()), policy, elsewhere=elsewhere(copied, Options()))
    assert bytes_of(there) == bytes_of(here)


def test_jobs_take_every_way_to_run(folder: Path) -> None:
    """Two processes, several files by a pattern of this folder, and a run that can go on later."""
    arguments = ("compute", "logits-*.npy", "labels-*.npy", "--json", "--block-bytes", "65")
    here = xent_here(*arguments, "--partial", "here.json", cwd=folder)
    there = xent_here(*arguments, "--partial", "there.json", "--resume", "saved.json", "--jobs", "2", cwd=folder)
    assert (here.code, here.out, here.err) == (there.code, there.out, there.err)
    assert len({(folder / name).read_bytes() for name in ("here.json", "there.json", "saved.json")}) == 1


def test_standard_input_is_for_this_process(folder: Path) -> None:
    """Said in one sentence, before it is read."""
    ended = xent_here("compute", "-", "labels-0.npy", "--jobs", "2", cwd=folder)
    assert ended.code == 2
    assert "only once" in ended.err
