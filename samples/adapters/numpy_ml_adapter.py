"""numpy-ml, with a gradient by hand, for `xent conform samples/adapters/numpy_ml_adapter.py --arrays numpy`."""

import collections
import collections.abc

from scipy.special import softmax

collections.Hashable = collections.abc.Hashable  # it was written for Python 3.9 and older

from numpy_ml.neural_nets.losses import CrossEntropy  # noqa: E402

conform = {"reductions": "sum", "targets": "one-hot", "shapes": "rows", "backward": "gradient"}


def cross_entropy(logits, target):
    """The sum of the losses of probabilities, so softmax comes first."""
    return CrossEntropy.loss(target, softmax(logits, axis=1))


def gradient(logits, target):
    """Through its loss and through the softmax, as it says."""
    return CrossEntropy.grad(target, softmax(logits, axis=1))
