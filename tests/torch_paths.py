"""Both paths as plain torch expressions, in the layouts whose kernels differ; [rows, classes] in, [rows] out.

`inner` is 0 for logits [N, C] ("last" kernel), else the length of an axis behind the class axis: [N / inner, C, inner].
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from xentcli.bounds.model import LossForm, PathModel
from xentcli.losses.machine import vector_lanes
from xentcli.losses.reference import enclose

LAYOUTS = (0, 1, 40)  # 40: whole vectors of 32 elements, and a tail that torch computes otherwise
COLUMNS = (10.0 * torch.arange(64)).reshape(1, 1, 64).half()  # of one class, whose losses are 0
SHIFTS_BY_NEIGHBOURS = bool(torch.log_softmax(COLUMNS, 1).any())  # torch before 2.8, in 16 bits: its own fault


def layouts_of(precision, count):
    """Those that fit so many rows, and in which torch is right."""
    return [inner for inner in LAYOUTS if count % max(inner, 1) == 0
            and not (inner > 1 and precision.is_half and SHIFTS_BY_NEIGHBOURS)]  # fmt: skip


def tensor(values, precision):
    return torch.from_numpy(np.asarray(values)).to(getattr(torch, precision.name))


def widened(values):
    return values.detach().double().numpy()


def arrange(values, inner):
    return values.reshape(-1, inner, values.shape[1]).transpose(1, 2).contiguous() if inner else values


def library(logits, target, inner=0, **options):
    """`F.cross_entropy` of each row; target labels, [rows], or probabilities, [rows, classes]."""
    if target.is_floating_point():
        target = arrange(target, inner)
    elif inner:
        target = target.reshape(-1, inner)
    return functional.cross_entropy(arrange(logits, inner), target, reduction="none", **options).reshape(-1)


def manual(logits, target, inner=0, weight=None, label_smoothing=0.0):
    """Softmax, gather or weigh, −log, sum."""
    classes, eps = logits.shape[1], label_smoothing
    softmax = torch.softmax(arrange(logits, inner), 1)
    spread = weight if weight is None else weight.reshape((1, classes) + (1,) * (inner > 0))
    if target.is_floating_point():
        target = arrange(target, inner)
        terms = (target * (1 - eps) + eps / classes if eps else target) * softmax.log()
        return -(terms if weight is None else terms * spread).sum(1).reshape(-1)
    labels = target.reshape(-1, 1, inner) if inner else target[:, None]
    losses = -softmax.gather(1, labels).squeeze(1).log()
    if weight is not None:
        losses = weight[labels.squeeze(1)] * losses
    if eps:
        terms = -softmax.log()
        losses = (1 - eps) * losses + (eps / classes) * (terms if weight is None else terms * spread).sum(1)
    return losses.reshape(-1)


def model(precision, inner=0, height="lanes"):
    """What the bounds assume of this machine's kernels."""
    return PathModel(precision, "inner" if inner else "last", height, lanes=vector_lanes() or 1)


def enclose_form(logits, labels, form: LossForm, probabilities=None):
    """Enclosures of a form of the loss, and the coefficients of the classes where there are any."""
    classes = logits.shape[1]
    weight = np.ones(classes) if form.weight is None else form.weight
    if form.probabilities:
        coefficients = weight * (probabilities * (1 - form.smoothing) + form.smoothing / classes)
        return enclose(logits, None, coefficients), coefficients
    coefficients = form.smoothing / classes * weight if form.smoothing else None
    scale = None if form.is_plain else (1 - form.smoothing) * weight[labels]
    return enclose(logits, labels, coefficients, scale), coefficients


def share_of_bound(values, rows, bound):
    """|value − L̂| over what is allowed on its side, radius included: above 1 is proof of an error; [rows]."""
    with np.errstate(all="ignore"):
        error = values - rows.loss
        allowed = np.where(error < 0, bound.below, bound.above) + rows.radius
        return np.where(error == 0.0, 0.0, np.abs(error) / np.maximum(allowed, 0.0))
