"""The limit: each byte of the logits looked at once, and nothing made of it: `read.py LOGITS LABELS`."""

import sys

import numpy as np

print(np.load(sys.argv[1], mmap_mode="r").sum())
