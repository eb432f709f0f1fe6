"""Whether an answer is what a hypothesis predicts, and whether a case can tell that from the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from xentcli.conform.judging.certified import Floats
    from xentcli.conform.judging.hypothesis import Prediction

FEW = 4.0  # a hypothesis must differ by so many allowances to be seen at all
ROUNDINGS = 32.0  # units that a wrong value may err by, next to itself


def tolerance(other: Floats, truth: Floats, allowed: Floats, dtype: str) -> Floats:
    """How far an answer may be from another value than the truth: its rounding grows as it does.

    What must be 0, as the loss of an ignored sample, is allowed nothing; in its place the others' most is allowed.
    """
    unit = float(PRECISIONS[dtype].unit_roundoff)
    known = np.nan_to_num(allowed)
    known = np.where(known == 0.0, known.max(initial=0.0), known)
    with np.errstate(all="ignore"):
        growth = np.abs(other / truth)
        growth = np.where(np.isfinite(growth), np.maximum(growth, 1.0), 1.0)
        room: Floats = 2.0 * known * growth + ROUNDINGS * unit * np.nan_to_num(np.abs(other), posinf=0)
    return room


def fits(values: Floats, lower: Floats, upper: Floats, room: Floats) -> bool:
    """Whether all values are between the ends, or no numbers where one of these is none: which is a matter of steps."""
    with np.errstate(invalid="ignore"):
        inside = (values >= lower - room) & (values <= upper + room)
    nothing = ~np.isfinite(values) & ~(np.isfinite(lower) & np.isfinite(upper))
    return bool((inside | nothing).all())


def is_nearer(values: Floats, lower: Floats, upper: Floats, truth: Floats, allowed: Floats) -> bool:
    """Whether what is predicted leaves less than half of each error: else it explains none."""
    with np.errstate(invalid="ignore"):
        error = np.abs(values - truth)
        left = np.maximum(np.maximum(lower - values, values - upper), 0.0)
        wrong = np.isfinite(values) & (error > allowed)
        return bool((~wrong | ~np.isfinite(left) | (left <= error / 2.0)).all())


def tells(lower: Floats, upper: Floats, truth: Floats, room: Floats) -> bool:
    """Whether some value is predicted to be away from the truth by more than either may err."""
    with np.errstate(invalid="ignore"):
        away = (truth < lower - FEW * room) | (truth > upper + FEW * room)
    strange = np.isfinite(truth) & np.isnan(lower) & np.isnan(upper)
    return bool(((away & ~np.isnan(truth)) | strange).any())


def loss_fits(values: Floats, prediction: Prediction, truth: Floats, allowed: Floats, dtype: str) -> bool:
    """The losses, each with its allowance."""
    lower, upper, room = _ends(prediction, truth, allowed, dtype)
    return fits(values, lower, upper, room) and is_nearer(values, lower, upper, truth, allowed)


def loss_tells(prediction: Prediction, truth: Floats, allowed: Floats, dtype: str) -> bool:
    """Whether an implementation that does what is predicted cannot pass by its losses."""
    lower, upper, room = _ends(prediction, truth, allowed, dtype)
    beyond = float(min(PRECISIONS[dtype].overflow, 10**308))
    with np.errstate(invalid="ignore"):
        shown = ~((truth + allowed >= beyond) & (upper >= beyond))  # both are infinite in the format
    return bool(shown.any()) and tells(lower[shown], upper[shown], truth[shown], room[shown])


def _ends(prediction: Prediction, truth: Floats, allowed: Floats, dtype: str) -> tuple[Floats, Floats, Floats]:
    lower, upper = (np.resize(end, truth.shape) for end in (prediction.lower, prediction.upper))
    return lower, upper, tolerance(np.fmax(np.abs(lower), np.abs(upper)), truth, allowed, dtype)


def digits_of(error: Floats, truth: Floats, most: float) -> Floats:
    """The significant decimal digits that an error leaves, as many as the format has at the most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits: Floats = np.clip(np.nan_to_num(-np.log10(error / np.abs(truth))), 0.0, most) + 0.0  # no −0
    return digits
