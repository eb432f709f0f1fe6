"""What one writes with torch, a few rows at once: `torch_kl_div.py BASE OTHER LABELS` prints both losses and KL."""

import sys

import numpy as np
import torch
from torch.nn.functional import kl_div, log_softmax, nll_loss

ROWS = 512  # at once

base, other, labels = (np.load(path, mmap_mode="r") for path in sys.argv[1:])
sums = torch.zeros(3, dtype=torch.float64)
for start in range(0, len(base), ROWS):
    x, y, t = (torch.from_numpy(np.array(each[start : start + ROWS])) for each in (base, other, labels))
    p, q = log_softmax(x, 1), log_softmax(y, 1)
    sums[0] += nll_loss(p, t, reduction="sum").double()
    sums[1] += nll_loss(q, t, reduction="sum").double()
    sums[2] += kl_div(q, p, reduction="sum", log_target=True).double()
print(*(sums / len(base)).tolist())
