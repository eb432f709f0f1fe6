"""What a text is written for."""

from __future__ import annotations

from dataclasses import dataclass

Piece = str | bytes  # of what a format makes


@dataclass(frozen=True)
class Page:
    """The reader's page: its width in columns, whether it understands colour codes, and what else is shown on it."""

    width: int
    color: bool
    rows: int | None = None  # of tables of samples; None for all that the report has
    explaining: str = ""  # the command that explains a row, but for `--row`; empty where there is none
    plain: bool = False  # no signs but those of ASCII
