"""A page of the manual for reading in a terminal."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown

if TYPE_CHECKING:
    from xentcli.render.page import Page

LINK = re.compile(r"\[([^]]*)\]\((?:[\w./-]*/)?([\w-]+)\.md(?:#[\w-]*)?\)")  # to another page


def render(text: str, page: Page) -> str:
    """The Markdown drawn to the page's width; a link to another page says how to read that one."""
    drawn = io.StringIO()
    console = Console(
        file=drawn,
        width=page.width,
        force_terminal=page.color,
        color_system="standard" if page.color else None,
        no_color=not page.color,
        legacy_windows=False,
    )
    console.print(Markdown(LINK.sub(_named, text), code_theme="ansi_dark", hyperlinks=False))
    return "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())


def _named(link: re.Match[str]) -> str:
    words, name = link[1], link[2]
    command = f"`xent docs {name}`"
    return command if words.strip("`").lower() in {name, f"xent docs {name}"} else f"{words} ({command})"
