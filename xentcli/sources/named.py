"""What names the inputs of a run, so that they can be opened again: later, or by other processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.errors import InputError, without_secrets
from xentcli.sources.files import split_key
from xentcli.sources.names import is_elsewhere, local_names, name_elsewhere
from xentcli.sources.tabular import DEFAULT, Tabular

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class NamedInputs:
    """The names of the files, and how they are read."""

    logits: str
    labels: str | None  # None where the files of the logits hold them, too
    label_column: str | None
    key: str | None
    class_axis: int | None  # which tells along which axis several files are joined
    table: Tabular = DEFAULT
    binary: bool = False  # one number a sample in both
    head: str | None = None  # of hidden states that are in the logits' place
    bias: str | None = None

    def elsewhere(self) -> tuple[str, ...]:
        """The names of which this machine has no files that can be read again."""
        names = (self.logits, self.labels, self.head, self.bias)
        return tuple(name for name in names if name is not None and not _is_here(name))


@dataclass(frozen=True)
class NamedSides:
    """The names of the files of a comparison, and how they are read."""

    base: str
    others: tuple[str, ...]
    labels: str | None  # None where the files of the base hold them, or where there are none
    class_axis: int | None  # which tells along which axis several files are joined
    floor: str | None = None  # the file of a third set
    column: str | None = None  # of the labels
    table: Tabular = DEFAULT
    first_classes: int | None = None  # that are kept of all sides

    def elsewhere(self) -> tuple[str, ...]:
        """The names of which this machine has no files that can be read again."""
        return tuple(name for name in self.names if not _is_here(name))

    @property
    def names(self) -> tuple[str, ...]:
        optional = (self.labels, self.floor)
        return (self.base, *self.others, *(name for name in optional if name is not None))

    def saved(self) -> NamedSides:
        """The names as a file may hold them."""
        return self._named(without_secrets)

    def for_others(self) -> NamedSides:
        """The same as other processes name them; UsageError for what can be read only once."""
        return self._named(name_elsewhere)

    def _named(self, named: Callable[[str], str]) -> NamedSides:
        labels, floor = (None if name is None else named(name) for name in (self.labels, self.floor))
        others = tuple(map(named, self.others))
        return replace(self, base=named(self.base), others=others, labels=labels, floor=floor)


def _is_here(name: str) -> bool:
    if is_elsewhere(name):
        return False
    try:
        return all(Path(split_key(file)[0]).is_file() for file in local_names(name).files)
    except InputError:  # no file matches the pattern, or there is no such manifest
        return False
