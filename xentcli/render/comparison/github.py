"""The comparison as workflow commands, which GitHub Actions shows as annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.render.comparison.cells import gate_line
from xentcli.render.comparison.claims import claim_details, claim_line, shown_name
from xentcli.render.comparison.parts import carried
from xentcli.render.github import LEVELS, OF_VERDICT, command
from xentcli.render.wording import printable

if TYPE_CHECKING:
    from xentcli.records.comparison import ClaimedStatistic, Comparison
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> str:
    """A line for each finding, each limit that is not kept by proof, each claim, and what was found of each side."""
    lines = []
    for one in printable(comparison).comparisons:
        lines += [command(LEVELS[each.severity], f"xent compare: {each.code}", each.message) for each in one.findings]
        lines += [
            command("error", f"xent compare: {gate.name}", f"{gate.verdict}: {gate_line(gate)}")
            for gate in one.gates
            if OF_VERDICT[gate.verdict] == "error"
        ]
        lines += [_claimed(each) for each in one.expectations]
        lines.append(command("notice", f"xent compare: {one.name}", one.summary))
        lines += [
            command("notice", f"xent compare: {one.name}, by {by}", carried(by, parts))
            for by, parts in one.groups.items()
        ]
    return "".join(f"{line}\n" for line in lines)


def _claimed(each: ClaimedStatistic) -> str:
    told = "\n".join([claim_line(each), *map(": ".join, claim_details(each))])
    return command(OF_VERDICT[each.verdict], f"xent compare: claim {shown_name(each)}", told)
