"""What can be said of a file before anything heavy is imported, and how it is opened."""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xentcli.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 4 << 20
MOST_NEIGHBOURS = 10_000  # files of a folder that a misspelt name is compared with
STANDARD_INPUT = "-"
READABLE = "a .npy file or a CSV (numbers as text), or another of `xent formats`"
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(::[a-z][a-z0-9+.-]*)*://.+", re.IGNORECASE | re.DOTALL)  # as fsspec has them
# What the disk does not tell of an address, a manifest or a pattern: a suffix stands before the colon and the array.
KEYED = re.compile(r"((?:@|.*[*?\[]|.*://).*\.[a-z]\w*):([^/:]+)", re.IGNORECASE | re.DOTALL)


def is_address(name: str) -> bool:
    """Whether fsspec must fetch it; a local file of this very name comes first."""
    return ADDRESS.fullmatch(name) is not None and not exists(name)


def exists(path: str) -> bool:
    """Whether there is such a file here; a name that no file can have is none."""
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def split_key(name: str) -> tuple[str, str | None]:
    """The file, or the several, and the array in it that `file:array` names; a file of that very name comes first."""
    if name == STANDARD_INPUT or exists(name):
        return name, None
    for colon in re.finditer(":(?!//)", name):
        path, key = name[: colon.start()], name[colon.end() :]
        if key and (path == STANDARD_INPUT or exists(path)):
            return path, key
    keyed = KEYED.fullmatch(name)
    return (keyed[1], keyed[2]) if keyed else (name, None)


def check_input(name: str) -> None:
    """Refuse what `file` or `file:array` names if it cannot be opened."""
    check_file(split_key(name)[0])


def check_file(path: str) -> None:
    """Refuse what cannot be opened; a FIFO is not touched, as opening it would take its data, nor a server asked."""
    if path == STANDARD_INPUT or is_address(path):
        return
    if not path or "\0" in path:
        raise InputError("no such file", at=excerpt(path))
    with _readable(path):
        mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError("this is a directory", at=path, expected=READABLE)
    if not os.access(path, os.R_OK):
        raise InputError("no permission to read this file", at=path)


def near_name(path: str) -> str:
    """A hint at the file of the same folder that has nearly this name."""
    start = path.rfind("/") + 1
    folder, name = path[:start], path[start:]
    with suppress(OSError), os.scandir(folder or ".") as entries:
        return did_you_mean(name, [entry.name for entry in islice(entries, MOST_NEIGHBOURS)], before=folder)
    return ""


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file's bytes; whatever the system refuses, now or while they are read, is an `InputError`."""
    check_file(path)
    if path == STANDARD_INPUT and sys.stdin is None:
        raise InputError("standard input is closed", at=path, expected="a file, or a pipe: command | xent compute -")
    name = sys.stdin.fileno() if path == STANDARD_INPUT else path
    with _readable(path), open(name, "rb", closefd=path != STANDARD_INPUT) as file:
        yield file


def first_bytes(path: str, size: int = 512) -> bytes:
    """What the file begins with; nothing of one whose bytes come only once."""
    if path == STANDARD_INPUT or not stat.S_ISREG(Path(path).stat().st_mode):
        return b""
    with opened(path) as file:
        return file.read(size)


def is_stream(file: BinaryIO) -> bool:
    """Whether the bytes come only once: standard input, a FIFO, a device, or on some systems whatever /dev names."""
    standard = not isinstance(file.name, str) or file.name.startswith("/dev/")
    return standard or not stat.S_ISREG(os.fstat(file.fileno()).st_mode)


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
        raise InputError("no such file", at=path, hint=near_name(path)) from error
    except OSError as error:
        raise InputError("cannot read this file", at=path, found=error.strerror or str(error)) from error
