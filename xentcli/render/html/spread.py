"""Where a loss comes from, in pictures: its histogram, calibration, classes and positions, and confused pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.records.metrics import Metrics
from xentcli.render.cells import Grid, class_label
from xentcli.render.heaviest import chosen_of
from xentcli.render.html.document import Section
from xentcli.render.html.pictures import (
    Bar,
    Bin,
    Hit,
    Line,
    Series,
    bars,
    curve,
    histogram,
    reliability,
    spelled_share,
)
from xentcli.render.html.shapes import Axis
from xentcli.render.metrics import carried, part_grid
from xentcli.render.numbers import brief, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xentcli.records.breakdown import LossPart
    from xentcli.records.pictures import Confusion, Histogram, LossBin, ReliabilityBin
    from xentcli.records.report import Report
    from xentcli.render.html.shapes import Picture

STEP = 10.0**0.25  # from one edge of the histogram to the next
FEWEST = 3  # points of a curve
WORST = "worst 1 %"  # the rows whose share of the loss is known
TAIL = {"mean": "nll", "median": "nll_median", "worst 5 %": "nll_cvar95", WORST: "nll_cvar99"}


def spread(report: Report) -> Section:
    """How the losses lie, and which of them make the total."""
    found = report.pictures and report.pictures.histogram
    if not found or not found.bins:
        return Section("How the losses lie")
    notes = {
        "rows": found.infinite and f"{plural(found.infinite, 'row')} of infinite loss, in no bin",
        "NaN": found.nan and f"{plural(found.nan, 'row')} whose loss is NaN, in no bin",
        "edges": found.on_edges and f"{plural(found.on_edges, 'row')} so near an edge that the bin is not certain",
    }
    lead = "On a logarithmic axis: above the line how many rows, below it which share of the total loss they carry."
    entries = (*_tail(report, found), *((word, text) for word, text in notes.items() if text))
    return Section("How the losses lie", lead, pictures=(_histogram(report, found),), entries=entries)


def _tail(report: Report, found: Histogram) -> Iterator[tuple[str, str]]:
    """The numbers of the middle and of the tail."""
    known = report.metrics or Metrics()
    if found.of != "-log p":
        return
    share = f", {spelled_share(known['worst_share'].value)} of the loss" if "worst_share" in known else ""
    for name, key in TAIL.items():
        if key in known:
            yield name, f"{brief(known[key].value, 4)} nats{share if name == WORST else ''}"


def _histogram(report: Report, found: Histogram) -> Picture:
    rows = found.rows or 1
    bins = [_bin(each, rows) for each in found.bins]
    cells = tuple(bin_cells(each) for each in found.bins)
    numbers = Grid(("from", "to", "rows", "total loss", "share of loss"), cells)
    across = Axis("loss, nats", bins[0].low, bins[-1].high, is_log=True)
    lines = list(_lines(report)) if found.of == "-log p" else []
    most = max(found.bins, key=lambda each: each.share or 0.0)
    said = f"; {spelled_share(most.share)} of it is from {_ends(most)}" if most.share is not None else ""
    label = f"Histogram of {plural(found.rows, 'loss').replace('losss', 'losses')}{said}"
    title = (
        "Rows, and their share of the loss" if found.of == "-log p" else "Rows, and their share of the weighted loss"
    )
    return histogram(title, label, bins, across=across, lines=lines, numbers=numbers)


def _bin(each: LossBin, rows: int) -> Bin:
    """Where a bin is drawn: one that reaches to 0 or infinity is as wide as others, the negative one at the left."""
    high = each.upper if math.isfinite(each.upper) else each.lower * STEP
    low = each.lower if each.lower > 0.0 else high / STEP
    if each.lower < 0.0:
        low, high = 1e-8 / STEP**2, 1e-8 / STEP
    told = f"{_ends(each)}: {plural(each.rows, 'row')}"
    return Bin(low, high, told, each.rows / rows, max(0.0, each.share or 0.0))


def bin_cells(each: LossBin) -> tuple[str, ...]:
    """Its numbers, as the table beside the picture has them."""
    share = "" if each.share is None else spelled_share(each.share)
    return brief(each.lower, 3), brief(each.upper, 3), f"{each.rows:,}", brief(each.total, 5), share


def _ends(each: LossBin) -> str:
    return f"{brief(each.lower, 3)} to {brief(each.upper, 3)} nats"


def _lines(report: Report) -> Iterator[Line]:
    """The mean with its standard error, and the median."""
    known = report.metrics or Metrics()
    if "nll" in known and known["nll"].value > 0.0:
        error = known["nll"].se if known["nll"].group_se is None else known["nll"].group_se
        said = f"mean {brief(known['nll'].value, 4)}" + (f" ± {brief(error)}" if error else "")
        yield Line(said, known["nll"].value, spread=error or 0.0)
    if "nll_median" in known and known["nll_median"].value > 0.0:
        yield Line(f"median {brief(known['nll_median'].value, 4)}", known["nll_median"].value, "mark second")


def calibration(report: Report) -> Section:
    """How often the model is right where it is so sure, before the best temperature and at it."""
    found, known = report.pictures, report.metrics or Metrics()
    if not found or not found.reliability:
        return Section("Calibration")
    pictures = [_reliability("As it is", found.reliability)]
    if found.reliability_tempered:
        degree = f", {brief(known['temperature'].value, 4)}" if "temperature" in known else ""
        pictures.append(_reliability(f"At the best temperature{degree}", found.reliability_tempered))
    lead = (
        "A point on the dashed line is honest: of the rows with that probability for the top class, as many are right. "
        "Below the line the model is too sure."
    )
    return Section("Calibration", lead, pictures=tuple(pictures))


def _reliability(title: str, bins: Sequence[ReliabilityBin]) -> Picture:
    known = [each for each in bins if each.rows]
    rows = sum(each.rows for each in known) or 1
    hits = [hit for hit in (_hit(each, rows) for each in known) if hit is not None]
    head = ("from", "to", "rows", "how sure", "how often right", "at least", "at most")
    far = max(hits, key=lambda hit: abs(hit.accuracy - hit.confidence), default=None)
    said = "" if far is None else f"; farthest off where it is {100 * far.confidence:.3g} % sure"
    label = f"Reliability diagram of {plural(rows, 'row')} in {len(known)} bins{said}"
    return reliability(title, label, hits, Grid(head, tuple(map(_reliability_cells, known))))


def _hit(each: ReliabilityBin, rows: int) -> Hit | None:
    if each.confidence is None or each.accuracy is None:
        return None
    low, high = each.accuracy.interval or (each.accuracy.value, each.accuracy.value)
    return Hit(each.confidence, each.accuracy.value, (low, high), each.rows / rows, (each.lower, each.upper))


def _reliability_cells(each: ReliabilityBin) -> tuple[str, ...]:
    accuracy = each.accuracy
    ends = accuracy.interval if accuracy and accuracy.interval else (None, None)
    right = None if accuracy is None else accuracy.value
    numbers = (each.confidence, right, *ends)
    edges = (brief(each.lower, 3), brief(each.upper, 3))
    return (*edges, f"{each.rows:,}", *(brief(number, 3) for number in numbers))


def parts(report: Report, known: Mapping[str, int]) -> Iterator[Section]:
    """The loss of each part of the rows, by each thing that tells them apart: positions as a curve, others as bars.

    known  how many parts there are of each kind, of which the report may have the heaviest alone
    """
    for by, found in (report.groups or {}).items():
        if found:
            picture = _positions if by == "position" and len(found) >= FEWEST else _bars
            title = f"Loss by {by}{chosen_of(known[by], len(found))}"
            yield Section(title, f"{carried(by, found)}.".capitalize(), pictures=(picture(by, found),), is_half=True)


def _bars(by: str, found: Sequence[LossPart]) -> Picture:
    rows = [Bar(part.name, part.loss.value, brief(part.loss.value, 4)) for part in found]
    return bars("Mean loss, nats", f"Bars: {carried(by, found)}", rows, part_grid(by, found))


def _positions(by: str, found: Sequence[LossPart]) -> Picture:
    places = [float(part.name.partition(" ")[0]) for part in found]
    errors = [(part.loss.se if part.loss.group_se is None else part.loss.group_se) or 0.0 for part in found]
    values = [part.loss.value for part in found]
    low = tuple(max(0.0, value - error) for value, error in zip(values, errors, strict=True))
    high = tuple(value + error for value, error in zip(values, errors, strict=True))
    series = Series("", tuple(zip(places, values, strict=True)), "steps", low, high)
    finite = [each for each in high if math.isfinite(each)]
    up = Axis("mean loss, nats ± standard error", 0.0, max(finite, default=1.0) or 1.0)
    across = Axis("position", places[0], places[-1], spelled=lambda value: f"{value:g}")
    label = f"The mean loss at each position; {carried(by, found)}"
    return curve("Mean loss along the sequence", label, [series], across=across, up=up, numbers=part_grid(by, found))


def confusions(report: Report) -> Section:
    """Which class the model takes for which other, most often."""
    found = report.pictures.confusions if report.pictures else ()
    if not found:
        return Section("Confused classes")
    rows = [Bar(_pair(report, each), each.rows, f"{each.rows:,}") for each in found]
    head = ("label", "model says", "rows", "total loss", "share of loss")
    numbers = Grid(head, tuple(_confusion_cells(report, each) for each in found))
    most = found[0]
    lead = (
        f"Most often the model says {class_label(report, most.predicted)} of label {class_label(report, most.label)}."
    )
    label = f"Bars: the {len(rows)} pairs of a label and another class that most rows have. {lead}"
    picture = bars("Rows, by label → what the model says", label, rows, numbers)
    return Section("Confused classes", lead, pictures=(picture,), is_half=True)


def _pair(report: Report, each: Confusion) -> str:
    return f"{class_label(report, each.label)} → {class_label(report, each.predicted)}"


def _confusion_cells(report: Report, each: Confusion) -> tuple[str, ...]:
    share = "" if each.share is None else spelled_share(each.share)
    names = class_label(report, each.label), class_label(report, each.predicted)
    return (*names, f"{each.rows:,}", brief(each.total, 5), share)
