"""The tables that the formats for people share, as texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.records.samples import shown_of
from xentcli.render.numbers import against, brief, certain, probability, shortest
from xentcli.render.wording import (
    difference,
    paths,
    printable,
    sample_precision,
    total_precision,
    true_loss,
    true_value,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import ArrayInfo, HeadInfo, PathResult, Report, RowClaims, Sample

WORDS = frozenset({"", "input", "shape", "dtype", "values", "format", "file", "status"})
LOSSES = frozenset({"loss", "library", "manual", "true loss"})  # at the left: equal digits stand below each other
TRUE = "true value"
FEWEST = 2  # rows of which one is told from the others
LEFT = WORDS | LOSSES  # columns at the left; the others hold short numbers, at the right


@dataclass(frozen=True)
class Grid:
    """A table of texts; every row is as long as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without(self, *names: str) -> Grid:
        """The same table without the columns of these names."""
        kept = [column for column, name in enumerate(self.head) if name not in names]
        head, *rows = (tuple(row[column] for column in kept) for row in (self.head, *self.rows))
        return Grid(head, tuple(rows))

    def without_later(self, name: str) -> Grid:
        """The same table without the columns of this name, but for the first of all."""
        kept = [column for column, head in enumerate(self.head) if head != name or not column]
        head, *rows = (tuple(row[column] for column in kept) for row in (self.head, *self.rows))
        return Grid(head, tuple(rows))

    def without_blanks(self) -> Grid:
        """The same table without the columns in which no row says anything."""
        columns = zip(self.head, *self.rows, strict=True)
        return self.without(*(head for head, *cells in columns if not any(cells)))


def tabled(report: Report, most: int | None = None) -> Report:
    """The report as it can be printed, with those samples alone that tables show, at most so many."""
    tabled: Report = printable(replace(report, samples=_chosen(report, tuple(shown_of(report.samples)), most)))
    return tabled


def _chosen(report: Report, samples: tuple[Sample, ...], most: int | None) -> tuple[Sample, ...]:
    """Those that are marked, and the first ones beside them."""
    if most is None or len(samples) <= most:
        return samples
    shown = {sample.row for sample in samples}
    marked = [row for row in marks(report) if row in shown][:most]
    others = [sample.row for sample in samples if sample.row not in marked]
    kept = {*marked, *others[: most - len(marked)]}
    return tuple(sample for sample in samples if sample.row in kept)


def marks(report: Report) -> dict[int, str]:
    """What some rows are shown for; nothing where there is one row alone."""
    if report.counts.samples - report.counts.ignored < FEWEST:
        return {}
    rounded, pair = (report.losses.library.worst, report.losses.manual.worst), report.discrepancy.worst
    found = [
        *((each.row, "hardest") for each in (report.worst or ())[:1]),
        *((each.row, "rounded worst") for each in rounded if each and each.error != 0.0),
        *((each.row, "furthest apart") for each in (pair,) if each and each.library != each.manual),
    ]
    rows = dict.fromkeys(row for row, _ in found)
    return {row: ", ".join(dict.fromkeys(mark for at, mark in found if at == row)) for row in rows}


def inputs(report: Report) -> Grid:
    """What was read."""
    given = report.input
    first = (_input_row("logits", given.logits),) if given.head is None else _hidden_rows(report, given.head)
    rows = (*first, _input_row(given.kind, given.labels))
    return Grid(("input", "shape", "dtype", "values", "format", "file"), rows)


def claimed_rows(found: RowClaims) -> Grid:
    """The claims that are furthest off, beside the true losses."""
    rows = ((f"{row.row:,}", f"{row.claimed:.10g}", certain(row.lower, row.upper, 10)) for row in found.rows)
    return Grid(("row", "claimed", "true loss"), tuple(rows))


def totals(report: Report) -> Grid:
    """Each path's loss with its error against the true one; the worst rows where there is no total."""
    row = _worst_row if report.options.reduction == "none" else _total_row
    rows = [row(report, name, result) for name, result in paths(report)]
    if report.losses.reference and (truth := true_value(report.losses.reference)):
        rows.append((TRUE, "", truth, "", "", "", ""))
    return Grid(("", "row", "loss", "error", "allowed", "ulp", "status"), tuple(rows)).without_blanks()


def losses(report: Report) -> Grid:
    """Each shown sample's loss by both paths."""
    head = ("row", "label", "p(label)", "library", "manual", "difference", "true loss", "")
    marked = marks(report)
    rows = ((*_loss_row(report, sample), marked.get(sample.row, "")) for sample in report.samples)
    return Grid(head, tuple(rows)).without_blanks()


def _input_row(name: str, info: ArrayInfo) -> tuple[str, ...]:
    return (name, _shape(info.shape), info.dtype, values(info.range), info.format, info.path)


def _hidden_rows(report: Report, head: HeadInfo) -> tuple[tuple[str, ...], ...]:
    """Hidden states, what they are multiplied with, and the logits that come of it."""
    hidden, counts = report.input.logits, report.counts
    own = ("hidden", _shape(hidden.shape), hidden.dtype, "", hidden.format, hidden.path)
    given = ((name, each) for name, each in (("head", head), ("bias", report.input.bias)) if each is not None)
    layer = ((name, _shape(each.shape), each.dtype, "", each.format, each.path) for name, each in given)
    made = ("logits", _shape((counts.samples, counts.classes)), "", values(hidden.range), "product", "")
    return (own, *layer, made)


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "scalar"


def _total_row(report: Report, name: str, result: PathResult) -> tuple[str, ...]:
    loss = "" if result.value is None else shortest(result.value, total_precision(result, report))
    return (name, "", loss, *against(result.error, result.allowed), brief(result.ulp), result.status or "")


def _worst_row(report: Report, name: str, result: PathResult) -> tuple[str, ...]:
    if result.worst is None:
        return (name, "", "", "", "", "", result.status or "")
    worst = result.worst
    loss = shortest(worst.value, sample_precision(report))
    return (name, str(worst.row), loss, *against(worst.error, worst.allowed), "", result.status or "")


def _loss_row(report: Report, sample: Sample) -> tuple[str, ...]:
    label = "" if sample.label is None else class_label(report, sample.label)
    if sample.ignored:
        return (str(sample.row), label, "", "ignored", "", "", "")
    precision = sample_precision(report)
    chance = "" if sample.probability is None else probability(sample.probability)
    both = (shortest(sample.library, precision), shortest(sample.manual, precision))
    truth = "" if sample.lower is None or sample.upper is None else true_loss(report, sample.lower, sample.upper)
    return (str(sample.row), label, chance, *both, brief(difference(sample.library, sample.manual)), truth)


def class_label(report: Report, label: int) -> str:
    """A class by its number, and by its name where it has one."""
    return f"{label} {report.input.class_name(label)}".strip()


def files(report: Report) -> Iterator[tuple[str, str]]:
    """Where both inputs come from."""
    for name, info in (("logits", report.input.logits), (report.input.kind, report.input.labels)):
        yield name, info.path


def notes(report: Report) -> Iterator[tuple[str, str]]:
    """What a table says beside its numbers, of both inputs."""
    first = "logits" if report.input.head is None else "hidden"
    for name, info in ((first, report.input.logits), (report.input.kind, report.input.labels)):
        yield from ((name, f"{info.path}: {note}") for note in info.notes or ())
