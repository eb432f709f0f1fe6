"""The loss by scipy: `scipy_logsumexp.py LOGITS LABELS`."""

import sys

import numpy as np
from scipy.special import logsumexp

logits, labels = (np.load(path) for path in sys.argv[1:])
chosen = np.take_along_axis(logits, labels[:, None], 1)[:, 0]  # [rows]
print((logsumexp(logits, axis=1) - chosen).mean())
