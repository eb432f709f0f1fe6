"""What can be said of a file before anything heavy is imported, and how it is opened."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xentcli.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1 << 20
READABLE = "a .npy file or a CSV (numbers as text)"


def check_file(path: str) -> None:
    """Refuse what cannot be opened; a FIFO is not touched, as opening it would take its data."""
    if not path or "\0" in path:
        raise InputError("no such file", at=excerpt(path))
    with _readable(path):
        mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError("this is a directory", at=path, expected=READABLE)
    if not os.access(path, os.R_OK):
        raise InputError("no permission to read this file", at=path)


def name_elsewhere(path: str) -> str:
    """The file's name in a process that stands in another folder; UsageError for a pipe, which it cannot read."""
    if path.startswith("/dev/") or not Path(path).is_file():
        raise UsageError(
            "other processes cannot read this, as its data come only once",
            at=path,
            hint="save it as a file, or compute in this process: without --jobs and --cluster",
        )
    return str(Path(path).absolute())


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file's bytes; whatever the system refuses, now or while they are read, is an `InputError`."""
    check_file(path)
    with _readable(path), Path(path).open("rb") as file:
        yield file


def is_stream(file: BinaryIO) -> bool:
    """Whether the bytes come only once: a FIFO, a device, or on some systems whatever has a name in /dev."""
    return str(file.name).startswith("/dev/") or not stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def excerpt(text: str, limit: int = 40) -> str:
    """The text in quotes, its control characters spelled out, and no longer than a message bears."""
    quoted = repr(text[:limit])
    return quoted if len(text) <= limit and len(quoted) <= limit + 2 else quoted[:limit] + "…'"


def count(number: int, noun: str) -> str:
    """A count in words: "1 column", "2,000 columns"."""
    return f"{number:,} {noun}" + "s" * (number != 1)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("no such file", at=path) from error
    except OSError as error:
        raise InputError("cannot read this file", at=path, found=error.strerror or str(error)) from error
