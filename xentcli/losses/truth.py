"""What the true loss of a block's samples is: torch's definition as coefficients, for the fast and the exact enclosure.

One sample with logits x_c, gaps d_c = max x − x_c and λ = log Σ exp(x_c − max x), over C classes with weights w and
label smoothing e, has by torch's documentation the loss

    label y              (1 − e)·w_y·(λ + d_y)  +  Σ_c (e/C)·w_c·(λ + d_c)
    probabilities q      Σ_c w_c·((1 − e)·q_c + e/C)·(λ + d_c)

Of given log-probabilities and probabilities, which are not normalised, λ is 0 and d_c is −log p_c: see `given`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.digits import ENCLOSURES, quicker_backend
from xentcli.losses.given import ERRORS, enclose_given
from xentcli.losses.reference import Rows, enclose
from xentcli.losses.transformed import enclose_transformed
from xentcli.losses.z_loss import with_z_loss
from xentcli.numbers.exactsum import nearest_float

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from xentcli.losses.digits import Interval, Row
    from xentcli.numbers.given import Form
    from xentcli.question.block import Block
    from xentcli.question.problem import Options

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Logits = NDArray[np.float32] | Floats

SMALLEST = math.ldexp(1.0, -1074)
IGNORED = -1  # how `enclose` knows a sample that does not count


@dataclass(frozen=True)
class Terms:
    """The loss of a block's samples as `enclose` takes it."""

    logits: NDArray[np.float32] | Floats  # [rows, classes], as stored; 16-bit formats widened to float32
    labels: NDArray[np.int64] | None  # [rows], IGNORED where they do not count
    coefficients: Floats | None  # [classes] or [rows, classes]
    scale: Floats | None  # [rows]
    given: Form = "logits"
    beyond: Bools | None = None  # rows with a coefficient that float64 cannot hold; None where there are none

    def enclose(self, *, moments: bool = False) -> Rows:
        """The enclosures of the rows' losses; with moments, of logits alone, for metrics."""
        task = self.logits, self.labels, self.coefficients, self.scale
        rows = enclose_given(self.given, *task) if self.given in ERRORS else enclose(*task, moments=moments)
        if self.beyond is not None:
            rows.loss[self.beyond], rows.radius[self.beyond] = 0.0, np.inf
        return rows


def terms_of(block: Block, options: Options) -> Terms:
    """The definition above in float64, for all samples of a block."""
    logits, keep = rows_of(block.logits, block), 1.0 - options.label_smoothing
    spread = options.label_smoothing / block.classes
    weight = np.ones(block.classes) if block.weight is None else block.weight.double().cpu().numpy()
    if not block.has_labels:
        target = rows_of(block.target, block).astype(np.float64)
        if block.given == "binary":  # 1 − y was rounded when it was stored
            target[:, 0] = 1.0 - target[:, 1]
        with np.errstate(over="ignore", invalid="ignore"):  # torch's NaN and infinities are answers
            coefficients = weight * (keep * target + spread)
        if options.label_smoothing:
            _keep_small(coefficients, weight != 0.0)
        elif block.weight is not None:
            _keep_small(coefficients, (weight != 0.0) & (target != 0.0))
        return Terms(logits, None, coefficients, None, block.given, _beyond(coefficients, target, logits))
    labels = _labels(block, options)
    plain = block.weight is None and not options.label_smoothing
    scale = None if plain else keep * weight[np.maximum(labels, 0)]
    if not options.label_smoothing:
        return Terms(logits, labels, None, scale, block.given)
    coefficients = spread * weight
    _keep_small(coefficients, weight != 0.0)
    return Terms(logits, labels, coefficients, scale, block.given)


def _beyond(coefficients: Floats, target: Floats, logits: Logits) -> Bools | None:
    """Rows of numbers whose coefficients are none: nothing is known of their losses in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(coefficients.sum()):
            return None
    known = np.isfinite(target).all(1) & np.isfinite(logits).all(1)
    beyond: Bools = np.logical_and(~np.isfinite(coefficients).all(axis=1), known)
    return beyond if beyond.any() else None


def _keep_small(coefficients: Floats, counts: NDArray[np.bool_]) -> None:
    """No zeros for coefficients that are too small for float64, in place: a masked class makes the loss infinite."""
    lost = (coefficients == 0.0) & counts
    if lost.any():
        coefficients[lost] = SMALLEST


def sharpen(rows: Rows, block: Block, options: Options, bits: int, chosen: Bools) -> tuple[Rows, Interval]:
    """The same enclosures but a rounding wide, and the enclosure of the sum of the chosen losses, by exact arithmetic.

    `bits` is the relative precision of each loss; `chosen` are rows whose loss is a finite number, [rows].
    """
    loss, radius = rows.loss.copy(), rows.radius.copy()
    total = (Fraction(0), Fraction(0))
    backend = quicker_backend(int(chosen.sum()) * block.classes)
    transform = block.transform
    enclosing = ENCLOSURES[block.given] if transform is None else partial(enclose_transformed, transform)
    if options.z_loss is not None:
        enclosing = with_z_loss(enclosing, transform, options.z_loss)
    for row, exact in exact_rows(block, options, chosen):
        lower, upper = enclosing(*exact, bits, backend)
        loss[row] = nearest_float((lower + upper) / 2)
        radius[row] = _radius(float(loss[row]), lower, upper)
        total = (total[0] + lower, total[1] + upper)
    return replace(rows, loss=loss, radius=radius), total


def exact_rows(block: Block, options: Options, chosen: Bools | None = None) -> Iterator[tuple[int, Row]]:
    """For each sample that counts, of all or of the chosen ones: its number, its stored logits, exact coefficients."""
    chosen = np.ones(block.samples, bool) if chosen is None else chosen
    logits, smoothing = _exact_logits(block), Fraction(options.label_smoothing)
    weight = None if block.weight is None else block.weight.tolist()
    if block.has_labels:
        for row, label in enumerate(_labels(block, options).tolist()):
            if label != IGNORED and chosen[row]:
                yield row, (logits(row), _label_coefficients(label, weight, smoothing, block.classes))
        return
    weights = list(map(Fraction, weight or [1] * block.classes))
    targets = rows_of(block.target, block)
    for row in np.flatnonzero(chosen).tolist():
        shares = list(map(Fraction, targets[row].tolist()))
        if block.given == "binary":
            shares[0] = 1 - shares[1]
        pairs = zip(weights, shares, strict=True)
        yield row, (logits(row), [w * ((1 - smoothing) * q + smoothing / block.classes) for w, q in pairs])


def _exact_logits(block: Block) -> Callable[[int], Sequence[float]]:
    """What gives a row's logits as they are stored, or as the exact product that they are."""
    if block.product is not None:
        return block.product.exactly
    logits = rows_of(block.untransformed.logits, block)
    return lambda row: logits[row].tolist()


def _label_coefficients(
    label: int, weight: list[float] | None, smoothing: Fraction, classes: int
) -> dict[int, Fraction]:  # fmt: skip
    own = (1 - smoothing) * Fraction(weight[label] if weight else 1)
    if not smoothing:
        return {label: own}
    spread = {index: smoothing / classes * Fraction(weight[index] if weight else 1) for index in range(classes)}
    return spread | {label: spread[label] + own}


def rows_of(values: torch.Tensor, block: Block) -> NDArray[np.float32] | Floats:
    """Values of the logits' shape as [rows, classes], one row after the other: sums of numpy depend on the strides."""
    rows = values.movedim(block.class_dim, -1).reshape(-1, block.classes).contiguous()  # [rows, classes]
    widened: NDArray[np.float32] | Floats = (rows if rows.element_size() > 2 else rows.float()).cpu().numpy()
    return widened


def _labels(block: Block, options: Options) -> NDArray[np.int64]:
    labels = block.target.reshape(-1)
    known: NDArray[np.int64] = labels.masked_fill(labels == options.ignore_index, IGNORED).cpu().numpy()
    return known


def _radius(middle: float, lower: Fraction, upper: Fraction) -> float:
    if math.isinf(middle):
        return math.inf
    radius = max(upper - Fraction(middle), Fraction(middle) - lower)
    return math.nextafter(nearest_float(radius), math.inf) if radius else 0.0
