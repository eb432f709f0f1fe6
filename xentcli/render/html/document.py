"""What a page is made of, before it is HTML: a verdict, sections of sentences, pictures and tables, and the JSON."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from xentcli.render.cells import LEFT, Grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xentcli.render.html.shapes import Picture
    from xentcli.render.wording import Entry

LONGEST = 240  # characters of a text; the middle of a longer one is left out
SENTENCE = 900  # of a sentence
SHORT = 48  # characters of a name within a picture or a table of classes
MOST_ROWS = 20  # of a table
MARK = "…"


@dataclass(frozen=True)
class Table:
    """A grid with its caption; `left` are the columns of words."""

    grid: Grid
    caption: str = ""
    left: frozenset[str] = LEFT

    @classmethod
    def of(cls, grid: Grid | None, caption: str = "", left: Iterable[str] = ()) -> tuple[Table, ...]:
        """The table, or none where it has no rows: ready to be added to others."""
        return () if grid is None or not grid.rows else (cls(grid.without_blanks(), caption, LEFT | frozenset(left)),)


@dataclass(frozen=True)
class Unfold:
    """What stands behind one line that opens it."""

    summary: str
    entries: tuple[Entry, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A sign, and the class that gives it its look."""

    sign: str
    look: str


@dataclass(frozen=True)
class Strip:
    """Columns of signs beside each other, which wrap as words do."""

    name: str
    about: str
    label: str  # all of it in words
    cells: tuple[tuple[str, tuple[Mark, ...]], ...]  # what a column is told of, and its signs from the top
    ends: tuple[str, ...]  # what each line of signs comes to


@dataclass(frozen=True)
class Notice:
    """A finding or a claim: a word for how grave it is, what is the matter, and what to do."""

    word: str
    text: str
    entries: tuple[Entry, ...] = ()
    code: tuple[str, ...] = ()  # lines to paste
    mark: str = ""  # by which other parts of the page name it


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading: one sentence, then what is wrong, pictures, words, tables, what unfolds."""

    title: str
    lead: str = ""
    strips: tuple[Strip, ...] = ()
    notices: tuple[Notice, ...] = ()
    pictures: tuple[Picture, ...] = ()
    entries: tuple[Entry, ...] = ()
    tables: tuple[Table, ...] = ()
    details: tuple[Unfold, ...] = ()
    is_half: bool = False  # two such stand side by side where there is room

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return any((self.lead, self.strips, self.notices, self.pictures, self.entries, self.tables, self.details))


@dataclass(frozen=True)
class Figure:
    """A number that the first screen shows large, and what it is."""

    name: str
    text: str
    beside: str = ""  # in small letters after it


@dataclass(frozen=True)
class Document:
    """A whole page; the sections that say nothing are not on it."""

    title: str  # what was run on what
    verdict: str  # one word
    sentence: str
    content: dict[str, Any]  # the record as JSON has it
    figures: tuple[Figure, ...] = ()
    sections: tuple[Section, ...] = ()
    made_by: str = ""
    lesser: dict[str, Any] | None = None  # the record with less in it, where there is no room for all


def shortened(text: str, most: int = LONGEST) -> str:
    """The text, or both its ends, where it is long."""
    return text if len(text) <= most else f"{text[: most - most // 3 - 1]}{MARK}{text[-(most // 3) :]}"


def cut(value: Any, most: int = SENTENCE) -> Any:
    """The record, or its JSON, with no text in it that is longer."""
    if isinstance(value, str):
        return shortened(value, most)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: cut(getattr(value, each.name), most) for each in fields(value)})
    if isinstance(value, dict):
        return type(value)({shortened(str(key), most): cut(item, most) for key, item in value.items()})
    return type(value)(cut(item, most) for item in value) if isinstance(value, (list, tuple)) else value
