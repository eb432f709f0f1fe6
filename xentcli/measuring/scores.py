"""What the metrics beside the loss are made of: sums over samples, for accuracy, perplexity and the standard error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.projected import float64_error
from xentcli.losses.reference import label_radius
from xentcli.losses.truth import rows_of
from xentcli.measuring.hardest import KEPT, hardest
from xentcli.numbers.exactsum import ExactSum
from xentcli.records.report import WorstLoss  # noqa: TC001 (the codec reads the types of the fields)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.losses.reference import Rows
    from xentcli.losses.truth import Terms
    from xentcli.question.block import Block
    from xentcli.question.head import Product

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Sums over the samples with a label that counts; −log p is of the label, without weights and smoothing.

    right          samples whose label surely has the greatest logit, as stored, and those whose label has it where ties
                   are broken its way; None where 16 bits leave open which is the greatest
    squares        of −log p, each rounded to float64
    total, radius  of −log p and how far the computed ones may be off; None where the loss is just that
    worst          a few rows with the highest −log p, the highest first; of equal ones the first
    """

    right: tuple[int, int] | None
    squares: ExactSum
    total: ExactSum | None = None
    radius: ExactSum | None = None
    worst: tuple[WorstLoss, ...] = ()

    def __add__(self, other: Scores) -> Scores:
        worst = sorted(self.worst + other.worst, key=lambda each: (-each.loss, each.row))
        return Scores(
            right=_pairs(self.right, other.right),
            squares=self.squares + other.squares,
            total=_sums(self.total, other.total),
            radius=_sums(self.radius, other.radius),
            worst=tuple(worst[:KEPT]),
        )


def scores_of(block: Block, terms: Terms, rows: Rows, *, alone: bool = True) -> Scores | None:
    """Those of a block, given its rows' cross-entropies; None where samples have no labels.

    alone  whether the losses are these, with nothing added
    """
    if terms.labels is None:
        return None
    counted = ~rows.ignored
    is_stored_in_16_bits = block.blur is not None or block.ends is not None
    right = None if is_stored_in_16_bits else _right(block, terms, rows, counted)
    if block.product is not None:
        right = _right_of_product(block.product, terms.labels, counted)
    if terms.scale is None and terms.coefficients is None:
        own = {} if alone else {"total": ExactSum.of(rows.loss), "radius": ExactSum.of(rows.radius)}
        return Scores(right, _squares(rows.loss), **own, worst=hardest(terms, rows, rows.loss, block.first_row))
    nll, radius = rows.log_sum + rows.gap, label_radius(rows)
    if is_stored_in_16_bits or terms.given != "logits" or block.is_derived:
        radius = np.full(len(nll), np.inf)
    total, worst = ExactSum.of(nll[counted]), hardest(terms, rows, nll, block.first_row)
    return Scores(right, _squares(nll[counted]), total, ExactSum.of(radius[counted]), worst)


def _right(block: Block, terms: Terms, rows: Rows, counted: NDArray[np.bool_]) -> tuple[int, int]:
    """How many labels have the greatest logit: surely, and if ties are broken their way.

    A class that ties with it adds exactly 1 to T = Σ_{c≠a} exp(x_c − max x): below 1 there is none.
    """
    assert terms.labels is not None
    logits = terms.logits if block.transform is None else rows_of(block.untransformed.logits, block)
    if terms.given == "logits" and block.transform is None:
        first = counted & (rows.gap == 0.0)
        doubtful = np.flatnonzero(first & ~(rows.excess < 1.0))
    else:
        first = counted & (logits[np.arange(len(terms.labels)), terms.labels] == logits.max(axis=1))
        doubtful = np.flatnonzero(first)
    near = logits[doubtful]
    tied = np.count_nonzero(near == near.max(axis=1, keepdims=True, initial=-np.inf), axis=1) > 1
    possible = int(np.count_nonzero(first))
    return possible - int(np.count_nonzero(tied)), possible


def _right_of_product(product: Product, labels: Labels, counted: NDArray[np.bool_]) -> tuple[int, int]:
    """How many labels have the greatest of the exact products, surely, and as far as float64 can tell."""
    logits, apart = product.logits.numpy(), 2.0 * float64_error(product)
    own = logits[np.arange(len(labels)), np.maximum(labels, 0)]
    possible = np.flatnonzero(counted & (own + apart >= logits.max(axis=1)))
    near = logits[possible] >= (own - apart)[possible, None]  # the label's own among them
    return int(np.count_nonzero(np.count_nonzero(near, axis=1) == 1)), possible.size


def _squares(values: Floats) -> ExactSum:
    with np.errstate(over="ignore"):
        return ExactSum.of(values * values)


def _pairs(left: tuple[int, int] | None, right: tuple[int, int] | None) -> tuple[int, int] | None:
    return None if left is None or right is None else (left[0] + right[0], left[1] + right[1])


def _sums(left: ExactSum | None, right: ExactSum | None) -> ExactSum | None:
    return None if left is None or right is None else left + right
