"""Local processes that compute: each a Python of its own, with one thread of torch."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from xentcli.running.memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

Result = TypeVar("Result")

LOOK_SECONDS = 0.2  # between two looks at whether a process was stopped


class Processes:
    """A pool that is started again when one of its processes dies, which ends them all."""

    def __init__(self, count: int, timeout: float) -> None:
        """The processes start when there is work for them; `timeout` is how many seconds one may stand still."""
        self._count, self._timeout = count, timeout
        self._others = set(active_children())
        self._stopped: dict[BaseProcess, float] = {}  # since when
        self._pool = _pool(count)

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        with _interrupts_kept_from_children():
            try:
                return self._pool.submit(call)
            except BrokenExecutor as error:  # since the last result
                lost: Future[Result] = Future()
                lost.set_exception(error)
                return lost

    def result(self, future: Future[Result]) -> Result:
        while True:
            try:
                return future.result(LOOK_SECONDS)
            except TimeoutError:
                if future.done():  # meanwhile, or the error is the call's own
                    return future.result()
                self._end_stopped()

    def workers(self) -> int:
        return self._count

    def mend(self) -> None:
        """Start all processes again."""
        self.kill()
        self.close()
        self._pool = _pool(self._count)

    def close(self) -> None:
        """Wait until all processes have ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        while own := self._own():
            own.pop().join(LOOK_SECONDS)
            self._end_stopped()

    def kill(self) -> None:
        """End all processes, whatever they compute; a stopped one hears no other signal."""
        for process in self._own():
            process.kill()

    def _own(self) -> set[BaseProcess]:
        return set(active_children()) - self._others

    def _end_stopped(self) -> None:
        """Kill those that somebody stopped too long ago: what they compute is given out again."""
        now = monotonic()
        self._stopped = {process: self._stopped.get(process, now) for process in self._own() if _is_stopped(process)}
        for process, since in self._stopped.items():
            if now - since > self._timeout:
                process.kill()


@contextmanager
def process_crew(count: int, timeout: float = 30.0) -> Iterator[Processes]:
    """So many processes, of which none is left behind; one that stands still for `timeout` seconds is replaced."""
    crew = Processes(count, timeout)
    try:
        yield crew
    except BaseException:
        crew.kill()
        raise
    finally:
        crew.close()


def _pool(count: int) -> ProcessPoolExecutor:
    """Spawned, as a fork would take along locks that torch's threads hold."""
    return ProcessPoolExecutor(count, get_context("spawn"), initializer=_prepare)


def _is_stopped(process: BaseProcess) -> bool:
    """Whether a signal holds it; where the system does not say so, it is taken to work."""
    with suppress(OSError, AttributeError):
        return os.waitid(os.P_PID, process.pid or 0, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    return False


def _prepare() -> None:
    """What each process does before it works."""
    keep_freed_memory()
    _end_with_parent()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Ctrl-C goes to all processes of a terminal: those that start here leave it to their parent, and print nothing."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
