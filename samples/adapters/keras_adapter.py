"""Keras on torch, for `xent conform samples/adapters/keras_adapter.py`."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

REDUCTIONS = {"none": None, "sum": "sum", "mean": "sum_over_batch_size"}


def cross_entropy(logits, target, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Keras's two classes of losses, in the logits' own dtype; they have no class weights."""
    axis, form = min(1, logits.ndim - 1), {"from_logits": True, "reduction": REDUCTIONS[reduction]}
    dtype = str(logits.dtype).removeprefix("torch.")
    if target.is_floating_point():
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing, axis=axis, dtype=dtype, **form)
    elif label_smoothing:
        raise NotImplementedError("Keras smooths target probabilities alone")
    else:
        ignored = ignore_index if bool((target == ignore_index).any()) else None
        loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored, axis=axis, dtype=dtype, **form)
    return loss(target, logits)
