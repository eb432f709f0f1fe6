"""The one way in for a file: its first bytes tell its format."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xentcli.errors import InputError, UsageError
from xentcli.sources.csv import read_csv
from xentcli.sources.files import READABLE, excerpt, is_address, is_stream, opened, pieces
from xentcli.sources.npy import MAGIC, START_BYTES, read_npy
from xentcli.sources.remote import opened_remote
from xentcli.sources.text import read_text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from xentcli.arrays import Array
    from xentcli.sources.csv import Table

HEAD_BYTES = 512  # as far as the marks of other formats lie
SAVE_ONE = "save one array with numpy.save"
UNPACK = "unpack it, or read from a pipe: <(…)"
UTF8 = "save it as UTF-8"

# (where, mark, what the file is, what to do); the first that fits
OTHER_FORMATS = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch the data: git lfs pull"),
    (0, b"\xc2\x93NUMPY", "a .npy file that was changed as if it were text", "copy it again, in binary mode"),
    (30, b"[Content_Types].xml", "an Excel workbook", "export the sheet as CSV"),
    (0, b"PK\3\4", "a ZIP archive, as .npz and torch.save write", f"{SAVE_ONE}: tensor.numpy(), or one of the .npz"),
    (0, b"\x1f\x8b", "packed with gzip", UNPACK),
    (4, b"1AY&SY", "packed with bzip2", UNPACK),
    (0, b"\xfd7zXZ\0", "packed with xz", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\x89HDF", "HDF5", SAVE_ONE),
    (0, b"PAR1\x15", "Parquet", "export it as CSV"),
    (0, b"ARROW1\0", "Arrow", "export it as CSV"),
    (0, b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (0, b"MATLAB 5.0", "a MATLAB file", SAVE_ONE),
    (0, b"GGUF", "GGUF", SAVE_ONE),
    (0, b"\x89PNG", "a PNG image", ""),
    (0, b"\xff\xd8\xff", "a JPEG image", ""),
    (0, b"%PDF-", "a PDF document", ""),
    (0, b"\x7fELF", "a program", ""),
    (0, b"\xff\xfe\0\0", "text in UTF-32", UTF8),
    (0, b"\xff\xfe", "text in UTF-16", UTF8),
    (0, b"\xfe\xff", "text in UTF-16", UTF8),
    (0, b"<!DOCTYPE", "a web page", "download the file itself"),
    (0, b"<html", "a web page", "download the file itself"),
    (0, b"<?xml", "XML", "export it as CSV"),
    (0, b"{", "JSON or a Python dictionary", "save the numbers with numpy.save, or as CSV"),
    (7, b"\0{", "safetensors", SAVE_ONE),
    *((0, bytes([0x80, protocol]), "a Python pickle, which is never loaded", SAVE_ONE) for protocol in range(2, 6)),
)


def open_array(path: str) -> Array:
    """The numbers of a `.npy` file, mapped or from a FIFO, or of a CSV."""
    with _opened(path) as file:
        start = file.read(START_BYTES)
        if start.startswith(MAGIC):
            return read_npy(path, file, start)
        return _read_table(path, file, start).whole()


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    return opened_remote(path) if is_address(path) else opened(path)


def open_table(path: str, column: str) -> tuple[Array, Array]:
    """The logits and the labels of one CSV, whose labels stand in the column of this name or position."""
    with _opened(path) as file:
        start = file.read(START_BYTES)
        if start.startswith(MAGIC):
            raise UsageError(
                "only a CSV has a label column", at=path, found="a .npy file", hint="give the labels as a file"
            )
        table = _read_table(path, file, start)
    return table.split(table.column(column))


def _read_table(path: str, file: BinaryIO, start: bytes) -> Table:
    head = start + file.read(HEAD_BYTES - len(start))
    if not head:
        raise InputError("this file is empty", at=path, expected=READABLE)
    for offset, mark, found, hint in OTHER_FORMATS:
        if head.startswith(mark, offset):
            raise InputError("this format is not read", at=path, found=found, expected=READABLE, hint=hint)
    if Path(path).suffix == ".npy":
        raise InputError(
            "this is not a .npy file, whatever its name",
            at=path,
            found=f"{excerpt(head[:8].decode('latin1'))} at its start",
            expected=excerpt(MAGIC.decode("latin1")),
            hint="text? rename it to .csv",
        )
    return read_csv(read_text(path, chain([head], pieces(file)), is_stream(file)))
