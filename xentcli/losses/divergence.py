"""How far two softmaxes are from each other, enclosed by proof: values and radii of each row.

`pair_radii` has the definitions, the radii and their proof.  One quick pass over the classes decides the rows of which
it leaves little open, which are nearly all; a careful one decides the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentcli.losses.careful_pairs import enclose_carefully
from xentcli.losses.enclosed import Bools, Divergences, joined
from xentcli.losses.quick_pairs import Board, enclose_quickly

if TYPE_CHECKING:
    from xentcli.losses.class_sums import Floats, Integers, Logits

CHUNK = 8192  # rows whose radii are made together, in the cache
FINE = 2.0**-21  # of a divergence, what the quick pass may leave open: half of a millionth, about


def diverge(base: Logits, other: Logits, labels: Integers | None = None) -> Divergences:
    """Enclose all divergences of all rows.

    base, other  [rows, classes], the exact stored values; 16-bit formats come widened to float32
    labels       [rows], each a class; None takes class 0, for nobody to look at
    """
    labels = np.zeros(len(base), np.int64) if labels is None else labels
    memory = Board.memory(min(len(base), CHUNK), base.shape[1])
    chunks = [slice(start, start + CHUNK) for start in range(0, max(1, len(base)), CHUNK)]
    with np.errstate(all="ignore"):  # NaN and infinity are answers here, not accidents
        return joined([_diverge(base[chunk], other[chunk], labels[chunk], memory) for chunk in chunks])


def _diverge(base: Logits, other: Logits, labels: Integers, memory: Floats) -> Divergences:
    found, known = enclose_quickly(base, other, labels, memory)
    left = ~(known & _is_fine(found))
    if left.any():
        found.fill(left, enclose_carefully(base[left], other[left], labels[left]))
    return found


def _is_fine(found: Divergences) -> Bools:
    """Rows whose divergences are known well enough, or are the same and differ by nothing."""
    fine: Bools = np.ones(len(found.same), bool)
    for each in (found.kl, found.kl_reverse, found.js):
        fine &= each.radius <= FINE * each.value
    return fine | found.same
