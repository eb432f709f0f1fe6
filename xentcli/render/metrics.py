"""The metrics beside the loss, and the rows with the highest losses, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.question.grouping import BYS
from xentcli.records.metrics import Metrics
from xentcli.render.cells import Grid
from xentcli.render.ends import spelled
from xentcli.render.heaviest import chosen_of, heaviest
from xentcli.render.numbers import brief, plural, probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xentcli.records.breakdown import LossPart
    from xentcli.records.report import Report, WorstLoss

NAMES = {
    "accuracy": "accuracy, top 1",
    "top5": "accuracy, top 5",
    "perplexity": "perplexity",
    "bits": "bits",
    "bits_per_byte": "bits per byte",
    "brier": "Brier score, 0 to 2",
    "ece": "ECE, 15 bins",
    "ece_calibrated": "… if calibrated",
    "ece_equal_mass": "ECE, equal mass",
    "ece_equal_mass_calibrated": "… if calibrated",
    "ece_classwise": "ECE, classwise",
    "mce": "MCE, 15 bins",
    "temperature": "best temperature",
    "nll_tempered": "… mean loss there",
    "ece_tempered": "… ECE there",
    "entropy": "mean entropy",
    "overconfidence": "overconfidence",
    "margin": "mean margin",
    "nll_median": "median loss",
    "nll_cvar95": "mean of worst 5 %",
    "nll_cvar99": "mean of worst 1 %",
    "worst_share": "share of worst 1 %",
}
METRIC_LEFT = ("metric", *BYS)  # columns of names, at the left
MOST = 20  # parts of a kind that are shown
DOUBTFUL = -0.9  # a margin from which on the label is worth a look


def metric_sections(report: Report) -> list[tuple[str, Grid]]:
    """All of these tables that there are, with their headings."""
    found = [
        ("Metrics", metric_grid(report)),
        *part_grids(report),
        ("Rows with the highest losses", worst_grid(report)),
    ]
    return [(title, grid) for title, grid in found if grid is not None and grid.rows]


def metric_grid(report: Report) -> Grid | None:
    """Every metric, as far as it is certain, with its standard error; None where no more than the usual are known."""
    known = report.metrics or Metrics()
    if "brier" not in known:
        return None
    rows = tuple(
        (name, spelled(known[key]), brief(known[key].se), brief(known[key].group_se))
        for key, name in NAMES.items()
        if key in known
    )
    grid = Grid(("metric", "value", "± rows", "± groups"), rows)
    return grid if report.grouped else grid.without("± groups")


def part_grids(report: Report) -> list[tuple[str, Grid]]:
    """The parts of each kind under their heading, at most so many: those that carry most of the total."""
    return [
        (f"Loss by {by}{chosen_of(len(parts), MOST)}", part_grid(by, parts, MOST))
        for by, parts in (report.groups or {}).items()
    ]


def carried(by: str, parts: Sequence[LossPart]) -> str:
    """The part that carries most of the total, in a sentence."""
    most = max(parts, key=lambda part: part.total)
    return f"{by} {most.name} carries {_share(most) or 'an unknown share'} of the loss in {plural(most.rows, 'row')}"


def _share(part: LossPart) -> str:
    """Of the total, in percent."""
    return "" if part.share is None else f"{brief(100.0 * part.share.value, 3)} %"


def part_grid(by: str, parts: Sequence[LossPart], most: int | None = None) -> Grid:
    """The parts of one kind, or so many of them that carry most."""
    rows = tuple(map(_part_row, heaviest(parts, lambda part: part.total, most or len(parts))))
    head = (by, "rows", "loss", "±", "recall" if by == "class" else "accuracy", "share of loss")
    return Grid(head, rows).without_blanks()


def _part_row(part: LossPart) -> tuple[str, ...]:
    error = part.loss.se if part.loss.group_se is None else part.loss.group_se
    return part.name, f"{part.rows:,}", brief(part.loss.value, 5), brief(error), spelled(part.accuracy), _share(part)


def worst_grid(report: Report) -> Grid | None:
    """The rows with the highest losses, and what the model says instead of the label."""
    if not report.worst or "brier" not in (report.metrics or Metrics()):
        return None  # where nobody asked for metrics, the answer names the hardest rows
    head = ("row", "loss", "label", "p(label)", "model says", "p", "")
    return Grid(head, tuple(map(_worst_row, report.worst))).without_blanks()


def _worst_row(each: WorstLoss) -> tuple[str, ...]:
    return (
        str(each.row),
        brief(each.loss, 5),
        str(each.label),
        probability(each.probability),
        str(each.top),
        probability(each.confidence),
        "mislabelled?" if each.margin <= DOUBTFUL else "",
    )
