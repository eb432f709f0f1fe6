"""What a text is written for."""

from __future__ import annotations

from dataclasses import dataclass

Piece = str | bytes  # of what a format makes


@dataclass(frozen=True)
class Page:
    """The reader's page: its width in columns, and whether it understands colour codes."""

    width: int
    color: bool
