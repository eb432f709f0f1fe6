"""The formats of a conformance report, by the names of those of `xent compute`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.conformance import ConformanceReport, SelfCheck
    from xentcli.render.page import Page

MODULES = {
    name: f"xentcli.render.conformance.{name}" for name in ("table", "json", "csv", "markdown", "junit", "github")
} | {"html": "xentcli.render.html.conformance"}


def last_line(report: ConformanceReport | SelfCheck) -> str:
    """The verdict, and what it stands on."""
    return f"{report.verdict}: {report.summary}"


def render(report: ConformanceReport, name: str, page: Page) -> Iterator[str]:
    """The report in the format called `name`, in one piece; the text ends with exactly one newline."""
    yield import_module(MODULES[name]).render(report, page)
