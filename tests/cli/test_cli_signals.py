"""Runs that somebody ends, and streams that nobody reads: nothing half-written is left, and no traceback is shown."""

from __future__ import annotations

import os
import pty
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process import DIFFERS, INSTANT, PROGRAM, TIMEOUT, end, is_one_error, start, xent
from screen import Screen

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

MINUTES = ("random", "--samples", "3000", "--classes", "1000", "--reference", "exact")  # of computing, in little memory
REPORT = ("compute", *DIFFERS)
FULL = Path("/dev/full")
INTERRUPTED = r"interrupted while computing: [\d,]+ of 16,384 rows done\n  so far    mean 14\.8583564990698\n"


def until(begun: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not begun():
        assert process.poll() is None, end(process)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def unwritable() -> int:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside(number: signal.Signals, tmp_path: Path) -> None:
    """A job that is cancelled must leave no file that a later step takes for a result."""
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the signal is ignored here, and so in every process started from here")
    outputs = ("-o", "out", "--report", "json=more")
    begun = tmp_path / "begun"
    process = start(*REPORT, *outputs, "--digits", "1000", cwd=tmp_path, env={"BEGUN": str(begun)}, program=INSTANT)
    until(begun.exists, process)
    begun.unlink()
    assert len(list(tmp_path.iterdir())) == 2
    process.send_signal(number)
    ended = end(process)
    assert (ended.code, ended.out) == (128 + number, "")
    assert re.fullmatch(INTERRUPTED, ended.err)
    assert not list(tmp_path.iterdir())


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """`nohup xent ...` goes on when its terminal is closed."""
    nohup = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *INSTANT]
    process = start(*REPORT, "--digits", "1000", "-o", "out", cwd=tmp_path, program=nohup)
    until(lambda: bool(list(tmp_path.iterdir())), process)
    for number in (signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    assert end(process).code == 128 + signal.SIGTERM


def test_interrupted_at_a_terminal(tmp_path: Path) -> None:
    """In the middle of real work: nothing is saved, the next prompt stands on its own line, no colour is left on."""
    reader, terminal = pty.openpty()
    arguments = (*MINUTES, "--save", "data", "-o", "out")
    process = start(*arguments, cwd=tmp_path, stdout=terminal, stderr=terminal)
    os.close(terminal)
    until(lambda: any(path.stat().st_size > 1_000_000 for path in tmp_path.glob("data/.xent-*")), process)
    process.send_signal(signal.SIGINT)
    assert end(process).code == 130
    seen = Screen(80).feed(os.read(reader, 100_000).decode())
    os.close(reader)
    assert re.fullmatch(
        r"interrupted while (drawing the data|(computing|drawing the data): [\d,]+ of 3,000 rows done)\n", seen.text()
    )
    assert seen.cursor
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("env", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_reader_that_has_read_enough(env: dict[str, str], tmp_path: Path) -> None:
    """`xent ... | head -1` shows its line and nothing else, and a report cut short is not taken for a whole one."""
    process = start(*REPORT, "--json", "--rows", "3000", cwd=tmp_path, env=env, program=INSTANT)  # more than pipes hold
    assert process.stdout
    assert process.stdout.readline() == b"{\n"
    process.stdout.close()
    process.stdout = None
    ended = end(process)
    assert (ended.code, ended.err) == (141, "")


@pytest.mark.parametrize("arguments", [REPORT, ("--help",), ("completion", "bash"), (*REPORT, "-o", "/dev/stdout")])
def test_a_reader_that_never_was(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """click would end the process with 1 here, which would say that a loss is wrong."""
    writer = unwritable()
    ended = xent(*arguments, cwd=tmp_path, stdout=writer, program=INSTANT)
    os.close(writer)
    assert (ended.code, ended.err) == (141, "")


def test_nobody_reads_the_error(tmp_path: Path) -> None:
    """An error that cannot be told is still an error: not 1, with which Python itself would end."""
    writer = unwritable()
    ended = xent("compute", "nothing", "nothing", cwd=tmp_path, stderr=writer)
    os.close(writer)
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize(("arguments", "code"), [((*REPORT, "--exit-zero"), 0), (("compute", "no", "no"), 2)])
def test_closed_streams(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """`xent ... >&- 2>&-`, as a job without streams starts it: the exit code is all that is left."""
    closing = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *INSTANT]
    assert xent(*arguments, cwd=tmp_path, program=closing).code == code


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [REPORT, ("--help",)])
def test_a_full_disk(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A report that was lost on its way must not end as if all were well."""
    with FULL.open("wb") as full:
        ended = xent(*arguments, cwd=tmp_path, stdout=full, program=INSTANT)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert "No space left" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("arguments", [("compute", "-", "no"), ("compute", "@-", "no")])
def test_a_closed_standard_input(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """`xent compute - <&-` ended with a bug of ours."""
    (tmp_path / "no").write_text("0\n")
    closing = ["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM]
    ended = xent(*arguments, cwd=tmp_path, program=closing)
    assert is_one_error(ended)
    assert "standard input is closed" in ended.err
