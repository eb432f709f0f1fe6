"""What rounding makes in all but one of 10⁹ runs, where errors may be taken for random: less than what is proven.

Errors of single roundings are bounded; taken as independent with mean zero, n of them add up to no more than
λ·√n·u where the proof has n·u, but for a probability of 2·exp(−λ²/2) (N. Higham and T. Mary, 2019; Hoeffding's
inequality).  λ is chosen for one failure in 10⁹ runs, over all the values that a run judges.

It is no proof, and never decides: rounding is systematic where addends are equal or are absorbed.  It is asked of rows
only where many classes contribute, of torch's sums by vectors of lanes, and of totals only where rows differ; a total
may lose a quarter of what is proven systematically.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.bounds.model import Bools, Bound, Floats, LossForm, PathModel
    from xentcli.losses.class_sums import Logits
    from xentcli.losses.reference import Rows

FAILURES = 1e-9  # a run
PAYS = 4.0  # times λ² that a sum must be high for √ to be worth asking
SYSTEMATIC = 1.0 / 4.0  # of the rows' proven errors, in one direction: 0.14 was measured of rows near underflow
SAMPLED = 64  # logits of a row, of which most must differ

BOUNDS: dict[str, Callable[[PathModel, Rows, LossForm], Bound]] = {"library": library_bound, "manual": manual_bound}


def confidence(values: int) -> float:
    """λ, for so many values of a run.

    >>> round(confidence(1), 2), round(confidence(10**6), 2)
    (6.54, 8.39)
    """
    return math.sqrt(2.0 * math.log(2.0 * max(values, 1) / FAILURES))


def probable_rows(
    path: str, model: PathModel, rows: Rows, form: LossForm, *, logits: Logits, values: int
) -> Floats | None:
    """The errors of each row's loss that random rounding makes, [rows], infinite where it may be systematic.

    logits  [rows, classes]
    values  losses that the run judges

    None where it is asked of no row: narrow ones, sums in an order of their own, manual sums over the classes.
    """
    if model.given != "logits":
        return None
    spread = confidence(values)
    wide = model.kernel == "last" and model.summation_height(rows.classes) >= PAYS * spread**2
    if not wide or model.height != "lanes" or model.precision.is_half or (path == "manual" and form.is_class_sum):
        return None
    allowed = BOUNDS[path](replace(model, spread=spread), rows, form).allowed
    return np.where(_is_random(rows, logits), allowed, np.inf)


def _is_random(rows: Rows, logits: Logits) -> Bools:
    """Rows to which many classes contribute, and no two of SAMPLED alike but by chance."""
    sampled = np.sort(logits[:, :: max(1, logits.shape[1] // SAMPLED)], axis=1)  # [rows, SAMPLED or a few more]
    distinct = 1 + np.count_nonzero(sampled[:, 1:] != sampled[:, :-1], axis=1)
    random: Bools = (rows.excess > 1.0) & (2 * distinct > sampled.shape[1])
    return random


def probable_total(allowed: float, greatest: float, slack: float) -> float:
    """The error of a total of many rows: `allowed` is the sum of what is proven of each, `greatest` the most of it."""
    return confidence(2) * math.sqrt(greatest * allowed) + SYSTEMATIC * allowed + slack
