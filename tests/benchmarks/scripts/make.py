"""Random logits and labels for everybody, in pieces: `make.py ROWS CLASSES LOGITS LABELS`, CSV where LOGITS ends so."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib import format as numpy_format

PIECE = 1 << 21  # numbers in memory at once
SCALE = 3.0  # of the logits' normal distribution
TEXT_ROWS = 1 << 10  # after which the rows of a CSV file come again: its parser does not know

random = np.random.default_rng(0)


def sizes(values: int) -> Iterator[int]:
    """Of the pieces."""
    yield from (min(PIECE, values - start) for start in range(0, values, PIECE))


def write_logits(file: io.BufferedWriter, rows: int, classes: int) -> None:
    """[rows, classes], float32."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, classes)}
    numpy_format.write_array_header_1_0(file, header)
    for size in sizes(rows * classes):
        (random.standard_normal(size, np.float32) * np.float32(SCALE)).tofile(file)


def write_labels(file: io.BufferedWriter, rows: int, classes: int) -> None:
    """[rows], int64."""
    numpy_format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (rows,)})
    for size in sizes(rows):
        random.integers(0, classes, size).tofile(file)


def write_text(file: io.BufferedWriter, rows: int, classes: int) -> None:
    """[rows, classes] with six digits after the point."""
    text = io.BytesIO()
    distinct = min(TEXT_ROWS, rows)
    np.savetxt(text, SCALE * random.standard_normal((distinct, classes)), "%.6f", ",")
    for _ in range(rows // distinct):
        file.write(text.getvalue())
    file.writelines(text.getvalue().splitlines(keepends=True)[: rows % distinct])


rows, classes = map(int, sys.argv[1:3])
logits, labels = map(Path, sys.argv[3:])
for path, write in ((logits, write_text if logits.suffix == ".csv" else write_logits), (labels, write_labels)):
    with path.open("wb") as file:
        write(file, rows, classes)
        file.flush()
        os.fsync(file.fileno())  # the disk would else write on while the first contestant runs
