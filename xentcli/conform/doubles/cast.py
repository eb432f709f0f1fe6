"""What a double is, and how a wrong one is put into the cast: `Textbook` with one step changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xentcli.conform.doubles.textbook import Textbook

Function = Callable[..., Any]


@dataclass(frozen=True)
class Double:
    """An implementation whose verdict is known."""

    name: str
    what: str  # its one declared fault, or what is unusual about it
    function: Function
    family: str = ""  # that must catch it; none for a correct one
    report: str = ""  # a public bug report of that fault
    arrays: str = "torch"


WRONG: list[Double] = []


def wrong(family: str, known: tuple[str, ...]) -> Callable[[type[Textbook]], type[Textbook]]:
    """Put a class into the cast, with the family that must catch it and the reports of its fault."""

    def register(kind: type[Textbook]) -> type[Textbook]:
        name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__)[1:]
        WRONG.append(Double(name, (kind.__doc__ or "").rstrip("."), kind(), family, known[0]))
        return kind

    return register
