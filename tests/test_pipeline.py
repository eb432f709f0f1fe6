"""Work on many blocks at once: what comes out, and what becomes of it when somebody gives up."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xentcli.pipeline import over_blocks, threads

if TYPE_CHECKING:
    from concurrent.futures import Future


@given(st.lists(st.integers()), st.integers(1, 5))
def test_results_come_in_the_blocks_order(blocks: list[int], workers: int) -> None:
    """Worst rows and samples are those of the first block that has them, whichever was ready first."""
    assert list(over_blocks(lambda block: -block, blocks, workers)) == [-block for block in blocks]


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
    with threads(1) as executor:
        futures += [executor.submit(finish.wait), executor.submit(finish.wait)]
        raise KeyboardInterrupt
