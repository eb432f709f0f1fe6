"""The words of reports and messages, read from the page that explains them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from xentcli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "glossary.md"
KIND_WORDS = 3  # "A status." says little


@dataclass(frozen=True)
class Word:
    """An entry: what it is called, and its text, in which formulas are indented."""

    names: tuple[str, ...]
    text: str

    @property
    def brief(self) -> str:
        """The first sentence; the second, too, where the first only says what kind of word it is."""
        first, *others = re.split(r"(?<=\.)\s", self.text.partition("\n\n")[0])
        return f"{first} {others[0]}" if others and first.count(" ") < KIND_WORDS else first


@cache
def words() -> tuple[Word, ...]:
    """The entries in the order of the page.

    >>> words()[0].names[0]
    'accuracy'
    """
    page = files("xentcli.docs").joinpath(PAGE).read_text(encoding="utf-8")
    _, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    parts = (section.partition("\n") for section in sections)
    return tuple(Word(tuple(head.split(", ")), text.strip()) for head, _, text in parts)


def find(name: str) -> Word | None:
    """The entry for a name in any spelling: `True-Value`, `true_value`."""
    return _index().get(_plain(name))


def explain(name: str) -> Word:
    """The same; UsageError where there is none."""
    word = find(name)
    if word is None:
        known = [name for word in words() for name in word.names]
        raise UsageError(f"the glossary has no {name!r}", hint=did_you_mean(name, known, "xent explain --words"))
    return word


@cache
def _index() -> Mapping[str, Word]:
    return {_plain(name): word for word in words() for name in word.names}


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()
