"""The files that the contestants read: random logits and labels, deleted after use."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from children import run, script

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_BYTES = 11  # at most, of a number with its comma or line end


@dataclass(frozen=True)
class Shape:
    """The logits of a file, and whether it is CSV."""

    rows: int
    classes: int
    is_text: bool = False

    @property
    def values(self) -> int:
        return self.rows * self.classes

    @property
    def kind(self) -> str:
        return "CSV" if self.is_text else "float32 `.npy`"

    @property
    def most_bytes(self) -> int:
        """Of logits and labels on the disk, at most."""
        return self.values * (TEXT_BYTES if self.is_text else 4) + 8 * self.rows + 4096

    def __str__(self) -> str:
        return f"{self.rows} × {self.classes}"


@dataclass(frozen=True)
class Files:
    """The logits and the labels on the disk."""

    logits: Path  # [rows, classes], float32
    labels: Path  # [rows], int64
    other: Path | None = None  # the logits of another model, as those above

    @property
    def both(self) -> tuple[Path, Path]:
        return self.logits, self.labels

    @property
    def pair(self) -> tuple[Path, Path, Path]:
        """Both models' logits, and the labels."""
        assert self.other is not None
        return self.logits, self.other, self.labels

    @property
    def bytes(self) -> int:
        return self.logits.stat().st_size


def check_space(folder: Path, needed: int) -> None:
    """OSError where the disk has no room; better now than after minutes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{folder} has {free / 1e9:.1f} GB free, and the data take {needed / 1e9:.1f} GB")


@contextmanager
def made(shape: Shape, folder: Path) -> Iterator[Files]:
    """The files, for as long as they are used."""
    check_space(folder, shape.most_bytes)
    with tempfile.TemporaryDirectory(prefix="xent-benchmark-", dir=folder) as name:
        files = Files(Path(name, "logits.csv" if shape.is_text else "logits.npy"), Path(name, "labels.npy"))
        run(script("make", shape.rows, shape.classes, *files.both))
        yield files


@contextmanager
def paired(shape: Shape, folder: Path) -> Iterator[Files]:
    """The same, with the logits of a model that is nearly the same."""
    check_space(folder, 2 * shape.most_bytes)
    with made(shape, folder) as files:
        other = files.logits.with_name("other.npy")
        run(script("make_other", files.logits, other))
        yield replace(files, other=other)
