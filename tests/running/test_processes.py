"""Local processes that compute: the same bytes, a death that costs a retry, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import active_children
from typing import TYPE_CHECKING

import psutil
import pytest
from elsewhere import POLICY, Once, bytes_of, make_files, problem_of, until
from piped import piped
from process import SAMPLES, end, environment, is_one_error, start, xent_here

from xentcli.errors import WorkersError
from xentcli.running.engine import run
from xentcli.running.opening import Elsewhere
from xentcli.running.pipeline import in_order
from xentcli.running.processes import process_crew

if TYPE_CHECKING:
    from pathlib import Path

SLEEPER = """
import sys, time
from functools import partial
from xentcli.running.processes import process_crew
if __name__ == "__main__":
    try:
        with process_crew(2, 30.0) as crew:
            futures = [crew.submit(partial(time.sleep, 600)) for _ in range(3)]
            print("begun", flush=True)
            crew.result(futures[0])
    except KeyboardInterrupt:
        sys.exit(130)
"""


def _kill_one() -> None:
    active_children()[0].kill()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many batches that there is a middle, and work for everybody."""
    monkeypatch.setattr("xentcli.running.engine.BATCH_BYTES", 4 << 20)


def test_jobs_give_the_bytes_of_one_thread(files: tuple[str, str], tmp_path: Path) -> None:
    """The number must not tell how many cores somebody had."""
    asked = ("compute", *files, "--json", "--metrics")  # whose bins and worst rows come from all of them, too
    three = xent_here(*asked, "--jobs", "3", "--block-bytes", "2M", cwd=tmp_path)
    assert not active_children()
    assert three.out == xent_here(*asked, cwd=tmp_path).out
    assert (three.code, three.err) == (0, "")


def test_a_process_that_is_killed_costs_a_retry(files: tuple[str, str]) -> None:
    """The system kills processes when memory is short: nothing is lost, and nothing is counted twice."""
    progress = Once(_kill_one)
    elsewhere = Elsewhere(partial(process_crew, 2, 30.0), partial(problem_of, *files))
    survived = run(problem_of(*files), POLICY, elsewhere=elsewhere, progress=progress)
    assert not active_children()
    assert bytes_of(survived) == bytes_of(run(problem_of(*files), POLICY, threads=1))


def test_a_process_that_stands_still_is_replaced(files: tuple[str, str]) -> None:
    """A debugger, or a batch system that takes a machine back for a while, stops a process: it may never go on."""
    progress = Once(lambda: psutil.Process(active_children()[0].pid).suspend())
    elsewhere = Elsewhere(partial(process_crew, 2, 0.5), partial(problem_of, *files))
    survived = run(problem_of(*files), POLICY, elsewhere=elsewhere, progress=progress)
    assert not active_children()
    assert bytes_of(survived) == bytes_of(run(problem_of(*files), POLICY, threads=1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_stopped_processes_too(number: signal.Signals, files: tuple[str, str], tmp_path: Path) -> None:
    """Who cancels a job must get its machine back, whatever one of its processes does."""
    arguments = ("compute", *files, "--jobs", "2", "--reference", "exact", "-o", "out", "--jobs-timeout", "600")
    process = start(*arguments, cwd=tmp_path)
    parent = psutil.Process(process.pid)
    until(lambda: len(parent.children(recursive=True)) >= 2)
    children = parent.children(recursive=True)
    for child in children:
        child.suspend()
    process.send_signal(number)
    began = time.monotonic()
    assert end(process).code == 128 + number
    assert time.monotonic() - began < 20.0  # two seconds on a machine that is not busy
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert not list(tmp_path.iterdir())


def test_work_that_kills_whoever_does_it_is_given_up() -> None:
    """Samples that no memory holds must end the run, not start processes for ever."""
    with pytest.raises(WorkersError, match="died each time"), process_crew(2, 30.0) as crew:
        list(in_order(crew, [partial(os._exit, 1)]))
    assert not active_children()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_orphans(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group and prints nothing; after SIGKILL, which goes to one alone, the others end too."""
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    process = subprocess.Popen(
        [sys.executable, str(script)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    children = psutil.Process(process.pid).children()
    assert len(children) >= 2
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert number == signal.SIGKILL or not errors
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Its data come once, to this process; that is said before anything is read."""
    labels = SAMPLES / "tutorial" / "labels.npy"
    with piped(labels.read_bytes()) as path:
        ended = xent_here("compute", str(labels.with_name("logits.npy")), path, "--jobs", "2", cwd=tmp_path)
    assert is_one_error(ended)
    assert "only once" in ended.err


def test_processes_or_a_cluster(tmp_path: Path) -> None:
    """Both at once is a slip; what is typed wins over what stands in the environment."""
    files = [str(SAMPLES / "tutorial" / name) for name in ("logits.npy", "labels.npy")]
    both = xent_here("compute", *files, "--jobs", "2", "--cluster", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert is_one_error(both)
    assert "--jobs and --cluster" in both.err
    setting = {"XENT_CLUSTER": "tcp://127.0.0.1:1", "XENT_CLUSTER_TIMEOUT": "0.1"}
    assert xent_here("compute", *files, "--jobs", "2", cwd=tmp_path, env=setting).code == 0
