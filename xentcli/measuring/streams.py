"""Work on a CUDA device in streams, so that copies of one block go beside the work on another."""

from __future__ import annotations

from contextlib import nullcontext
from threading import local
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_of_thread = local()


def own_stream(device: str) -> AbstractContextManager[object]:
    """A stream that this thread has to itself on a CUDA device; nothing on another one."""
    if device != "cuda":
        return nullcontext()
    if not hasattr(_of_thread, "stream"):
        _of_thread.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    return torch.cuda.stream(_of_thread.stream)
