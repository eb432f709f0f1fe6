"""The losses of millions of samples on their way to a file or a pipe: in little memory, whole or not at all."""

from __future__ import annotations

import os
import pty
import resource
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import PROGRAM, SMALL, Ended, end, is_one_error, start, xent, xent_here

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 1_500_000  # more than are kept in memory, and as Python's objects a gigabyte
NONE = ("--reduction", "none")
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def many(rows: int) -> tuple[str, ...]:
    return ("random", "--samples", str(rows), "--classes", "2", "--seed", "1", *NONE)


def peak(*arguments: str, cwd: Path) -> int:
    """The most memory that a run takes, in KiB."""
    ended = end(start("-c", PEAK, *PROGRAM, *arguments, "-qq", cwd=cwd, program=(sys.executable,)))
    assert ended.code == 0, ended.err
    return int(ended.out)


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path) -> None:
    """Ten million rows end a job for memory after minutes of work."""
    samples = many(ROWS)
    outputs = [f"--report={form}={form}" for form in ("npy", "csv", "json")]
    more = peak(*samples, *outputs, cwd=tmp_path) - peak(*samples[:-1], "sum", cwd=tmp_path)
    assert more < 160 << 10  # what is kept in memory, the blocks on their way, and a piece of text
    array = np.load(tmp_path / "npy", mmap_mode="r")
    assert array.shape == (ROWS,)
    np.testing.assert_array_equal(array["row"], np.arange(ROWS))
    last = (tmp_path / "csv").read_bytes()[-300:].decode().splitlines()[-1].split(",")
    assert [float(cell) for cell in last[4:]] == [array[-1][name] for name in ("library", "manual", "lower", "upper")]
    with (tmp_path / "json").open("rb") as file:
        assert sum(b'"row": ' in line for line in file) >= ROWS


@pytest.mark.parametrize("form", ["csv", "json", "npy"])
def test_a_reader_that_has_read_enough(form: str, tmp_path: Path) -> None:
    """`xent ... | head` goes on for minutes, or ends with a traceback."""
    process = start(*many(100_000), "-f", form, "--report", "csv=whole", cwd=tmp_path)
    assert process.stdout
    assert process.stdout.read(1)
    process.stdout.close()
    process.stdout = None
    ended = end(process)
    assert (ended.code, ended.err) == (141, "")
    assert len((tmp_path / "whole").read_text().splitlines()) == 100_001


def limited(*arguments: str, cwd: Path) -> Ended:
    """The program where no file may be larger than a megabyte, as on a disk that is nearly full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    return xent(*arguments, cwd=cwd, preexec_fn=limit)


@pytest.mark.parametrize("form", ["csv", "npy"])
def test_a_disk_that_is_full_half_way(form: str, tmp_path: Path) -> None:
    """The first half of the losses is taken for all of them."""
    (tmp_path / "out").write_text("yesterday")
    ended = limited(*many(50_000), "-f", form, "-o", "out", cwd=tmp_path)
    assert is_one_error(ended), ended
    assert "File too large" in ended.err
    assert (tmp_path / "out").read_text() == "yesterday"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_array_in_a_pipe_is_the_one_in_a_file(tmp_path: Path) -> None:
    """`xent ... -f npy > losses.npy`: a byte more or less, and numpy reads other numbers."""
    piped = start(*SMALL, *NONE, "-f", "npy", "--report", "npy=a", cwd=tmp_path)
    out, err = piped.communicate(timeout=60)
    assert (out, err) == ((tmp_path / "a").read_bytes(), b"")
    assert list(np.load(tmp_path / "a")["row"]) == [0, 1, 2]


@pytest.mark.parametrize(
    "arguments", [("-f", "npy"), ("--report", "npy=a"), ("--reduction", "sum", "-o", "a", "-f", "npy")]
)
def test_totals_are_no_array(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Somebody who forgot --reduction none gets the losses of twenty rows for those of all."""
    ended = xent_here(*SMALL, *arguments, cwd=tmp_path)
    assert is_one_error(ended)
    assert "--reduction none" in ended.err
    assert not list(tmp_path.iterdir())


def test_no_bytes_on_a_terminal(tmp_path: Path) -> None:
    """The terminal rings, changes its letters and shows no number."""
    reader, terminal = pty.openpty()
    ended = xent(*SMALL, *NONE, "-f", "npy", cwd=tmp_path, stdout=terminal)
    os.close(terminal)
    assert is_one_error(ended)
    assert "-o losses.npy" in ended.err
    os.close(reader)


def test_a_conformance_report_is_no_array(tmp_path: Path) -> None:
    """`xent conform --help` offers a format that there is not."""
    ended = xent_here("conform", "x:y", "-f", "npy", cwd=tmp_path)
    assert is_one_error(ended)
    assert "npy" not in xent_here("conform", "--help", cwd=tmp_path).out
