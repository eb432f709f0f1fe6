"""Pictures in one line of signs: how the losses lie, and how far the confidences can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.numbers import brief, percent, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.records.pictures import Histogram, Pictures, ReliabilityBin
    from xentcli.render.wording import Entry

SIGNS = {False: "▁▂▃▄▅▆▇█", True: "_.:-=+*#"}  # for streams of ASCII the others
NOTHING = {False: "·", True: "'"}


def pictures(found: Pictures | None, *, plain: bool) -> Iterator[Entry]:
    """A line of the histogram, and one of the reliability; each says what its signs stand for."""
    if found is None or not found.histogram.bins:
        return
    yield "losses", _losses(found.histogram, plain=plain)
    if found.reliability is not None:
        yield from _reliability(found.reliability, plain=plain)


def _losses(found: Histogram, *, plain: bool) -> str:
    counts = [each.rows or None for each in found.bins]
    lower, upper = (brief(each) for each in (found.bins[0].lower, found.bins[-1].upper))
    most = max(found.bins, key=lambda each: each.share or 0.0)
    share = "" if most.share is None else f"; most of the total, {percent(most.share)} %, from {brief(most.lower)} on"
    line = spark(counts, max(each.rows for each in found.bins), plain=plain)
    return f"{lower} {line} {upper} nats, 4 bins a decade{share}"


def _reliability(bins: Sequence[ReliabilityBin], *, plain: bool) -> Iterator[Entry]:
    """How often the model is right at each confidence: calibrated, it is a staircase from 0 to 1."""
    right = [None if each.accuracy is None else each.accuracy.value for each in bins]
    yield "reliability", f"0 {spark(right, 1.0, plain=plain)} 1, accuracy by confidence in {plural(len(bins), 'bin')}"
    yield "calibrated", f"0 {spark([each.confidence for each in bins], 1.0, plain=plain)} 1, what it would be"


def spark(values: Sequence[float | None], most: float, *, plain: bool) -> str:
    """A sign for each value, the highest for `most`; a dot where there is none, and the lowest for no more than 0."""
    return "".join(_sign(value, most, plain=plain) for value in values)


def _sign(value: float | None, most: float, *, plain: bool) -> str:
    if value is None or most <= 0.0:
        return NOTHING[plain]
    signs = SIGNS[plain]
    return signs[min(len(signs) - 1, max(0, int(value / most * len(signs))))]
