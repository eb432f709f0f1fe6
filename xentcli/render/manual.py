"""A page of the manual for reading in a terminal."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.markdown import CodeBlock, Markdown
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

    from xentcli.render.page import Page

LINK = re.compile(r"\[([^]]*)\]\((?:[\w./-]*/)?([\w-]+)\.md(?:#[\w-]*)?\)")  # to another page
TYPED = r"(?m)^(\$|>>>|\.\.\.) .*$"  # what the reader types
THEME = Theme({"markdown.code": "cyan"})  # rich's own has a black background


class Verbatim(CodeBlock):
    """A block as it is; a line longer than the page is left to the terminal, from which it can be copied whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(str(self.text).rstrip(), no_wrap=True, overflow="ignore")
        text.highlight_regex(TYPED, "bold")
        yield text


class Manual(Markdown):
    """Markdown whose blocks stay as they are."""

    elements: ClassVar = {**Markdown.elements, "fence": Verbatim, "code_block": Verbatim}


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
        theme=THEME,
    )
    console.print(Manual(LINK.sub(_named, text), hyperlinks=False), crop=False)
    return "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())


def _named(link: re.Match[str]) -> str:
    words, name = link[1], link[2]
    command = f"`xent docs {name}`"
    return command if words.strip("`").lower() in {name, f"xent docs {name}"} else f"{words} ({command})"
