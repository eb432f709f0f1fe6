"""scikit-learn's log_loss, for `xent conform samples/adapters/sklearn_adapter.py --arrays numpy`."""

import numpy as np
from scipy.special import softmax
from sklearn.metrics import log_loss

conform = {"targets": "labels", "shapes": "rows", "options": "weight"}


def cross_entropy(logits, target, *, weight=None, reduction="mean"):
    """log_loss takes probabilities, so softmax comes first: what it costs to have that interface is judged with it."""
    if logits.shape[1] < 2 or len(logits) == 0:
        raise NotImplementedError("log_loss wants two classes and a sample")
    probabilities, classes = softmax(logits, axis=1), np.arange(logits.shape[1])
    weights = None if weight is None else weight[target]
    if reduction == "none":
        each = range(len(logits))
        losses = [log_loss(target[[i]], probabilities[[i]], labels=classes, normalize=False) for i in each]
        return (np.array(losses) * (1.0 if weights is None else weights)).astype(logits.dtype)
    loss = log_loss(target, probabilities, labels=classes, normalize=reduction == "mean", sample_weight=weights)
    return np.asarray(loss).astype(logits.dtype)
