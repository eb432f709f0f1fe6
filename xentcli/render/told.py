"""The formats of an explanation; a format's module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.explanation import Explanation
    from xentcli.render.page import Page

FORMS = {  # name -> module and function
    "table": ("xentcli.render.explanation", "as_tables"),
    "json": ("xentcli.render.explanation", "as_json"),
    "html": ("xentcli.render.html.explanation", "render"),
}


def render(told: Explanation, name: str, page: Page) -> Iterator[str]:
    """The explanation in the format called `name`, in one piece, which ends with exactly one newline."""
    module, function = FORMS[name]
    yield getattr(import_module(module), function)(told, page)
