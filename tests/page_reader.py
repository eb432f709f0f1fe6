"""A page as a reader without eyes has it: its texts, tables, pictures, links and the JSON, by a strict parser."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "hr"}


@dataclass
class Element:
    """An element with what is in it, in order."""

    tag: str
    attributes: dict[str, str]
    inside: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of its text, without that of styles and scripts."""
        if self.tag in {"style", "script", "title"}:
            return ""
        return " ".join(part if isinstance(part, str) else part.text for part in self.inside)

    def all(self, *tags: str) -> list[Element]:
        """The elements of these kinds in it, in order."""
        own = [self] if self.tag in tags else []
        return own + [found for part in self.inside if isinstance(part, Element) for found in part.all(*tags)]

    def of_class(self, name: str) -> list[Element]:
        every = [self, *(found for part in self.inside if isinstance(part, Element) for found in part.every())]
        return [each for each in every if name in each.attributes.get("class", "").split()]

    def every(self) -> list[Element]:
        return [self, *(found for part in self.inside if isinstance(part, Element) for found in part.every())]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.open[-1].inside.append(data.strip())


def parsed(page: str) -> Element:
    """The root of a page in which every element that is opened is closed, in the right order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def embedded(page: str) -> dict[str, Any]:
    """The JSON that the page holds."""
    (script,) = parsed(page).all("script")
    assert script.attributes["type"] == "application/json"
    (text,) = script.inside
    found: dict[str, Any] = json.loads(str(text))
    return found
