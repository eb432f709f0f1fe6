"""Partials of either kind, told apart by how their files begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.comparing.partial import BEGINS, PairPartial, pair_partial_in
from xentcli.errors import InputError
from xentcli.running.partial import Partial
from xentcli.running.reading import partial_in
from xentcli.sources.files import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLED = {Partial: "a loss", PairPartial: "a comparison"}


def read_all(paths: Sequence[str]) -> list[tuple[str, Partial]] | list[tuple[str, PairPartial]]:
    """The partials by their files' names; InputError for files of both kinds, and for what is none."""
    named = [(path, read_any(path)) for path in paths]
    for path, other in named[1:]:
        if type(other) is not type(named[0][1]):
            raise InputError(
                "these partials are of different kinds",
                at=f"{named[0][0]} and {path}",
                found=f"{CALLED[type(named[0][1])]} and {CALLED[type(other)]}",
                expected="all of a loss, or all of one comparison",
                hint="merge each kind by itself",
            )
    return named  # type: ignore[return-value]


def read_any(path: str) -> Partial | PairPartial:
    """A partial of the kind that the file says; a pipe is read once."""
    with opened(path) as file:
        begins = file.peek(len(BEGINS))[: len(BEGINS)]  # type: ignore[attr-defined]
        return pair_partial_in(file, path) if begins == BEGINS else partial_in(file, path)
