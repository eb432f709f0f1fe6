"""A responder for `xent conform --exec 'python responder.py'`: cross-entropy in NumPy, of labels and probabilities.

It reads one request a line from standard input and answers each with one line; arrays are .npy files.  The protocol
is in xentcli/conform/README.md.  What it does not offer (here: bfloat16, gradients) it says, and is not judged by it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np


def cross_entropy(logits, target, weight, ignore_index, reduction, label_smoothing):
    """The loss in float64; shapes as in torch: logits [N, C, d1, ...] or [C]."""
    axis = min(1, logits.ndim - 1)
    if target.shape != (logits.shape if target.dtype.kind == "f" else logits.shape[:axis] + logits.shape[axis + 1 :]):
        raise IndexError(f"a target of shape {target.shape} does not fit logits of shape {logits.shape}")
    x = np.moveaxis(logits.astype(np.float64), axis, -1)  # [samples..., classes]
    classes = x.shape[-1]
    w = np.ones(classes) if weight is None else weight.astype(np.float64)
    shifted = x - x.max(axis=-1, keepdims=True, initial=-np.inf)
    minus_log = np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted
    if target.dtype.kind == "f":
        q = np.moveaxis(target.astype(np.float64), axis, -1)
        losses = (((1 - label_smoothing) * q + label_smoothing / classes) * w * minus_log).sum(axis=-1)
        divisor = losses.size
    else:
        labels = target.astype(np.int64)
        counted = labels != ignore_index
        if (counted & ((labels < 0) | (labels >= classes))).any():
            raise IndexError("a label is out of range")
        safe = np.where(counted, labels, 0)  # a place to read from; what is read there does not count
        picked = np.take_along_axis(minus_log, safe[..., None], axis=-1)[..., 0] * w[safe]
        smooth = (minus_log * w).sum(axis=-1) / classes if label_smoothing else 0.0
        losses = picked if not label_smoothing else label_smoothing * smooth
        if 0.0 < label_smoothing < 1.0:
            losses = losses + (1 - label_smoothing) * picked
        losses = np.where(counted, losses, 0.0)
        divisor = w[safe][counted].sum()
    if reduction == "none":
        return losses.astype(logits.dtype)
    return np.asarray(losses.sum() / (divisor if reduction == "mean" else 1.0)).astype(logits.dtype)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One line of answer."""
    if request["dtype"] == "bfloat16":
        return {"unsupported": "NumPy has no bfloat16"}
    if request["want"] != ["loss"]:
        return {"unsupported": "no gradients here"}
    arrays = {name: np.load(request[name]) for name in ("logits", "target", "weight") if request[name]}
    options = {name: request[name] for name in ("ignore_index", "reduction", "label_smoothing")}
    try:
        loss = cross_entropy(arrays["logits"], arrays["target"], arrays.get("weight"), **options)
    except IndexError as error:
        return {"error": str(error)}
    np.save(request["loss"], loss)
    return {"loss": request["loss"]}


if __name__ == "__main__":
    np.seterr(all="ignore")  # infinities and NaN are answers here
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps({"id": question["id"], **answer(question)}), flush=True)
