"""What names the inputs of a run, so that they can be opened again: later, or by other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xentcli.errors import InputError
from xentcli.sources.files import split_key
from xentcli.sources.names import is_elsewhere, local_names
from xentcli.sources.tabular import DEFAULT, Tabular


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

    def elsewhere(self) -> tuple[str, ...]:
        """The names of which this machine has no files that can be read again."""
        return tuple(name for name in (self.logits, self.labels) if name is not None and not _is_here(name))


def _is_here(name: str) -> bool:
    if is_elsewhere(name):
        return False
    try:
        return all(Path(split_key(file)[0]).is_file() for file in local_names(name).files)
    except InputError:  # no file matches the pattern, or there is no such manifest
        return False
