"""How the classes of a row are added up in float64, and so how often each of them is rounded."""

from __future__ import annotations

NARROW = 1024  # up to this many classes the inner loops run along the rows
SLABS = 16  # of a wide row, at most, that are added to one another in one call: the sums stay in the nearest cache


def height(classes: int) -> int:
    """Additions that a term passes at most, in whichever of the fixed orders a row of so many classes is added."""
    if classes <= NARROW:
        return (classes - 1).bit_length()
    additions = 0
    while classes > SLABS:
        width = -(-classes // SLABS)
        additions += -(-classes // width) - 1
        classes = width
    return additions + (classes - 1).bit_length()
