"""Work on many blocks at once, whose results come in the blocks' order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from xentcli.errors import WorkersError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

    Waiting = deque[tuple[Callable[[], "Result"], Future["Result"]]]

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # calls that a worker has before it: one that it computes, one that waits
LOST = BrokenExecutor, CancelledError  # what a future ends with when its worker, or the way to it, is gone
TRIES = 4  # for one result: an item that kills whoever computes it must not be tried for ever


class Crew(Protocol):
    """Who computes: an executor, how many workers it has now, and what becomes of work that is lost."""

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """The work under way; a future ends with one of LOST when nobody does it any more."""
        ...

    def result(self, future: Future[Result]) -> Result:
        """Wait for it; WorkersError once that is in vain."""
        ...

    def workers(self) -> int:
        """How many compute at once, at least 1; they may come and go."""
        ...

    def mend(self) -> None:
        """Make ready for work after some was lost; WorkersError where that cannot be."""


def in_order(crew: Crew, calls: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """The results of all calls in their order, with few of them under way, whatever their number."""
    waiting: Waiting[Result] = deque()
    try:
        for call in calls:
            waiting.append((call, crew.submit(call)))
            while len(waiting) >= AHEAD * crew.workers():
                yield _first(crew, waiting)
        while waiting:
            yield _first(crew, waiting)
    finally:
        for _, future in waiting:
            future.cancel()


def _first(crew: Crew, waiting: Waiting[Result]) -> Result:
    """The result of the first call, which leaves the queue; all that was lost is given out again."""
    for _ in range(TRIES):
        try:
            result = crew.result(waiting[0][1])
        except LOST:
            crew.mend()
            again = [(call, crew.submit(call) if _is_lost(future) else future) for call, future in waiting]
            waiting.clear()
            waiting.extend(again)
        else:
            waiting.popleft()
            return result
    raise WorkersError(
        "a worker died each time it computed the same samples",
        found=f"{TRIES} tries",
        hint="out of memory? fewer workers at once, or smaller blocks",
    )


def _is_lost(future: Future[Any]) -> bool:
    return future.cancelled() or (future.done() and isinstance(future.exception(), LOST))


def batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Runs of consecutive items."""
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch


@dataclass(frozen=True)
class Threads:
    """Workers in this process, which see its memory and live as long as it does."""

    executor: Executor
    count: int

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        return self.executor.submit(call)

    def result(self, future: Future[Result]) -> Result:
        return future.result()

    def workers(self) -> int:
        return self.count

    def mend(self) -> None:
        """Nothing to do: a thread does not die."""


@contextmanager
def thread_crew(count: int) -> Iterator[Threads]:
    """Threads that compute a block each, on one core each: torch's own threads would wait for Python between them."""
    before = torch.get_num_threads()
    executor = ThreadPoolExecutor(count, "xent", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield Threads(executor, count)
        executor.shutdown()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for a block that nobody will read
        torch.set_num_threads(before)  # what a worker sets for itself holds for threads that come later, too
