"""What a report answers, in a screenful: the verdict, the loss, both paths in words, and the rows to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import class_label
from xentcli.render.metrics import DOUBTFUL
from xentcli.render.numbers import against, brief, plural, probability, shortest
from xentcli.render.wording import metrics, path_failure, paths, row_name, total_precision, true_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import PathResult, Report, WorstLoss
    from xentcli.render.wording import Entry

MOST = 3  # rows that are named


def answer(report: Report, explaining: str) -> Iterator[Entry]:
    """What stands below the verdict; nothing where nothing counts.

    explaining  the command that explains a row, but for `--row`
    """
    if report.counts.samples == report.counts.ignored:
        return
    yield "loss", _loss(report)
    yield from metrics(report)
    if report.losses.reference:
        yield "truth", true_value(report.losses.reference)
    for name, result in paths(report):
        yield name, _path(report, result)
    yield from _rows(report, explaining)


def _loss(report: Report) -> str:
    """The library's, as torch prints it; nothing where there is no total."""
    counts, result = report.counts, report.losses.library
    if result.value is None:
        return ""
    over = plural(counts.samples - counts.ignored, "sample")
    return f"{shortest(result.value, total_precision(result, report))} nats, the {report.options.reduction} of {over}"


def _path(report: Report, result: PathResult) -> str:
    """In words whether it is right; nothing where nobody asked."""
    odd = {result.status, *(status for status, count in result.rows.items() if count)} - {"within", None}
    if result.status != "within":
        return path_failure(result, report) if odd else ""
    return "; ".join(filter(None, (_right(report, result), path_failure(result, report) if odd else "")))


def _right(report: Report, result: PathResult) -> str:
    """How far off it is, and how far it may be."""
    allows = "rounding explains" if report.options.rtol is None and report.options.atol is None else "allowed are"
    if result.error is not None:
        error, allowed = against(result.error, result.allowed)
        return f"right: off {error}" + (f", {allows} {allowed}" if allowed else "")
    if result.worst is None:
        return "right"
    error, allowed = against(result.worst.error, result.worst.allowed)
    worst = (
        f"right in every row: off {error} at most, against what is allowed, in row {row_name(report, result.worst.row)}"
    )
    return worst + (f", {allows} {allowed}" if allowed else "")


def _rows(report: Report, explaining: str) -> Iterator[Entry]:
    """The rows with the highest losses, what the model says of them, and the command that tells why."""
    counted = report.counts.samples - report.counts.ignored
    hardest = (report.worst or ())[: min(MOST, counted // 2)]  # of two rows, one is harder than the other
    if hardest:
        yield from zip(("hardest", *[""] * len(hardest)), (hard(report, each) for each in hardest), strict=False)
    worst = report.losses.library.worst
    rows = [each.row for each in report.worst or ()] or ([worst.row] if worst else [])
    if explaining and rows:
        yield "see", f"{explaining} --row {rows[0]}"


def hard(report: Report, each: WorstLoss) -> str:
    """One of these rows: its loss, its label, and what the model says."""
    own = f"label {class_label(report, each.label)} has {probability(each.probability)}"
    says = f"the model says {class_label(report, each.top)} with {probability(each.confidence)}"
    said = "the model says so, too" if each.top == each.label else says
    doubt = ", mislabelled?" if each.margin <= DOUBTFUL else ""
    return f"row {row_name(report, each.row)}: {brief(each.loss, 5)}, {own}, {said}{doubt}"
