"""Seconds of the certified pass, or of one log-sum-exp in float64: `enclosure.py enclose|logsumexp ROWS CLASSES`."""

import statistics
import sys
import time

import numpy as np
import torch

from xentcli.losses.reference import enclose

CALLS = 9

rows, classes = map(int, sys.argv[2:])
logits = (3 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(0))).numpy()
labels = np.random.default_rng(0).integers(0, classes, rows)


def seconds() -> float:
    start = time.perf_counter()
    if sys.argv[1] == "enclose":
        enclose(logits, labels)
    else:
        torch.logsumexp(torch.from_numpy(logits).double(), 1)
    return time.perf_counter() - start


print(statistics.median(seconds() for _ in range(CALLS)))
