"""One file with one fault, and the small functions that write such files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Hostile:
    """One file with one fault."""

    write: Callable[[Path], object]
    says: str  # stands in the message
    suffix: str = ".csv"
    column: str | None = None  # given: the file is read as logits and this label column


def text(content: str, says: str, column: str | None = None, encoding: str = "utf-8") -> Hostile:
    return Hostile(lambda path: path.write_bytes(content.encode(encoding, "surrogatepass")), says, column=column)


def binary(content: bytes, says: str, suffix: str = ".csv") -> Hostile:
    return Hostile(lambda path: path.write_bytes(content), says, suffix)


def repeated(part: bytes, times: int, says: str, before: bytes = b"", after: bytes = b"1\n") -> Hostile:
    """A large file, of which nothing is in memory until it is written."""
    return Hostile(lambda path: path.write_bytes(before + part * times + after), says)


def sparse(content: bytes, size: int, says: str, suffix: str = ".csv") -> Hostile:
    """A file of `size` bytes that ends in zeros, of which the disk holds none."""

    def write(path: Path) -> None:
        path.write_bytes(content)
        os.truncate(path, size)

    return Hostile(write, says, suffix)
