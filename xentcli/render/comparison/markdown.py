"""The comparison as Markdown, for a pull request's comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.comparison.cells import blocks, gate_line, percentiles, worst_rows
from xentcli.render.comparison.claims import claim_details, claim_line
from xentcli.render.comparison.parts import sections
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import ClaimedStatistic, Comparison
    from xentcli.render.cells import Grid
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> str:
    """The answer, the claims, the gates, and the tables."""
    return "\n\n".join(_paragraphs(comparison)) + "\n"


def _paragraphs(comparison: Comparison) -> Iterator[str]:
    for one in printable(comparison).comparisons:
        yield f"**{_escaped(one.summary)}**"
        if one.findings:
            yield "\n".join(f"- {each.severity}: {_escaped(each.message)} ({each.code})" for each in one.findings)
        if one.expectations:
            yield "\n".join(_claim(each) for each in one.expectations)
        if one.gates:
            yield "\n".join(f"- {gate.verdict}: {_escaped(gate_line(gate))}" for gate in one.gates)
        for title, grid in (
            *blocks(one),
            *sections(one, int(comparison.options["rows"])),
            ("Percentiles of rows", percentiles(one)),
            ("Rows with the greatest KL", worst_rows(one)),
        ):
            yield f"### {title}\n\n{_table(grid)}"


def _claim(each: ClaimedStatistic) -> str:
    details = (f"  - {_escaped(word)}: {_escaped(text)}" for word, text in claim_details(each))
    return "\n".join([f"- {each.verdict}: {_escaped(claim_line(each))}", *details])


def _table(grid: Grid) -> str:
    lines = [grid.head, ("---",) * len(grid.head), *grid.rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\|`*_[]<>" else sign for sign in text)
