"""A mistake as data, and a value that one or two of them give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Rarity(IntEnum):
    """How far one looks before a mistake of this kind is tried; the simplest first."""

    COMMON = 0  # one definite number
    VARIANT = 1  # the same in a less usual way
    SEARCHED = 2  # one of many values of a parameter
    COMPOUND = 3  # two mistakes at once


@dataclass(frozen=True)
class Mistake:
    """One thing that went wrong.

    code     its name in the registry
    what     the number that comes out, a noun phrase about this very input
    remedy   the option or the line of code that mends it
    """

    code: str
    what: str
    remedy: str
    rarity: Rarity = Rarity.COMMON


@dataclass(frozen=True)
class Guess:
    """What a mistake, or two of them, would have made of this input."""

    mistakes: tuple[Mistake, ...]
    value: float

    @property
    def code(self) -> str:
        return self.mistakes[0].code if len(self.mistakes) == 1 else "compound"

    @property
    def rarity(self) -> Rarity:
        return self.mistakes[0].rarity if len(self.mistakes) == 1 else Rarity.COMPOUND

    def then(self, mistake: Mistake, value: float) -> Guess:
        """The same with one more mistake."""
        return Guess((*self.mistakes, mistake), value)
