"""What the tests of bounds share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors: the threads' waiting for each other takes longer than the work.

    And a thread that is made while numbers are flushed goes on flushing them, whatever torch is told later.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
