"""transformers' LabelSmoother, a mean and nothing else, for `xent conform samples/adapters/transformers_adapter.py`."""

from transformers.trainer_pt_utils import LabelSmoother

conform = {"axis": "last", "targets": "labels"}


def cross_entropy(logits, target, *, ignore_index=-100, label_smoothing=0.0):
    """What its Trainer computes; the classes are on the last axis."""
    return LabelSmoother(epsilon=label_smoothing, ignore_index=ignore_index)((logits,), target)
