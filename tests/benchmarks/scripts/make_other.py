"""The logits of a model that is nearly the same, in pieces: `make_other.py BASE OTHER`, float32 `.npy`."""

import sys

import numpy as np

ROWS = 64  # at once
NOISE = 0.1  # its standard deviation: a KL of 0.005, as between a model and its 6-bit version

random = np.random.default_rng(1)
base = np.load(sys.argv[1], mmap_mode="r")
other = np.lib.format.open_memmap(sys.argv[2], "w+", base.dtype, base.shape)
for start in range(0, len(base), ROWS):
    rows = base[start : start + ROWS]
    other[start : start + ROWS] = rows + np.float32(NOISE) * random.standard_normal(rows.shape, np.float32)
other.flush()  # the disk would else write on while the first contestant runs
