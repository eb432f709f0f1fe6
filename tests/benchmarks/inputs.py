"""The files that the contestants read: random logits and labels, made in pieces and deleted after use."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib import format as numpy_format

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1 << 21  # numbers in memory at once
SCALE = 3.0  # of the logits' normal distribution
TEXT_BYTES = 10  # at most, of a number with its comma
TEXT_ROWS = 1 << 10  # after which the rows of a CSV file come again: their parser does not know


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

    @property
    def both(self) -> tuple[Path, Path]:
        return self.logits, self.labels

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
        _write_text(files.logits, shape) if shape.is_text else _write_array(files.logits, shape)
        np.save(files.labels, np.random.default_rng(1).integers(0, shape.classes, shape.rows))
        yield files


def _write_array(path: Path, shape: Shape) -> None:
    random = np.random.default_rng(0)
    header = {"descr": "<f4", "fortran_order": False, "shape": (shape.rows, shape.classes)}
    with path.open("wb") as file:
        numpy_format.write_array_header_1_0(file, header)
        for start in range(0, shape.values, PIECE):
            piece = random.standard_normal(min(PIECE, shape.values - start), np.float32)
            piece *= SCALE
            piece.tofile(file)
        _settle(file)


def _write_text(path: Path, shape: Shape) -> None:
    random = np.random.default_rng(0)
    text = io.BytesIO()
    rows = min(TEXT_ROWS, shape.rows)
    np.savetxt(text, SCALE * random.standard_normal((rows, shape.classes)), "%.6f", ",")
    with path.open("wb") as file:
        for _ in range(shape.rows // rows):
            file.write(text.getvalue())
        file.writelines(text.getvalue().splitlines(keepends=True)[: shape.rows % rows])
        _settle(file)


def _settle(file: io.BufferedWriter) -> None:
    """Wait for the disk, which would else write on while the first contestant runs."""
    file.flush()
    os.fsync(file.fileno())
