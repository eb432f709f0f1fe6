"""How the tables among the inputs are read, as their owner says: which columns, which classes, which order."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import excerpt, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DECIMALS = (".", ",")
CLASSES_BYTES = 64 << 20  # of a file of names


@dataclass(frozen=True)
class Tabular:
    """The options of tables; empty where nothing is said."""

    columns: tuple[str, ...] = ()  # of the logits: names, patterns and slices of positions
    drop: tuple[str, ...] = ()  # the same, of the columns that are no classes
    classes: tuple[str, ...] = ()  # the names of the classes, in their order
    join: str = ""  # the column by which the labels are put in the order of the logits
    decimal: str = ""  # the sign between a number's whole part and its fraction

    @classmethod
    def of(
        cls,
        columns: str | Sequence[str] | None = None,
        drop: str | Sequence[str] | None = None,
        classes: str | Sequence[str] | None = None,
        join: str | None = None,
        decimal: str | None = None,
    ) -> Tabular:
        """Of what was typed, or given in Python; UsageError for what makes no sense."""
        if decimal is not None and decimal not in DECIMALS:
            raise UsageError("--decimal is a point or a comma", found=excerpt(decimal), hint="--decimal ,")
        named = _class_names(classes) if isinstance(classes, str) else tuple(classes or ())
        if len(set(named)) < len(named):
            twice = next(name for name in named if named.count(name) > 1)
            raise UsageError(
                "two classes have one name", found=excerpt(twice), expected="--classes with a name for each"
            )
        return cls(_listed(columns), _listed(drop), named, join or "", decimal or "")

    @property
    def for_tables_alone(self) -> str:
        """An option that only a table of logits can follow, as it was given; empty without one."""
        given = {"columns": joined(self.columns), "drop": joined(self.drop), "join": self.join}
        return next((f"--{name} {value}" for name, value in given.items() if value), "")


DEFAULT = Tabular()


def joined(names: Iterable[str]) -> str:
    """The names as one value of an option, which `_listed` takes apart again."""
    return ",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' if {*',"'} & {*name} else name for name in names)


def _listed(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names between the commas; one in quotes may have commas itself."""
    if not isinstance(value, str):
        return tuple(value or ())
    (names,) = csv.reader([value], skipinitialspace=True) if value else [[]]
    return tuple(name.strip() for name in names if name.strip())


def _class_names(value: str) -> tuple[str, ...]:
    """Names between commas, or those of a file, one a line."""
    if not Path(value).is_file() and "," in value:
        return _listed(value)
    with opened(value) as file:
        text = file.read(CLASSES_BYTES + 1)
    if len(text) > CLASSES_BYTES:
        raise InputError(
            "this is too long for a file of class names", at=value, found=f"more than {CLASSES_BYTES:,} bytes"
        )
    try:
        lines = [line.strip() for line in text.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError("this file of class names is not text", at=value, expected="UTF-8, a name a line") from error
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
