"""The page of one sample's loss: the steps, what they make of each class, both paths, and the curve of −log p."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.render import explanation, lesson
from xentcli.render.cells import Grid
from xentcli.render.curve import FARTHEST, GREATEST
from xentcli.render.html.document import Document, Figure, Section, Table, cut
from xentcli.render.html.pictures import Series, curve
from xentcli.render.html.said import both_paths, made_by, noticed
from xentcli.render.html.shapes import Axis
from xentcli.render.html.write import page
from xentcli.render.numbers import brief
from xentcli.render.sentence import sentence
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.explanation import Explanation
    from xentcli.render.html.shapes import Picture
    from xentcli.render.page import Page

POINTS = 120  # of a curve


def render(told: Explanation, _page: Page) -> str:
    """The explanation as one HTML page."""
    return page(document(told))


def document(told: Explanation) -> Document:
    """The explanation as sections, in the order in which it is told on a terminal."""
    bounded: Explanation = cut(told)
    shown: Explanation = printable(bounded)
    return Document(
        title=f"xent explain: {explanation.title(shown)}",
        verdict=shown.verdict,
        sentence=shown.summary,
        content=bounded.to_dict(),
        figures=tuple(_figures(shown)),
        sections=tuple(_sections(shown)),
        made_by=made_by(shown.tool),
    )


def _figures(told: Explanation) -> Iterator[Figure]:
    if told.losses.reference and told.losses.reference.decimal:
        yield Figure("true loss, nats", told.losses.reference.decimal)
    if told.surprisal is not None:
        yield Figure("probability of the label", brief(math.exp(-told.surprisal), 4))


def _sections(told: Explanation) -> Iterator[Section]:
    said, curves = tuple(explanation.about(told)), tuple(_curves(told))
    truth = told.losses.reference.decimal if told.losses.reference else None
    lead = f"{sentence(told)} The true loss is {truth}." if truth else sentence(told)
    yield Section(
        "The loss, in nats", lead, pictures=curves, entries=said, tables=_table(both_paths(lesson.losses(told)))
    )
    yield Section("What was noticed", notices=noticed(told.findings))
    for title, grid, more in explanation.steps(told):
        yield Section(title, entries=tuple(more), tables=_table(grid))
    for title, grid, more in explanation.derivatives(told):
        yield Section(title, entries=tuple(more), tables=_table(grid), is_half=True)


def _table(grid: Grid) -> tuple[Table, ...]:
    return Table.of(grid, left=explanation.LEFT)


def _curves(told: Explanation) -> Iterator[Picture]:
    """−log p over p, and over log p where p is too small to be seen on a plain axis."""
    if told.surprisal is None or told.surprisal > FARTHEST:
        return
    loss, said = told.surprisal, f"this sample: p = {_probability(told)}, {brief(told.surprisal, 6)} nats"
    numbers = Grid(("p of the label", "-log p"), ((_probability(told), brief(loss, 6)),))
    if loss <= GREATEST:
        low = math.exp(-GREATEST)
        places = [low + (1.0 - low) * (at / POINTS) ** 2 for at in range(POINTS + 1)]
        points = tuple((place, -math.log(place)) for place in places)
        across, up = Axis("p of the label", 0.0, 1.0), Axis("nats", 0.0, GREATEST)
        at = (math.exp(-loss), loss)
    else:
        decades = math.ceil(loss / math.log(10))
        across, up = Axis("log10 of p", float(-decades), 0.0), Axis("nats", 0.0, decades * math.log(10))
        points = ((-float(decades), decades * math.log(10)), (0.0, 0.0))
        at = (-loss / math.log(10), loss)
    label = f"The loss -log p falls from infinity at p = 0 to 0 at p = 1; {said}"
    title = "The less probable the label, the greater the loss"
    yield curve(title, label, [Series("", points)], across=across, up=up, numbers=numbers, point=(at, said))


def _probability(told: Explanation) -> str:
    return lesson.significant(next(step.true for step in told.steps if step.name == "gather"))
