"""The page of a loss: what was asked, the true value with both paths beside it, and where the loss comes from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.records.metrics import Metrics
from xentcli.records.samples import shown_of
from xentcli.render import wording
from xentcli.render.cells import Grid, claimed_rows, inputs, notes, tabled, totals
from xentcli.render.heaviest import heaviest
from xentcli.render.html.document import MOST_ROWS, Document, Figure, Section, Table, cut
from xentcli.render.html.hardest import hardest
from xentcli.render.html.pictures import Mark, band
from xentcli.render.html.said import both_paths, claimed, made_by, noticed
from xentcli.render.html.spread import calibration, confusions, parts, spread
from xentcli.render.html.write import page
from xentcli.render.metrics import METRIC_LEFT, metric_grid
from xentcli.render.numbers import against, brief, certain, percent, plural, shortest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.breakdown import LossPart
    from xentcli.records.report import PathResult, Report
    from xentcli.render.html.pictures import Shape
    from xentcli.render.html.shapes import Picture
    from xentcli.render.page import Page

MARKS: dict[str, Shape] = {"library": "disc", "manual": "diamond"}
MOST_NAMES = 1000  # of classes, beyond which the JSON on the page goes without them


def render(report: Report, reader: Page) -> Iterator[str]:
    """The report as one HTML page."""
    yield page(document(report, reader.explaining))


def document(report: Report, explaining: str = "") -> Document:
    """The report as sections, in the order in which one asks.

    explaining  the command that explains a row, but for `--row`; empty where there is none
    """
    bounded = _bounded(report)
    shown = tabled(bounded)
    return Document(
        title=_title(shown),
        verdict=shown.verdict,
        sentence=shown.summary,
        content=bounded.to_dict(),
        figures=tuple(_figures(shown)),
        sections=(
            _read(shown),
            _loss(shown),
            Section("What was noticed", notices=(*claimed(shown), *noticed(shown.findings)), tables=_claims(shown)),
            spread(shown),
            calibration(shown),
            *parts(shown, {by: len(found) for by, found in (report.groups or {}).items()}),
            confusions(shown),
            hardest(shown, explaining),
            Section("Metrics", tables=tuple(_metrics(shown))),
        ),
        made_by=made_by(shown.tool),
    )


def _bounded(report: Report) -> Report:
    """The report with those rows and parts alone that a page shows, however many there are."""
    groups = {by: tuple(heaviest(parts, _total, _most(by))) for by, parts in (report.groups or {}).items()}
    names = report.input.class_names
    if names is not None and len(names) > MOST_NAMES:
        names = None
    bounded: Report = cut(
        replace(
            report,
            samples=tuple(shown_of(report.samples))[:MOST_ROWS],
            worst=None if report.worst is None else report.worst[:MOST_ROWS],
            groups=groups or None,
            input=replace(report.input, class_names=names),
            findings=tuple(replace(each, rows=each.rows[:100]) for each in report.findings),
        )
    )
    return bounded


def _most(by: str) -> int:
    return 64 if by == "position" else MOST_ROWS


def _total(part: LossPart) -> float:
    return part.total


def _title(report: Report) -> str:
    classes = "1 class" if report.counts.classes == 1 else f"{report.counts.classes:,} classes"
    return f"xent {report.command}: {report.input.logits.path}, {plural(report.counts.samples, 'sample')}, {classes}"


def _figures(report: Report) -> Iterator[Figure]:
    truth, metrics = report.losses.reference, report.metrics or Metrics()
    if truth is not None and truth.lower is not None and truth.upper is not None:
        yield Figure(f"true {report.options.reduction}, nats", certain(truth.lower, truth.upper, 8))
    elif report.losses.library.value is not None:
        value = shortest(report.losses.library.value, wording.total_precision(report.losses.library, report))
        yield Figure(f"library's {report.options.reduction}, nats", value)
    if "perplexity" in metrics:
        yield Figure("perplexity", brief(metrics["perplexity"].value, 5))
    if "accuracy" in metrics:
        yield Figure("accuracy", f"{percent(metrics['accuracy'].value)} %")
    if "nll" in metrics and metrics["nll"].se is not None:
        nll = metrics["nll"]
        yield Figure("standard error", brief(nll.se if report.grouped is None else nll.group_se))


def _read(report: Report) -> Section:
    said = [*notes(report), ("options", wording.changed_options(report)), ("settings", wording.settings(report))]
    told = tuple(each for each in said if each[1])
    return Section("What was read", entries=told, tables=Table.of(_inputs(report), left=("CRC-32",)))


def _inputs(report: Report) -> Grid:
    """The files with their checksums, where the run has taken some."""
    grid, sums = inputs(report), {"logits": report.input.logits.crc32, report.input.kind: report.input.labels.crc32}
    return Grid((*grid.head, "CRC-32"), tuple((*row, sums.get(row[0]) or "") for row in grid.rows))


def _loss(report: Report) -> Section:
    truth = wording.true_value(report.losses.reference) if report.losses.reference else ""
    lead = f"The true value is {truth}." if truth else ""
    return Section(
        wording.scope(report),
        lead,
        pictures=tuple(_bands(report)),
        entries=tuple(wording.facts(report)),
        tables=Table.of(both_paths(totals(report)), left=("",)),
    )


def _bands(report: Report) -> Iterator[Picture]:
    marks = [mark for mark in (_mark(report, name, path) for name, path in wording.paths(report)) if mark]
    if marks:
        label = "; ".join(f"{mark.name} {mark.text}" for mark in marks)
        told = f"Where both paths are, beside what rounding allows round the true value: {label}"
        yield band("Both paths beside what rounding allows", told, marks, Grid(("",), ()))


def _mark(report: Report, name: str, path: PathResult) -> Mark | None:
    """A path's error in units of what is allowed, with its sign where the truth is known."""
    error, allowed = (path.error, path.allowed) if path.value is not None else _of_worst(path)
    if error == math.inf:
        return Mark(name, math.inf * _sign(report, path), f"infinitely far off ({path.status})", MARKS[name])
    if error is None or not allowed:
        return None
    said = "off {}, allowed {}".format(*against(error, allowed))
    return Mark(name, _sign(report, path) * error / allowed, said, MARKS[name])


def _of_worst(path: PathResult) -> tuple[float | None, float | None]:
    return (path.worst.error, path.worst.allowed) if path.worst else (None, None)


def _sign(report: Report, path: PathResult) -> float:
    """Whether a path is above the truth or below."""
    truth, value = report.losses.reference, path.value
    if value is None and path.worst is not None and path.worst.reference is not None:
        return 1.0 if path.worst.value >= path.worst.reference else -1.0
    if truth is None or truth.lower is None or truth.upper is None or value is None:
        return 1.0
    return 1.0 if value - truth.lower >= truth.upper - value else -1.0


def _claims(report: Report) -> tuple[Table, ...]:
    return Table.of(claimed_rows(report.row_claims), "Claims that are furthest off") if report.row_claims else ()


def _metrics(report: Report) -> Iterator[Table]:
    """In two tables beside each other, as they are many."""
    grid = metric_grid(report)
    if grid is not None:
        half = -(-len(grid.rows) // 2)
        for rows in (grid.rows[:half], grid.rows[half:]):
            yield from Table.of(Grid(grid.head, rows), left=METRIC_LEFT)
