"""What texts for a terminal are made of: tables as wide as their numbers, sentences as wide as the page."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xentcli.render.fitting import fitted, fitting_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from xentcli.render.cells import Grid
    from xentcli.render.page import Page
    from xentcli.render.wording import Entry

    Section = list[Table | Text]

ENDLESS = 1_000_000  # columns: rich cuts what does not fit, and a number that is cut is a wrong number
NARROWEST = 20  # columns that a sentence gets at least
PLAIN = str.maketrans({"─": "-", "×": "x", "±": "+-", "…": "~", "−": "-"})  # for a stream of ASCII
VERBATIM = frozenset({"see", "file"})  # what stands after these is typed or copied: it is not broken
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
    drawn = text.getvalue().translate(PLAIN) if page.plain else text.getvalue()
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


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


def fitted_table(
    grid: Grid, left: Collection[str], style: Callable[[str, str], str], width: int, flagged: Collection[str] = ()
) -> Table:
    """The grid in as many columns as the page has room for, two columns apart or one."""
    grid = fitted(grid, width)
    return table(grid, left, style, fitting_gap(grid, width), flagged)


def entries(said: Iterable[Entry], width: int, indent: str = "") -> Section:
    """Words in one column, what there is to say in the next, or below where the words leave too little room.

    A word without a text says nothing; a text without a word goes on with what stands above it.
    """
    said = [(word, text) for word, text in said if text]
    column = max((len(word) for word, _ in said), default=0) + 2
    if len(indent) + column > width // 2:
        return [line for word, text in said for line in _below(word, text, width, indent)]
    starts = [f"{indent}{word:<{column}}" for word, _ in said]
    return [
        line
        for start, (word, text) in zip(starts, said, strict=True)
        for line in _entry(start, text, width, whole=word in VERBATIM)
    ]


def _entry(start: str, text: str, width: int, *, whole: bool) -> Section:
    if whole:
        starts = (start, f"{start.rstrip()} ")
        fitting = next((each for each in starts if len(each) + len(text) <= width), None)
        return [Text(start.rstrip(), "dim"), Text(text)] if fitting is None else [Text.assemble((fitting, "dim"), text)]
    if start.strip() and any(len(start) + len(each) > width for each in text.split()):  # digits, or a long path
        return _below(start.strip(), text, width, start[: len(start) - len(start.lstrip())])
    line = filled(text, width, start)
    return [Text.assemble((line[: len(start)], "dim"), line[len(start) :])]


def _below(word: str, text: str, width: int, indent: str) -> Section:
    below = text if word in VERBATIM else filled(text, width, f"{indent}  ")
    return [*([Text(f"{indent}{word}", "dim")] if word else []), Text(below)]


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
