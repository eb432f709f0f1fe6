"""What texts for a terminal are made of: tables as wide as their numbers, sentences as wide as the page."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from xentcli.render.cells import Grid
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

    Section = list[Table | Text]

ENDLESS = 1_000_000  # columns: rich cuts what does not fit, and a number that is cut is a wrong number
NARROWEST = 20  # columns that a sentence gets at least
COLORS = {
    "holds": "green",
    "fails": "red",
    "undecided": "yellow",
    "within": "green",
    "underflow": "yellow",
    "overflow": "yellow",
    "wrong": "red",
    "nan": "red",
    "note": "cyan",
    "warning": "yellow",
    "error": "red",
}


def draw(sections: Iterable[Section], page: Page) -> str:
    """The sections that are not empty, an empty line between them."""
    text = io.StringIO()
    console = _console(text, color=page.color)
    for number, section in enumerate(filter(None, sections)):
        for part in [Text()] * bool(number) + section:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _console(text: io.StringIO, *, color: bool) -> Console:
    """A console that asks neither the terminal nor the environment."""
    return Console(
        file=text,
        width=ENDLESS,
        height=1,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )


def heading(title: str, width: int) -> Text:
    return Text(filled(title, width), "bold")


def table(
    grid: Grid, left: Collection[str], style: Callable[[str, str], str], gap: int = 2, flagged: Collection[str] = ()
) -> Table:
    """The grid with its columns `gap` apart.

    left     the names of the columns that stand at the left
    style    how a cell of a column looks
    flagged  rows that stand out, by their first cell
    """
    drawn = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),  # the box adds one column
        header_style="dim",
        border_style="dim",
    )
    for name in grid.head:
        drawn.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    for row in grid.rows:
        cells = (Text(cell, style(name, cell)) for name, cell in zip(grid.head, row, strict=True))
        drawn.add_row(*cells, style="yellow" if row[0] in flagged else "")
    return drawn


def fitting_gap(grid: Grid, width: int) -> int:
    """How far apart the columns stand: two, where the page is too narrow for that one."""
    return 2 if grid_width(grid, 2) <= width else 1


def grid_width(grid: Grid, gap: int) -> int:
    """The columns that a table takes."""
    columns = zip(grid.head, *grid.rows, strict=True)
    return sum(max(map(len, column)) + gap for column in columns) - gap


def entries(said: Iterable[Entry], width: int, indent: str = "") -> Section:
    """Words in one column, what there is to say in the next; nothing for a word without a text."""
    said = [(word, text) for word, text in said if text]
    column = max((len(word) for word, _ in said), default=0) + 2
    starts = [f"{indent}{word:<{column}}" for word, _ in said]
    lines = [filled(text, width, start) for start, (_, text) in zip(starts, said, strict=True)]
    return [
        Text.assemble((line[: len(start)], "dim"), line[len(start) :])
        for start, line in zip(starts, lines, strict=True)
    ]


def colored(sentence: str, color: str, width: int) -> Text:
    """A sentence whose first word, up to the colon, stands out."""
    word, colon, said = filled(sentence, width).partition(":")
    return Text.assemble((word, f"bold {color}"), colon, said)


def filled(text: str, width: int, start: str = "") -> str:
    """`start` and the text in lines of `width`, broken between words only and hanging below the text's beginning."""
    return textwrap.fill(
        text,
        max(width, NARROWEST, 2 * len(start)),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
