"""Local processes that compute: each a Python of its own, with one thread of torch."""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from xentcli.running.memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")


class Processes:
    """A pool that is started again when one of its processes dies, which ends them all."""

    def __init__(self, count: int) -> None:
        """The processes start when there is work for them."""
        self._count = count
        self._others = set(active_children())
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
        return future.result()

    def workers(self) -> int:
        return self._count

    def mend(self) -> None:
        """Start all processes again."""
        self._pool.shutdown()
        self._pool = _pool(self._count)

    def close(self) -> None:
        """Wait until all processes have ended."""
        self._pool.shutdown(cancel_futures=True)

    def kill(self) -> None:
        """End all processes, whatever they compute."""
        for process in set(active_children()) - self._others:
            process.terminate()


@contextmanager
def process_crew(count: int) -> Iterator[Processes]:
    """So many processes, of which none is left behind."""
    crew = Processes(count)
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
