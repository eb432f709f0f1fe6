"""The loss by JAX, compiled: `jax_optax.py LOGITS LABELS`."""

import sys

import jax
import numpy as np
import optax


def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


logits, labels = (np.load(path) for path in sys.argv[1:])
print(jax.jit(loss)(logits, labels.astype(np.int32)))
