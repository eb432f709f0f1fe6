"""`xent conform --loss`: judge a loss that is not plain cross-entropy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentcli.cli.telling import Telling
from xentcli.cli.terminal import say
from xentcli.errors import Exit

if TYPE_CHECKING:
    from xentcli.records.conformance import ConformanceReport, SelfCheck


def judge(loss: str, implementations: tuple[str, ...], given: dict[str, Any]) -> ConformanceReport:
    """The verdict on implementations of a loss."""
    from xentcli.conform.asking.channel import Limits
    from xentcli.conform.kinds.asking import any_program, python_program
    from xentcli.conform.kinds.registry import KINDS
    from xentcli.conform.kinds.run import chosen, conform

    kind = KINDS[loss]
    cases = chosen(kind, given["only"], given["skip"])
    limits = Limits(
        start_seconds=given["start_limit"],
        case_seconds=given["time_limit"],
        memory_bytes=int(given["memory_limit"] * 2**30),
    )
    programs = [python_program(path, kind, limits) for path in implementations]
    programs += [any_program(command, limits) for command in given["commands"]]
    with Telling(quiet=given["silent"]) as progress:
        return conform(programs, kind, cases, progress)


def check(loss: str) -> SelfCheck:
    """The cases of a loss against its doubles."""
    from xentcli.conform.kinds.registry import KINDS
    from xentcli.conform.kinds.run import self_check

    with Telling() as progress:
        return self_check(KINDS[loss], progress)


def show(loss: str, export: str | None, given: dict[str, Any]) -> int:
    """The cases of a loss: their names, or all that belongs to them in a folder."""
    from xentcli.conform.kinds.export import export as write
    from xentcli.conform.kinds.registry import KINDS
    from xentcli.conform.kinds.run import chosen

    kind = KINDS[loss]
    cases = chosen(kind, given["only"], given["skip"])
    if export is not None:
        write(Path(export), kind, cases)
        say(f"{len(cases)} cases of {kind.name} in {export}\n")
        return Exit.HOLDS
    say(f"{kind.name}: {kind.about}\n  {kind.signature}\n")
    for family, about in kind.families.items():
        own = [case for case in cases if case.family == family]
        if own:
            say(f"{family}: {about}\n")
        for case in own:
            say(f"  {case.name}  {case.about}\n")
    return Exit.HOLDS
