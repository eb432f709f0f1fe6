"""The loss on a CUDA device: `gpu.py plain|kernel|bus LOGITS LABELS` prints both, or the seconds of a call or copy."""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

CALLS = 9


def plain(logits: torch.Tensor, labels: torch.Tensor) -> None:
    logits, labels = logits.cuda(), labels.cuda()
    print(torch.nn.functional.cross_entropy(logits, labels).item())
    print(-torch.softmax(logits, 1).gather(1, labels[:, None]).log().mean().item())


def kernel(logits: torch.Tensor, labels: torch.Tensor) -> None:
    logits, labels = logits.cuda(), labels.cuda()
    print(_seconds(lambda: torch.nn.functional.cross_entropy(logits, labels)))


def bus(logits: torch.Tensor, _: torch.Tensor) -> None:
    pinned, there = logits.pin_memory(), torch.empty_like(logits, device="cuda")
    print(_seconds(lambda: there.copy_(pinned, non_blocking=True)))


def _seconds(call: Callable[[], object]) -> float:
    """The median, after a call that is not counted."""
    taken = []
    for _ in range(CALLS + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    {"plain": plain, "kernel": kernel, "bus": bus}[sys.argv[1]](
        *(torch.from_numpy(np.load(path)) for path in sys.argv[2:])
    )
