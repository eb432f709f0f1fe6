"""From a report to files, the screen and the exit code."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.output import WholeFile, same_file
from xentcli.cli.terminal import has_color
from xentcli.errors import Exit, UsageError
from xentcli.render.page import Page
from xentcli.render.registry import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conformance import ConformanceReport
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
    renderer: Callable[[Any, str, Page], str] = render

    def __post_init__(self) -> None:
        paths = [path for _, path in self._wanted]
        for later, path in enumerate(paths):
            if any(same_file(path, earlier) for earlier in paths[:later]):
                raise UsageError("one file cannot hold two reports", found=f"{path} twice")

    @property
    def _wanted(self) -> tuple[tuple[str, str], ...]:
        """The formats and names of all files."""
        return self.reports + (((self.form, self.output),) if self.output else ())

    def present(self, make_report: Callable[[], Report | ConformanceReport]) -> int:
        """Open every output file, make the report, write it everywhere; the exit code is its verdict."""
        with ExitStack() as stack:
            files = [(form, stack.enter_context(WholeFile(Path(path)))) for form, path in self._wanted]
            report = make_report()
            for form, file in files:
                file.write(self.renderer(report, form, FILE_PAGE).encode())
        if not self.output:
            click.echo(self._printed(report), nl=False, color=True)
        return self._exit_code(report)

    def _printed(self, report: Report | ConformanceReport) -> str:
        if self.quiet:
            return f"{report.verdict}: {report.summary}\n" if self.quiet == 1 else ""
        return self.renderer(report, self.form, screen())

    def _exit_code(self, report: Report | ConformanceReport) -> Exit:
        code = report.exit_code(strict=self.strict)
        return Exit.HOLDS if code == Exit.DIFFERS and self.exit_zero else code


def screen() -> Page:
    """The page that standard output is."""
    return Page(width=shutil.get_terminal_size().columns, color=has_color(sys.stdout))
