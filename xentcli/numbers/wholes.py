"""Tables of whole numbers that outgrow 64 bits: they add up exactly, whatever the order and the split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

LOW = 32  # bits of the lower part
MASK = (1 << LOW) - 1
HEX = re.compile(r"-?0x[0-9a-f]{1,24}")
MOST = 1 << 26  # entries of a table that a file may ask for


@dataclass(frozen=True, slots=True, eq=False)
class Wholes:
    """high·2³² + low at each place, with 0 ≤ low < 2³², so that equal tables have equal arrays."""

    high: Integers
    low: Integers

    @classmethod
    def of(cls, values: Integers) -> Wholes:
        """Of a table of 64 bits."""
        return cls(values >> LOW, values & MASK)

    def __add__(self, other: Wholes) -> Wholes:
        low = self.low + other.low
        return Wholes(self.high + other.high + (low >> LOW), low & MASK)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wholes):
            return NotImplemented
        return np.array_equal(self.high, other.high) and np.array_equal(self.low, other.low)

    __hash__ = None  # type: ignore[assignment]  # as of every array

    def __len__(self) -> int:
        return len(self.high)

    def magnitude(self) -> int:
        """Σ |value|, for fewer than 2²⁶ places."""
        sign = np.where(self.high < 0, -1, 1)
        return (int((sign * self.high).sum()) << LOW) + int((sign * self.low).sum())

    def to_json(self) -> dict[str, object]:
        """The places that are not 0, for most are; `from_json` reads it back."""
        places = np.flatnonzero(self.high | self.low)
        pairs = zip(self.high[places].tolist(), self.low[places].tolist(), strict=True)
        return {
            "length": len(self),
            "places": places.tolist(),
            "values": [hex((high << LOW) + low) for high, low in pairs],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, object]) -> Wholes:
        """The table that `to_json` wrote; InputError when `content` is anything else."""
        length, places, values = _members(content)
        table = cls(np.zeros(length, np.int64), np.zeros(length, np.int64))
        numbers = [int(value, 16) for value in values]
        table.high[places] = [number >> LOW for number in numbers]
        table.low[places] = [number & MASK for number in numbers]
        return table


def _members(content: object) -> tuple[int, list[int], list[str]]:
    match content:
        case {"length": int(length), "places": list(places), "values": list(values), **rest} if not rest:
            is_told = 0 <= length <= MOST and len(places) == len(values) == len({*map(str, places)})
            if is_told and _are_places(places, length) and all(_is_hex(value) for value in values):
                return length, places, values
    raise InputError(
        "this is not the table of whole numbers that an earlier run wrote",
        found=repr(content)[:80],
        expected="an object with the members length, places, values",
    )


def _are_places(places: list[object], length: int) -> bool:
    return all(type(place) is int and 0 <= place < length for place in places)


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and HEX.fullmatch(value) is not None
