"""From a report to files, the screen and the exit code."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import not_default, not_typed
from xentcli.cli.options import ROWS
from xentcli.cli.output import WholeFile
from xentcli.cli.terminal import can_draw, has_color, say
from xentcli.errors import Exit, UsageError
from xentcli.render.page import Page
from xentcli.render.registry import FORMATS, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.records.conformance import ConformanceReport, SelfCheck
    from xentcli.records.explanation import Explanation
    from xentcli.records.report import Report
    from xentcli.render.page import Piece

    Judged = Report | ConformanceReport | SelfCheck | Comparison | Explanation

FILE_PAGE = Page(width=80, color=False)


def last_line(report: Report) -> str:
    """The verdict in one line."""
    from xentcli.render.wording import verdict

    return verdict(report)


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """Where the report goes, in which formats, and how loudly."""

    form: str
    output: str | None
    reports: tuple[tuple[str, str], ...]
    quiet: int
    exit_zero: bool
    strict: bool
    rows: int | None = None  # of tables; None where nobody says it
    explaining: str = ""  # the command that explains a row, but for `--row`
    renderer: Callable[[Any, str, Page], Iterator[Piece]] = render
    last_line: Callable[[Any], str] = last_line

    def present(self, make_report: Callable[[], Judged]) -> int:
        """Open every output file, make the report, write it everywhere; the exit code is its verdict."""
        self._refuse_bytes_on_a_terminal()
        wanted = [*self.reports, *([] if self.output is None else [(self.form, self.output)])]
        with ExitStack() as stack:
            files = [(form, stack.enter_context(WholeFile(Path(path)))) for form, path in wanted]
            _refuse_twice([file for _, file in files])
            report = self._finished(make_report())
            for form, file in files:
                for piece in self.renderer(report, form, self._page(FILE_PAGE)):
                    file.write(piece if isinstance(piece, bytes) else piece.encode())
        if self.output is None:
            for piece in self._printed(report):
                say(piece)
        return self._exit_code(report)

    def _finished(self, report: Judged) -> Judged:
        """A report with where its options came from; one on a loss with its warnings as faults where they count."""
        from xentcli.records.comparison import Comparison
        from xentcli.records.conformance import ConformanceReport
        from xentcli.records.report import Report

        if isinstance(report, ConformanceReport):
            return replace(report, options=tuple(not_default(click.get_current_context())))
        if not isinstance(report, (Report, Comparison)):
            return report
        told = replace(report, settings=tuple(not_typed(click.get_current_context())) or None)
        if not self.strict or isinstance(told, Comparison):
            return told
        from xentcli.diagnose.answer import strictly

        return strictly(told)

    def _printed(self, report: Judged) -> Iterator[Piece]:
        if not self.quiet:
            yield from self.renderer(report, self.form, self._page(screen()))
        elif self.quiet == 1:
            yield f"{self.last_line(report)}\n"

    def _page(self, page: Page) -> Page:
        return replace(page, rows=ROWS if self.rows is None else self.rows, explaining=self.explaining)

    def _refuse_bytes_on_a_terminal(self) -> None:
        printed = self.output is None and not self.quiet
        if printed and FORMATS[self.form].is_array and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(f"{self.form} is no text for a terminal", hint=f"-o losses.{self.form}")

    def _exit_code(self, report: Judged) -> Exit:
        code = report.exit_code(strict=self.strict)
        return Exit.HOLDS if code == Exit.DIFFERS and self.exit_zero else code


def _refuse_twice(files: list[WholeFile]) -> None:
    targets = [file.target for file in files]
    for file in files:
        if targets.count(file.target) > 1:
            raise UsageError("one file cannot hold two reports", found=f"{file.path} twice")


def screen() -> Page:
    """The page that standard output is."""
    return Page(width=shutil.get_terminal_size().columns, color=has_color(sys.stdout), plain=not can_draw(sys.stdout))
