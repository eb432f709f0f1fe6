"""What the tests on a CUDA device share: `pytest -m gpu` runs them, and skips them where there is none."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def device() -> str:
    """Each of these tests needs one."""
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device here")
    return "cuda"
