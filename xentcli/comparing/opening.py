"""A comparison opened by the names of its files: here, by other processes, or later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.comparing.problem import Pairing
from xentcli.sources.pairs import open_sides

if TYPE_CHECKING:
    from xentcli.comparing.problem import Floor
    from xentcli.question.problem import Options
    from xentcli.sources.named import NamedSides


def open_pairing(named: NamedSides, options: Options, *, floor: Floor | None = None, worst: int = 0) -> Pairing:
    """All sides, checked against each other; InputError for files that cannot be read or do not fit."""
    return Pairing.of(*open_sides(named), options, floor=floor, worst=worst)
