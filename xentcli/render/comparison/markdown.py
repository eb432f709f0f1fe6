"""The comparison as Markdown, for a pull request's comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.comparison.cells import blocks, gate_line, percentiles, worst_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.render.cells import Grid
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> str:
    """The answer, the gates, and the tables."""
    return "\n\n".join(_paragraphs(comparison)) + "\n"


def _paragraphs(comparison: Comparison) -> Iterator[str]:
    for one in comparison.comparisons:
        yield f"**{_escaped(one.summary)}**"
        if one.gates:
            yield "\n".join(f"- {gate.verdict}: {_escaped(gate_line(gate))}" for gate in one.gates)
        if not one.statistics:
            continue
        for title, grid in (
            *blocks(one),
            ("Percentiles of rows", percentiles(one)),
            ("Rows with the greatest KL", worst_rows(one)),
        ):
            yield f"### {title}\n\n{_table(grid)}"


def _table(grid: Grid) -> str:
    lines = [grid.head, ("---",) * len(grid.head), *grid.rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\|`*_[]<>" else sign for sign in text)
