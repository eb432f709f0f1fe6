"""The comparison as workflow commands, which GitHub Actions shows as annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.comparison.cells import gate_line
from xentcli.render.comparison.parts import carried
from xentcli.render.github import OF_VERDICT, command
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> str:
    """A line for every limit that is not kept by proof, and one for what was found of each other side."""
    lines = []
    for one in printable(comparison).comparisons:
        lines += [
            command("error", f"xent compare: {gate.name}", f"{gate.verdict}: {gate_line(gate)}")
            for gate in one.gates
            if OF_VERDICT[gate.verdict] == "error"
        ]
        lines.append(command("notice", f"xent compare: {one.name}", one.summary))
        lines += [
            command("notice", f"xent compare: {one.name}, by {by}", carried(by, parts))
            for by, parts in one.groups.items()
        ]
    return "".join(f"{line}\n" for line in lines)
