"""The formats there are; a format's module is imported when it is asked for, so that `xent --help` stays quick."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Report
    from xentcli.render.page import Page, Piece


@dataclass(frozen=True)
class Format:
    """Where a format is made, and what it is for, in one line."""

    module: str  # has render(report, page), which yields pieces
    description: str
    is_array: bool = False  # bytes with a record a sample: no text for a terminal, and nothing without samples


FORMATS = {
    "table": Format("xentcli.render.table", "tables for reading on a terminal"),
    "json": Format("xentcli.render.json", "everything, for scripts"),
    "csv": Format("xentcli.render.csv", "one line of totals, or one line a sample with --reduction none"),
    "markdown": Format("xentcli.render.markdown", "tables for a pull request's comment"),
    "html": Format("xentcli.render.html.report", "one page with pictures that needs no network, for others"),
    "junit": Format("xentcli.render.junit", "XML test results for a continuous-integration server"),
    "github": Format("xentcli.render.github", "annotations for GitHub Actions"),
    "npy": Format("xentcli.render.npy", "one record a sample for numpy.load, with --reduction none", is_array=True),
}
PICTURES = "html"  # the format that draws what it shows, so that more is asked of the run
TEXTS = [name for name, form in FORMATS.items() if not form.is_array]


def render(report: Report, name: str, page: Page) -> Iterator[Piece]:
    """The report in the format called `name`, a key of FORMATS, in pieces; a text ends with exactly one newline."""
    pieces: Iterator[Piece] = import_module(FORMATS[name].module).render(report, page)
    return pieces
