"""Seconds of xent from the files to the report, imports and first calls aside: `xent_seconds.py LOGITS LABELS`."""

import sys
import time

from xentcli import compute

logits, labels = sys.argv[1:]
compute([[0.0, 1.0]] * 100_000, [0] * 100_000)  # imports what is imported late, and starts torch's threads
start = time.perf_counter()
compute(logits, labels)
print(time.perf_counter() - start)
