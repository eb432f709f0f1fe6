"""From a report to files, the screen and the exit code."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xentcli.cli.output import WholeFile
from xentcli.errors import Exit
from xentcli.render.page import Page
from xentcli.render.registry import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.records import Report

FILE_PAGE = Page(width=80, color=False)


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """Where the report goes, in which formats, and how loudly."""

    form: str
    output: str | None
    reports: tuple[tuple[str, str], ...]
    quiet: int
    exit_zero: bool
    strict: bool

    def present(self, make_report: Callable[[], Report]) -> int:
        """Open every output file, make the report, write it everywhere; the exit code is its verdict."""
        wanted = [*self.reports, *([(self.form, self.output)] if self.output else [])]
        with ExitStack() as stack:
            files = [(form, stack.enter_context(WholeFile(Path(path)))) for form, path in wanted]
            report = make_report()
            for form, file in files:
                file.write(render(report, form, FILE_PAGE).encode())
        if not self.output:
            click.echo(self._printed(report), nl=False, color=True)
        return self._exit_code(report)

    def _printed(self, report: Report) -> str:
        if self.quiet:
            from xentcli.render.wording import verdict

            return verdict(report) + "\n" if self.quiet == 1 else ""
        return render(report, self.form, screen())

    def _exit_code(self, report: Report) -> Exit:
        code = report.exit_code(strict=self.strict)
        return Exit.HOLDS if code == Exit.DIFFERS and self.exit_zero else code


def screen() -> Page:
    """The page that standard output is: colour only on a terminal, unless NO_COLOR or FORCE_COLOR decide."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    color = not os.environ.get("NO_COLOR") and (terminal or bool(os.environ.get("FORCE_COLOR")))
    return Page(width=shutil.get_terminal_size().columns, color=color)
