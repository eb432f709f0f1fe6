"""Work on many blocks at once, whose results come in the blocks' order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # blocks that a worker has before it: one that it computes, one that waits


def over_blocks(function: Callable[[Item], Result], blocks: Iterable[Item], workers: int) -> Iterator[Result]:
    """The result of each block, in the blocks' order."""
    with threads(workers) as executor:
        yield from in_order(executor, function, blocks, workers)


def in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """The results of all items in their order, with few of them under way, whatever their number."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def threads(count: int) -> Iterator[Executor]:
    """Threads that compute a block each, on one core each: torch's own threads would wait for Python between them."""
    before = torch.get_num_threads()
    executor = ThreadPoolExecutor(count, "xent", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield executor
        executor.shutdown()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for a block that nobody will read
        torch.set_num_threads(before)  # what a worker sets for itself holds for threads that come later, too
