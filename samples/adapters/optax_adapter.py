"""optax, for `xent conform samples/adapters/optax_adapter.py --arrays jax`."""

import jax.numpy as jnp
import optax
from jax import nn

conform = {"options": "label_smoothing"}


def cross_entropy(logits, target, *, reduction="mean", label_smoothing=0.0):
    """What optax's documentation says to write; it has no class weights and ignores no samples."""
    axis = min(1, logits.ndim - 1)
    if jnp.issubdtype(target.dtype, jnp.floating):
        soft = optax.smooth_labels(jnp.moveaxis(target, axis, -1), label_smoothing) if label_smoothing else None
        soft = target if soft is None else jnp.moveaxis(soft, -1, axis)
        losses = optax.losses.softmax_cross_entropy(logits, soft, axis=axis)
    elif label_smoothing:
        soft = optax.smooth_labels(nn.one_hot(target, logits.shape[axis], dtype=logits.dtype), label_smoothing)
        losses = optax.losses.softmax_cross_entropy(jnp.moveaxis(logits, axis, -1), soft)
    else:
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, target, axis=axis)
    return {"none": lambda: losses, "sum": losses.sum, "mean": losses.mean}[reduction]()
