"""A path's losses against enclosures and bounds: what each value is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.records.report import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.bounds.model import Bools, Bound, Floats
    from xentcli.losses.reference import Rows

WITHIN, UNDERFLOW, OVERFLOW, NAN, WRONG = (
    STATUSES.index(name) for name in ("within", "underflow", "overflow", "nan", "wrong")
)


def classify(values: Floats, rows: Rows, bound: Bound) -> NDArray[np.uint8]:
    """What each value is, as an index into STATUSES; [rows].

    within     no proof against it: inside the bound of an enclosed loss, or the infinity that the loss is
    underflow  infinite (or the NaN that comes of it), as a probability may not be representable
    overflow   infinite or NaN, as the format may not hold an intermediate
    nan        NaN, as the true loss is
    wrong      nothing explains it
    """
    with np.errstate(all="ignore"):
        if _are_plainly_inside(values, rows, bound):  # as good as always
            return np.full(len(values), WITHIN, np.uint8)
        inside = np.isfinite(values) & _is_inside(values, rows, bound)
        if inside.all():
            return np.full(len(values), WITHIN, np.uint8)
        explained = _is_explained_infinity(values, bound)
        cases = (
            (np.isnan(rows.loss) & np.isnan(values), NAN),
            (np.isnan(rows.loss), WRONG),
            (np.isinf(rows.loss) & np.isfinite(rows.radius) & (values == rows.loss), WITHIN),
            (inside, WITHIN),
            (explained & bound.underflow, UNDERFLOW),
            (explained & bound.overflow, OVERFLOW),
        )
    conditions, choices = zip(*cases, strict=True)
    codes: NDArray[np.uint8] = np.select(conditions, choices, WRONG).astype(np.uint8)
    return codes


def _are_plainly_inside(values: Floats, rows: Rows, bound: Bound) -> bool:
    """Whether each value is finite and within its bound of the enclosure's middle already: `_is_inside` allows more."""
    allowed = bound.below if bound.above is bound.below else np.minimum(bound.below, bound.above)
    error = np.abs(values - rows.loss)
    return bool((error <= allowed).all() and error.max(initial=0.0) < np.inf and not bound.never_finite.any())


def _is_inside(values: Floats, rows: Rows, bound: Bound) -> Bools:
    """Whether a finite value may be the path's: next to a known loss, or next to one of which nothing is known."""
    lowest = (rows.loss - rows.radius) - bound.below
    highest = (rows.loss + rows.radius) + bound.above
    slack = 2.0**-51 * (np.abs(rows.loss) + rows.radius + np.maximum(bound.below, np.abs(bound.above)))  # of these sums
    inside: Bools = (values >= lowest - slack) & (values <= highest + slack) & ~bound.never_finite
    return np.where(np.isfinite(rows.radius), inside & np.isfinite(rows.loss), ~np.isnan(rows.loss))


def _is_explained_infinity(values: Floats, bound: Bound) -> Bools:
    odd: Bools = (np.isnan(values) | np.isneginf(values)) & bound.nan
    return odd | np.isposinf(values)
