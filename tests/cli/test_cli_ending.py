"""A signal ends all that a run began, within seconds, whatever hangs: no orphan, and no unfinished file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from process import AGREES, INSTANT, end, start, xent
from test_cli_signals import REPORT, until

if TYPE_CHECKING:
    from pathlib import Path

SOON = 12.0  # seconds: two, on a machine that is busy

# A command whose main thread waits in a library, which hears of no signal, with a file and a process under way.
DEAF = """
import ctypes, subprocess, sys
from pathlib import Path
from xentcli.cli.ending import ending
from xentcli.cli.output import WholeFile, made_folder
with ending(), made_folder(Path("folder")), WholeFile(Path("folder/out")) as file:
    file.write(b"half")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print(child.pid, flush=True)
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""

HANGING = {
    "when it is imported": "import time\ntime.sleep(600)\n",
    "at its first call": "import time\ndef cross_entropy(logits, target, **options):\n    time.sleep(600)\n",
}
# The same, and a process of its own that has left the session.
STARTING = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "open({path!r}, 'w').write(str(child.pid))\n"
)


def gone(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + SOON
    while not gone(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="the mutex is glibc's, the processes are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_hears_of_no_signal_ends_too(number: signal.Signals, tmp_path: Path) -> None:
    """A library that waits for ever holds the main thread, where Python would tell of the signal."""
    process = start(cwd=tmp_path, program=(sys.executable, "-c", DEAF))
    assert process.stdout
    child = int(process.stdout.readline())
    time.sleep(0.2)
    process.send_signal(number)
    began = time.monotonic()
    assert end(process).code == 128 + number
    assert time.monotonic() - began < SOON
    wait_until_gone(child)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_who_asks_twice(numbers: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """A second Ctrl-C must not end the tidying up in its middle, with a traceback."""
    begun = tmp_path / "begun"
    arguments = (*REPORT, "-o", "out", "--report", "json=more", "--digits", "1000")
    process = start(*arguments, cwd=tmp_path, env={"BEGUN": str(begun)}, program=INSTANT)
    until(begun.exists, process)
    begun.unlink()
    for number in numbers:
        process.send_signal(number)
    ended = end(process)
    assert ended.code in {128 + number for number in numbers}  # the system gives both in an order of its own
    assert "Traceback" not in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["logits", "standard input", "labels", "weights"])
def test_a_pipe_that_nobody_writes_to(place: str, number: signal.Signals, tmp_path: Path) -> None:
    """It may be waited for, as it is the user's own; he must be able to end that."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    logits, labels = AGREES
    arguments = {
        "logits": (str(pipe), labels),
        "standard input": ("-", labels),
        "labels": (logits, str(pipe)),
        "weights": (logits, labels, "--weight", str(pipe)),
    }[place]
    process = start("compute", *arguments, "-o", "out", cwd=tmp_path, stdin=subprocess.PIPE)
    until(lambda: len(list(tmp_path.iterdir())) == 2, process)
    time.sleep(3.0)
    assert process.poll() is None
    process.send_signal(number)
    began = time.monotonic()
    ended = end(process)
    assert time.monotonic() - began < SOON
    assert (ended.code, ended.out) == (128 + number, "")
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("where", HANGING)
def test_an_implementation_that_hangs_is_given_up(where: str, tmp_path: Path) -> None:
    """At its import or its first call: --start-limit is the limit of both together."""
    (tmp_path / "hangs.py").write_text(HANGING[where])
    began = time.monotonic()
    ended = xent("conform", "hangs.py", "--only", "plain", "--start-limit", "3", cwd=tmp_path)
    assert time.monotonic() - began < 45.0
    assert ended.code == 1
    assert "hangs: no answer within 3 s" in " ".join(ended.out.split())


@pytest.mark.skipif(sys.platform != "linux", reason="who left the session is found in /proc")
@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_that_an_implementation_started(
    number: signal.Signals, is_stopped: bool, tmp_path: Path
) -> None:
    """A kernel's workers would go on, and hold the GPU."""
    note = tmp_path / "note"
    (tmp_path / "hangs.py").write_text(STARTING.format(path=str(note)) + HANGING["when it is imported"])
    process = start("conform", "hangs.py", "--only", "plain", "-o", "out", cwd=tmp_path)
    until(lambda: note.exists() and bool(note.read_text()), process)
    grandchild = int(note.read_text())
    (child,) = psutil.Process(process.pid).children()
    if is_stopped:
        child.suspend()
    process.send_signal(number)
    began = time.monotonic()
    assert end(process).code == 128 + number
    assert time.monotonic() - began < SOON
    wait_until_gone(child.pid)
    wait_until_gone(grandchild)
    assert not [path for path in tmp_path.iterdir() if path.name == "out" or path.name.startswith(".xent-")]
