"""Which of many parts are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AnyPart = TypeVar("AnyPart")


def heaviest(parts: Sequence[AnyPart], weight: Callable[[AnyPart], float], most: int) -> Sequence[AnyPart]:
    """Those of the greatest weight, at most so many, in their order."""
    if len(parts) <= most:
        return parts
    ranked = sorted(range(len(parts)), key=lambda place: -weight(parts[place]))[:most]
    return [parts[place] for place in sorted(ranked)]


def chosen_of(count: int, most: int) -> str:
    """How many of so many parts are shown; nothing where all are."""
    return f": the {most:,} that carry most of {count:,}" if count > most else ""
