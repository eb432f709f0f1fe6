"""Which rows belong together, and by what differences are told apart, as the user says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

By = Literal["position", "class", "confidence", "group", "file"]
BYS: tuple[By, ...] = ("position", "class", "confidence", "group", "file")
AXIS = re.compile(r"axis:(-?\d{1,4})", re.ASCII)


def check_by(names: Iterable[str]) -> None:
    """UsageError for what tells no parts apart."""
    for name in names:
        if name not in BYS:
            raise UsageError("parts are not told apart by this", found=str(name), expected=", ".join(BYS))


@dataclass(frozen=True)
class Grouping:
    """Rows that belong together: so many in a row, those of an entry of an axis, of one file, or by the ids in one.

    Nothing is said where all are empty: the entries of the first axis, where there is more than one axis.
    """

    rows: int = 0
    axis: int | None = None  # of the stored logits, as for --class-axis
    of_files: bool = False
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Grouping:
        """Of what was typed: N, axis:K, file, or the name of a file; UsageError for no rows."""
        if text.isdecimal() and text.isascii():
            if not int(text):
                raise UsageError("a group has at least one row", found=f"--group {text}", expected="1 or more")
            return cls(rows=int(text))
        match = AXIS.fullmatch(text)
        if match:
            return cls(axis=int(match[1]))
        return cls(of_files=True) if text == "file" else cls(path=text)

    def __str__(self) -> str:
        if self.axis is not None:
            return f"axis:{self.axis}"
        return "file" if self.of_files else self.path or str(self.rows)


ENTRIES = Grouping()
