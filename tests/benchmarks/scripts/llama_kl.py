"""llama.cpp's arithmetic in plain NumPy, a few rows at once: `llama_kl.py BASE OTHER LABELS` prints both losses and KL.

Exponentials and logarithms in float32, sums in float64, and the textbook's p·(log p − log q).
"""

import sys

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ROWS = 64  # at once

base, other, labels = (np.load(path, mmap_mode="r") for path in sys.argv[1:])


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    sums = np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float64)
    logs: Floats = shifted - np.log(sums).astype(np.float32)
    return logs


sums = np.zeros(3)
for start in range(0, len(base), ROWS):
    rows = slice(start, start + ROWS)
    p, q = log_softmax(base[rows]), log_softmax(other[rows])
    own = np.arange(len(p)), labels[rows]
    divergence = np.sum(np.exp(p) * (p - q), dtype=np.float64)
    sums -= [p[own].sum(dtype=np.float64), q[own].sum(dtype=np.float64), -divergence]
print(*sums / len(base))
