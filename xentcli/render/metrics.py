"""The metrics beside the loss, and the rows with the highest losses, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.metrics import Metrics
from xentcli.render.cells import Grid
from xentcli.render.ends import spelled
from xentcli.render.numbers import brief, probability

if TYPE_CHECKING:
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
DOUBTFUL = -0.9  # a margin from which on the label is worth a look


def metric_grid(report: Report) -> Grid | None:
    """Every metric, as far as it is certain, with its standard error; None where no more than the usual are known."""
    known = report.metrics or Metrics()
    if "brier" not in known:
        return None
    rows = ((name, spelled(known[key]), brief(known[key].se)) for key, name in NAMES.items() if key in known)
    return Grid(("metric", "value", "± rows"), tuple(rows))


def worst_grid(report: Report) -> Grid | None:
    """The rows with the highest losses, and what the model says instead of the label."""
    if not report.worst:
        return None
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
