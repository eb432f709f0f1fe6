"""The gradients with respect to target probabilities and class weights: what each −log p_c is multiplied by.

With k_c = λ + d_c = −log p_c, label smoothing e, C classes, weights w and the upstream gradient s of a sample's loss

    dL/dq_c = s·(1 − e)·w_c·k_c                                                        target probabilities q
    dL/dw_c = Σ_rows s·(t_c + e/C)·k_c,    t_c = (1 − e)·q_c, or 1 − e for the label

of a weighted mean of labels, whose denominator W = Σ w_y moves too, less s·(mean loss)·(how many labels are c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.model import gamma
from xentcli.conform.judging.pieces import OUTWARD, ROUNDINGS, coefficients_of, log_probability_allowance
from xentcli.losses.reference import KERNEL, UNIT
from xentcli.losses.truth import Terms, terms_of

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs
    from xentcli.conform.judging.certified import Certified, Floats
    from xentcli.conform.judging.pieces import Slope


def certify_shares(case: Case, inputs: Inputs, certified: Certified, scale: Floats) -> Slope:
    """Value, radius and allowances with respect to the target [rows, classes] or the weights [1, classes]."""
    terms = terms_of(inputs.block, case.options)
    gap = _gaps(terms)
    surprise = gap + certified.rows.log_sum[:, None]  # −log p_c
    with np.errstate(divide="ignore"):
        entropy = np.maximum(0.0, np.log(inputs.block.classes / certified.rows.excess))
    radius = UNIT * (2.0 * KERNEL + 64.0 + np.minimum(entropy, 1e3))[:, None] * surprise
    factor = _factor(case, inputs, terms) * np.where(certified.rows.ignored, 0.0, scale)[:, None]
    unit = {grade: model.precision.unit_roundoff for grade, model in certified.models.items()}
    allowed = {
        grade: np.abs(factor) * (log_probability_allowance(grade, certified, gap) + ROUNDINGS * unit[grade] * surprise)
        for grade in certified.models
    }
    slope = factor * surprise, OUTWARD * np.abs(factor) * (radius + 8.0 * UNIT * surprise), allowed
    return slope if inputs.variable == "target" else _of_weights(case, inputs, certified, scale, slope)


def _gaps(terms: Terms) -> Floats:
    """d_c, [rows, classes]."""
    logits = terms.logits.astype(np.float64)
    gaps: Floats = logits.max(axis=1, keepdims=True, initial=-np.inf) - logits
    return gaps


def _factor(case: Case, inputs: Inputs, terms: Terms) -> Floats:
    """What multiplies −log p_c, s apart; [rows, classes]."""
    keep = 1.0 - case.label_smoothing
    if inputs.variable == "target":
        weight = np.ones(inputs.block.classes) if inputs.weight is None else inputs.weight.double().numpy()
        return np.broadcast_to(keep * weight, terms.logits.shape)
    if inputs.has_labels:
        unweighted = Terms(terms.logits, np.maximum(_labels(inputs, case), -1), None, None)
        return keep * coefficients_of(unweighted) + case.label_smoothing / inputs.block.classes
    block = inputs.block
    target = block.target.double().movedim(block.class_dim, -1).reshape(-1, block.classes).numpy()
    return keep * target + case.label_smoothing / block.classes


def _labels(inputs: Inputs, case: Case) -> np.ndarray:
    labels = inputs.block.target.reshape(-1)
    known: np.ndarray = labels.masked_fill(labels == case.ignore_index, -1).numpy()
    return known


def _of_weights(case: Case, inputs: Inputs, certified: Certified, scale: Floats, rows: Slope) -> Slope:
    """The rows' sums, less what the denominator of a weighted mean takes away; [1, classes]."""
    value, radius, allowed = rows
    size = np.abs(value).sum(axis=0, keepdims=True)
    total, spread = value.sum(axis=0, keepdims=True), radius.sum(axis=0, keepdims=True) + UNIT * len(value) * size
    summed = {grade: each.sum(axis=0, keepdims=True) for grade, each in allowed.items()}
    taken, moved = np.zeros_like(total), dict.fromkeys(summed, np.zeros_like(total))
    if case.reduction == "mean" and inputs.has_labels:
        counts = np.bincount(_counted(inputs, case), minlength=inputs.block.classes) * scale[:1]
        taken = counts * certified.value
        spread = spread + np.abs(counts) * certified.radius + 8.0 * UNIT * np.abs(taken)
        moved = {grade: np.abs(counts) * certified.allowed[grade] for grade in summed}
    grown = {
        grade: summed[grade]
        + moved[grade]
        + (ROUNDINGS * model.precision.unit_roundoff + 2.0 * gamma(len(value), model.unit)) * (size + np.abs(taken))
        + 2.0 * model.precision.smallest
        for grade, model in certified.models.items()
    }
    return total - taken, spread, grown


def _counted(inputs: Inputs, case: Case) -> np.ndarray:
    labels = _labels(inputs, case)
    return labels[labels >= 0]
