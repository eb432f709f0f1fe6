"""A document as HTML: a whole page, or the part of one that a notebook shows."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xentcli.render.html.document import LONGEST, SENTENCE, SHORT, cut, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.render.html.document import Document

LARGEST = 200_000  # bytes of a page
SPARE = 4_000  # of them, for what the template adds
LENGTHS = {"name": SHORT, "brief": LONGEST, "sentence": SENTENCE}  # the templates' filters, in characters
LISTS = (1000, 200, 50, 20, 5, 0)  # how many items of a list of the JSON are kept: the most that fit


def page(document: Document) -> str:
    """The whole page."""
    content, is_whole = _json(document)
    return _written("page.html", document, content, is_whole=is_whole) + "\n"


def fitting(documents: Iterable[Document]) -> str:
    """The first of ever shorter pages that has room for all of its JSON; of the last, with as much of it as fits."""
    for document in documents:
        made = len(_written("page.html", document, Markup("")).encode())
        if made + len(_escaped(document.content)) + SPARE <= LARGEST:
            break
    return page(document)


def fragment(document: Document) -> str:
    """The same within another page, whose looks stay as they are; without the JSON, which the notebook has."""
    return _written("fragment.html", document, Markup(""))


def _json(document: Document) -> tuple[Markup, bool]:
    """As much of the record as fits, and whether that is all; no `<` in it, so that nothing in it ends the element."""
    room = LARGEST - SPARE - len(_written("page.html", document, Markup("")).encode())
    kept = ((_escaped(content), content is document.content) for content in _ever_less(document))
    return next((text, is_whole) for text, is_whole in kept if len(text) <= max(room, 0) or text == "{}")


def _ever_less(document: Document) -> Iterator[dict[str, Any]]:
    """The JSON, then with ever fewer items in its lists and of its members, and at last with none."""
    yield document.content
    content = cut(document.content if document.lesser is None else document.lesser, LONGEST)
    yield content
    yield from (_trimmed(content, most) for most in LISTS)
    yield {name: value for name, value in content.items() if not isinstance(value, (dict, list))}
    yield {}


def _trimmed(value: Any, most: int) -> Any:
    """With at most so many items in each list."""
    if isinstance(value, dict):
        return {key: _trimmed(item, most) for key, item in value.items()}
    return [_trimmed(item, most) for item in value[:most]] if isinstance(value, list) else value


def _escaped(content: dict[str, Any]) -> Markup:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _written(template: str, document: Document, content: Markup, *, is_whole: bool = False) -> str:
    made = _environment().get_template(template)
    return made.render(page=document, json=content, is_whole=is_whole, style=_style())


@cache
def _environment() -> Environment:
    loader = PackageLoader("xentcli.render.html")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {name: partial(shortened, most=most) for name, most in LENGTHS.items()}
    return found


@cache
def _style() -> Markup:
    """The style sheet without its comments; it is ours, and holds no `<`."""
    loader = _environment().loader
    assert loader is not None
    text, *_ = loader.get_source(_environment(), "style.css")
    return Markup("\n".join(filter(None, (line.strip() for line in text.splitlines()))))
