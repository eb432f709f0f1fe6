"""The pages of the manual as they are stored, in an installed package or in a checkout."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = files(__package__)
SCHEMAS = {  # the pages that are no Markdown -> what each is
    "schema": "The JSON Schema of what xent compute --json prints.",
    "schema-compare": "The JSON Schema of what xent compare --json prints.",
}


def names() -> list[str]:
    """Every page, in the order of the alphabet."""
    found = (Path(entry.name) for entry in FOLDER.iterdir())
    return sorted([*SCHEMAS, *(path.stem for path in found if path.suffix == ".md")])


def page(name: str) -> str:
    """The text of a page; UsageError with the nearest name for one that there is not."""
    known = names()
    if name not in known:
        nearest = get_close_matches(name.lower(), known, n=1)
        raise UsageError(
            "there is no such page",
            found=name,
            expected=", ".join(known),
            hint=f"xent docs {nearest[0]}" if nearest else "xent docs",
        )
    return (FOLDER / _file(name)).read_text(encoding="utf-8")


def about(name: str) -> str:
    """The page's first sentence below its heading, in one line."""
    if name in SCHEMAS:
        return SCHEMAS[name]
    paragraph = page(name).split("\n\n")[1].replace("\n", " ").replace("`", "")
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip()


def samples() -> Iterator[tuple[str, bytes]]:
    """Every sample's place below their folder, and its bytes."""
    with as_file(FOLDER) as folder:
        installed = folder / "samples"
        root = installed if installed.is_dir() else folder.parents[1] / "samples"
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _file(name: str) -> str:
    return f"{name}.json" if name in SCHEMAS else f"{name}.md"
