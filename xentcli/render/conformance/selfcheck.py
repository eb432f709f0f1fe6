"""The cast of doubles and who was caught, for reading or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.drawing import colored, draw, entries, fitted_table, heading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import SelfCheck
    from xentcli.render.drawing import Section
    from xentcli.render.page import Page

FORMS = ("table", "json")


def render(check: SelfCheck, form: str, page: Page) -> str:
    """Wrong doubles by family, survivors of the usual tolerances, and the verdict."""
    if form == "json":
        return json.dumps(check.to_dict(), allow_nan=False, indent=2) + "\n"
    return draw(_sections(check, page.width), page)


def _sections(check: SelfCheck, width: int) -> Iterator[Section]:
    families = dict.fromkeys(each.family for each in check.wrong)
    rows = []
    for family in families:
        cast = [each for each in check.wrong if each.family == family]
        caught = sum(bool(each.failed) for each in cast)
        rows.append(
            (str(family), str(len(cast)), str(caught), ", ".join(each.name for each in cast if not each.failed))
        )
    grid = Grid(("family", "wrong doubles", "caught", "survived"), tuple(rows)).without_blanks()
    yield [heading("Wrong doubles and the family meant for them", width),
           fitted_table(grid, {"family", "survived"}, lambda *_: "", width)]  # fmt: skip
    grid = Grid(
        ("tolerance", "wrong doubles that pass"),
        tuple((each.tolerance, f"{each.survivors} of {each.of}") for each in check.tolerances),
    )
    title = "A test as usual: float32 logits in [0, 1), mean and gradient against torch"
    if check.tolerances:
        yield [heading(title, width), fitted_table(grid, {"tolerance"}, lambda *_: "", width)]
    yield entries([("flagged", f"{each.name}: {', '.join(each.failed[:5])}") for each in check.flagged], width)
    yield [colored(f"{check.verdict}: {check.summary}", "red" if check.verdict == "fails" else "green", width)]
