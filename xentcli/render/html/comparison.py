"""The page of a comparison: what was found of each other side, limits and claims, and where the differences sit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.records.pairs import shown_of
from xentcli.render.cells import Grid
from xentcli.render.comparison.cells import blocks, gate_line, percentiles, worst_rows
from xentcli.render.comparison.claims import claim_details, claim_line
from xentcli.render.comparison.parts import sections
from xentcli.render.heaviest import heaviest
from xentcli.render.html.document import MOST_ROWS, Document, Notice, Section, Table, cut
from xentcli.render.html.said import array_row, made_by, noticed
from xentcli.render.html.write import page
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.breakdown import Part
    from xentcli.records.comparison import Compared, Comparison
    from xentcli.render.page import Page

NOTHING_ASKED = "computed"  # the verdict where there is no limit and no claim


def render(comparison: Comparison, _page: Page) -> Iterator[str]:
    """The comparison as one HTML page."""
    yield page(document(comparison))


def document(comparison: Comparison) -> Document:
    """The comparison as sections; of several other sides those of one after those of another."""
    bounded = _bounded(comparison)
    shown: Comparison = printable(bounded)
    several = len(shown.comparisons) > 1
    return Document(
        title=f"xent compare: {shown.base.path} and {', '.join(one.name for one in shown.comparisons)}",
        verdict=shown.verdict or NOTHING_ASKED,
        sentence="; ".join(one.summary for one in shown.comparisons),
        content=bounded.to_dict(),
        sections=(
            _read(shown),
            *(part for one in shown.comparisons for part in _of(one, f"{one.name}: " if several else "")),
        ),
        made_by=made_by(shown.tool),
    )


def _bounded(comparison: Comparison) -> Comparison:
    """The comparison with those rows and parts alone that a page shows, however many there are."""
    bounded: Comparison = cut(replace(comparison, comparisons=tuple(map(_bounded_side, comparison.comparisons))))
    return bounded


def _bounded_side(one: Compared) -> Compared:
    groups = {by: tuple(heaviest(parts, _weight, MOST_ROWS)) for by, parts in one.groups.items()}
    return replace(one, rows=tuple(shown_of(one.rows))[:MOST_ROWS], groups=groups)


def _weight(part: Part) -> float:
    return 0.0 if part.share is None else part.share.value


def _read(comparison: Comparison) -> Section:
    sides = [("base", comparison.base), *((one.name, one.other) for one in comparison.comparisons)]
    labels = [("labels", comparison.labels)] if comparison.labels else []
    head = ("input", "shape", "dtype", "values", "format", "file")
    return Section("What was read", tables=Table.of(Grid(head, tuple(array_row(*each) for each in [*sides, *labels]))))


def _of(one: Compared, before: str) -> Iterator[Section]:
    """The sections of one other side; `before` is what their headings begin with."""
    yield Section(f"{before}what was noticed", notices=(*noticed(one.findings), *_judged(one)))
    if not one.statistics:
        return
    together = tuple(table for title, grid in blocks(one) for table in Table.of(grid, title, grid.head[:1]))
    yield Section(f"{before}statistics", tables=together)
    for title, grid in sections(one, MOST_ROWS):
        yield Section(f"{before}{title}", tables=Table.of(grid, left=grid.head[:1]))
    yield Section(f"{before}percentiles of rows", tables=Table.of(percentiles(one), left=("percentile",)))
    yield Section(f"{before}rows with the greatest KL", tables=Table.of(worst_rows(one)))


def _judged(one: Compared) -> Iterator[Notice]:
    yield from (Notice(each.verdict, claim_line(each), tuple(claim_details(each))) for each in one.expectations)
    yield from (Notice(gate.verdict, gate_line(gate)) for gate in one.gates)
