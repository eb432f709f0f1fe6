"""The queue of work: every result once and in its place, whoever is lost, and never much under way."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import WorkersError
from xentcli.running.pipeline import AHEAD, TRIES, batches, in_order, thread_crew

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Unreliable:
    """Workers whose number changes, and who lose what `fates` says: "done", "broken" or "cancelled", in turn."""

    def __init__(self, fates: list[str], sizes: list[int]) -> None:
        self.fates, self.sizes = fates, sizes
        self.submitted = self.mended = self.under_way = self.most = 0

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        fate = self.fates[self.submitted] if self.submitted < len(self.fates) else "done"
        self.submitted += 1
        self.under_way += 1
        future: Future[Result] = Future()
        if fate == "done":
            future.set_result(call())
        elif fate == "broken":
            future.set_exception(BrokenProcessPool())
        else:
            future.cancel()
        return future

    def result(self, future: Future[Result]) -> Result:
        self.most = max(self.most, self.under_way)
        result = future.result()
        self.under_way -= 1
        return result

    def workers(self) -> int:
        return self.sizes[self.submitted % len(self.sizes)]

    def mend(self) -> None:
        self.mended += 1
        self.under_way = 0  # all that was under way is given out again, or is there


FATES = st.lists(st.sampled_from(["done", "done", "done", "broken", "cancelled"]), max_size=60)


@given(st.integers(0, 40), FATES, st.lists(st.integers(1, 5), min_size=1))
def test_every_result_comes_once_and_in_its_place(count: int, fates: list[str], sizes: list[int]) -> None:
    """A retry that counted samples twice, or not at all, would be a wrong loss that looks right."""
    crew = Unreliable(fates, sizes)
    calls = [partial(pow, number, 2) for number in range(count)]
    try:
        assert list(in_order(crew, calls)) == [number**2 for number in range(count)]
    except WorkersError:
        assert crew.mended >= TRIES
    assert crew.most <= AHEAD * max(sizes)


def test_work_that_is_always_lost_is_given_up() -> None:
    """Else a run would never end."""
    crew = Unreliable(["broken"] * 100, [1])
    with pytest.raises(WorkersError, match="died each time"):
        list(in_order(crew, [partial(int, 1)]))
    assert crew.mended == TRIES


def test_calls_are_made_when_there_is_room() -> None:
    """Terabytes have more blocks than a list of them should hold."""
    taken = 0

    def calls() -> object:
        nonlocal taken
        for number in range(1_000):
            taken += 1
            yield partial(int, number)

    with thread_crew(2) as crew:
        results = in_order(crew, calls())
        assert [next(results) for _ in range(10)] == list(range(10))
        results.close()
    assert taken <= 10 + AHEAD * 2


def test_giving_up_does_not_wait_for_a_block() -> None:
    """Ctrl-C in the middle of a block of minutes; were it waited for, this test would never end."""
    before, finish = torch.get_num_threads(), Event()
    futures: list[Future[bool]] = []
    with pytest.raises(KeyboardInterrupt):
        _interrupted(futures, finish)
    running, waiting = futures
    assert (running.done(), waiting.cancelled()) == (False, True)
    assert torch.get_num_threads() == before
    finish.set()
    assert running.result()


def _interrupted(futures: list[Future[bool]], finish: Event) -> None:
    with thread_crew(1) as crew:
        futures += [crew.submit(finish.wait), crew.submit(finish.wait)]
        raise KeyboardInterrupt


@given(st.integers(0, 50), st.integers(1, 7))
def test_batches_are_all_items_in_order(count: int, size: int) -> None:
    """A batch that is dropped is a part of the data that is never looked at."""
    found = list(batches(range(count), size))
    assert [item for batch in found for item in batch] == list(range(count))
    assert all(len(batch) == size for batch in found[:-1])
