"""An input that is streamed, and real processes that compute it: a dask scheduler and its workers on this machine."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from process import TIMEOUT, environment

from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running.pipeline import Threads, thread_crew
from xentcli.sources.open import open_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from xentcli.records.progress import Progress
    from xentcli.records.report import Report

Result = TypeVar("Result")

TESTS = Path(__file__).parent
LOCAL = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")  # every port is one that is free
POLICY = Policy(rows=3)
BLOCK_BYTES = 4 << 20  # so many blocks that a run has a middle


def make_files(folder: Path) -> tuple[str, str]:
    """76 MiB of logits, which are streamed; most are zeros, and one row is far off."""
    generator = np.random.default_rng(0)
    path = folder / "logits.npy"
    logits = np.lib.format.open_memmap(path, "w+", np.float32, (20_000, 1_000))
    logits[::101] = generator.standard_normal((len(logits[::101]), 1_000))
    logits[15_003, 2] = 150.0
    logits.flush()
    np.save(folder / "labels.npy", generator.integers(0, 1_000, 20_000))
    return str(path), str(folder / "labels.npy")


def problem_of(logits: str, labels: str) -> Problem:
    return Problem(open_array(logits), open_array(labels, "labels"), Options(), BLOCK_BYTES)


def problem_here(logits: str, labels: str) -> Problem:
    """The same from the disk of the machine: that of a worker may hold other files by these names."""
    folder = os.environ.get("DISK")
    paths = [str(Path(folder, Path(path).name)) if folder else path for path in (logits, labels)]
    return problem_of(*paths)


def bytes_of(report: Report) -> str:
    return json.dumps(report.to_dict())


class Once:
    """A progress that does something after the first result, in the middle of the run."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action, self.calls = action, 0

    def __call__(self, progress: Progress) -> None:
        self.calls += progress.done > 0
        if self.calls == 1:
            self.action()


class Dask:
    """A scheduler, and workers of one thread each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))

    @property
    def address(self) -> str:
        until(lambda: self.file.exists() and bool(self.file.read_bytes()))
        return str(json.loads(self.file.read_bytes())["address"])

    def hire(self, *path: str, **variables: str) -> None:
        """One more worker, which finds packages in these folders first, and has these variables."""
        own = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        self.workers.append(self._start("worker", self.address, *own, path=path, **variables))

    def stop_scheduler(self) -> None:
        """It stands still, as under a debugger."""
        self.scheduler.send_signal(signal.SIGSTOP)

    def _start(
        self, role: str, *arguments: str, path: tuple[str, ...] = (), **variables: str
    ) -> subprocess.Popen[bytes]:
        found = ":".join([*path, str(TESTS.parent), str(TESTS)])
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *LOCAL, *arguments]
        log = (self.folder / f"{role}.log").open("ab")
        with log:
            return subprocess.Popen(command, env=environment(PYTHONPATH=found, **variables), stdout=log, stderr=log)


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[Dask]:
    """A cluster of which nothing is left behind."""
    cluster = Dask(folder)
    try:
        for _ in range(workers):
            cluster.hire()
        yield cluster
    finally:
        for process in (*cluster.workers, cluster.scheduler):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Sent(Threads):
    """Threads to which everything goes as bytes, there and back, as to other processes."""

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        return self.executor.submit(_answer, pickle.dumps(call))

    def result(self, future: Future[Result]) -> Result:
        answer: Result = pickle.loads(pickle.dumps(future.result()))
        return answer


def _answer(call: bytes) -> object:
    return pickle.loads(call)()


@contextmanager
def sent_crew() -> Iterator[Sent]:
    with thread_crew(2) as crew:
        yield Sent(crew.executor, crew.count)


def change(path: Path, row: int, *, keep_time: bool = False) -> None:
    """Another number in one row, where only who reads all of them sees it."""
    before = path.stat()
    values = np.load(path)
    values[row] = (values[row] + 1) % 5
    np.save(path, values)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
