"""Writing logits and labels in any format that keeps their numbers, packed or not."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Protocol

from xentcli.errors import UsageError
from xentcli.sources.formats import FORMATS, Format, named
from xentcli.sources.packed import packer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xentcli.numbers.arrays import Array, Values

PIECE_BYTES = 4 << 20
ROLES = ("logits", "labels")


class Sink(Protocol):
    """What takes the bytes of a file, one after the other."""

    def write(self, content: bytes) -> object:
        """Take these."""


@dataclass(frozen=True)
class Target:
    """A file that is to be written, and what it shall hold."""

    path: Path
    roles: tuple[str, ...]
    form: Format
    packing: str = ""  # "" for not at all

    def save(self, sink: Sink, arrays: Mapping[str, Array]) -> None:
        """Write the arrays of these roles."""
        write = import_module(self.form.module).write
        held = {role: arrays[role] for role in self.roles}
        if not self.packing:
            write(sink, held)
            return
        packed = Packed(sink, self.packing)
        write(packed, held)
        packed.finish()


def targets(name: str) -> list[Target]:
    """The files that `--save` writes: one that holds both, one each, or those of a folder.

    Errors: UsageError for a format that would change the numbers, and for an ending that no format has.
    """
    path = Path(name)
    known = None if path.is_dir() else named(name)
    if known is None and not path.is_dir() and path.suffix and not name.endswith(("/", "\\")):
        raise UsageError(
            f"no format has the ending {path.suffix}",
            at=name,
            expected=f"{' '.join(suffix for form in FORMATS if form.saved for suffix in form.suffixes)}, or a folder/",
            hint=f"--save {quote(f'{name}/')}",
        )
    if known is None:
        return [Target(path / f"{role}.npy", (role,), FORMATS[0]) for role in ROLES]
    form, packing = known
    if form.saved == "both":
        return [Target(path, ROLES, form, packing)]
    if form.saved == "each":
        stem, dot, suffixes = path.name.partition(".")
        return [Target(path.with_name(f"{stem}.{role}{dot}{suffixes}"), (role,), form, packing) for role in ROLES]
    raise UsageError(
        f"{form.name} files are not written",
        at=name,
        found="16 bits a number",
        hint="xent formats lists those that are",
    )


class Packed:
    """A sink that packs what it takes."""

    def __init__(self, sink: Sink, packing: str) -> None:
        self._sink, self._packer = sink, packer(packing)

    def write(self, content: bytes) -> None:
        self._sink.write(self._packer.compress(content))

    def finish(self) -> None:
        self._sink.write(self._packer.flush())


class SinkFile(io.RawIOBase):
    """A sink as libraries want a file."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._place = sink, 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        data = bytes(content)
        self._sink.write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place


def row_pieces(array: Array) -> Iterator[Values]:
    """All rows in their order, some at a time."""
    row_bytes = max(1, array.kind.itemsize * (array.shape[1] if array.ndim > 1 else 1))
    step = max(1, PIECE_BYTES // row_bytes)
    for start in range(0, array.shape[0], step):
        yield array.read(0, start, min(start + step, array.shape[0]))


def beside(logits: Array, labels: Array) -> Iterator[tuple[Values, Values]]:
    """The same rows of both, some at a time."""
    start = 0
    for rows in row_pieces(logits):
        yield rows, labels.read(0, start, start + len(rows))
        start += len(rows)
