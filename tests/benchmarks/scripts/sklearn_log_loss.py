"""The loss by scikit-learn, which wants probabilities: `sklearn_log_loss.py LOGITS LABELS`."""

import sys

import numpy as np
from scipy.special import softmax
from sklearn.metrics import log_loss

logits, labels = (np.load(path) for path in sys.argv[1:])
print(log_loss(labels, softmax(logits, axis=1), labels=np.arange(logits.shape[1])))
