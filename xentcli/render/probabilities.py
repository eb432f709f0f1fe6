"""The table of probabilities: every class where they fit, else the label's and the most probable ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.numbers import probability

if TYPE_CHECKING:
    from xentcli.records.report import ClassProbability, Report, Sample

MOST_PAIRS = 5
BY = {"logits": "by softmax", "log-probabilities": "by exp", "probabilities": "as given"}
RANKS = ("highest", "2nd", "3rd", "4th", "5th")


def probability_grid(report: Report, width: int) -> tuple[str, Grid]:
    """The table and its title, not wider than `width` where that is possible; `*` stands before the label's."""
    by = "by sigmoid" if report.options.binary else BY[report.options.input]
    classes, title = report.counts.classes, f"Probabilities {by}"
    if all(len(sample.probabilities) == classes for sample in report.samples):
        grid = _every_class(report)
        if _width(grid) <= width:
            return title + (", * is the label" if _labelled(report) else ""), grid
    most = min(MOST_PAIRS, *(len(sample.probabilities) for sample in report.samples))
    shown = next((count for count in range(most, 1, -1) if _width(_highest(report, count)) <= width), 1)
    shown_ones = f"the label's and {shown} highest" if _labelled(report) else f"{shown} highest"
    return f"{title}: {shown_ones} ({classes - shown:,} classes left out)", _highest(report, shown)


def _every_class(report: Report) -> Grid:
    classes = range(report.counts.classes)
    head = ("row", *(report.input.class_name(index) or str(index) for index in classes))
    return Grid(head, tuple(_class_row(sample) for sample in report.samples))


def _class_row(sample: Sample) -> tuple[str, ...]:
    by_index = sorted(sample.probabilities, key=lambda one: one.index)
    return (str(sample.row), *(_mark(sample, one) + probability(one.probability) for one in by_index))


def _highest(report: Report, count: int) -> Grid:
    labels = ("label",) * _labelled(report)
    rows = (
        (
            str(sample.row),
            *(_label(report, sample) for _ in labels),
            *(_pair(report, sample, one) for one in sample.probabilities[:count]),
        )
        for sample in report.samples
    )
    return Grid(("row", *labels, *RANKS[:count]), tuple(rows))


def _label(report: Report, sample: Sample) -> str:
    if sample.ignored or sample.probability is None:
        return "ignored"
    name = "" if sample.label is None else report.input.class_name(sample.label)
    return f"*{name or sample.label}: {probability(sample.probability)}"


def _pair(report: Report, sample: Sample, one: ClassProbability) -> str:
    return f"{_mark(sample, one)}{report.input.class_name(one.index) or one.index}: {probability(one.probability)}"


def _mark(sample: Sample, one: ClassProbability) -> str:
    return "*" if one.index == sample.label and not sample.ignored else " "


def _labelled(report: Report) -> bool:
    return report.input.kind == "labels"


def _width(grid: Grid) -> int:
    columns = zip(grid.head, *grid.rows, strict=True)
    return sum(max(map(len, column)) + 1 for column in columns) - 1
