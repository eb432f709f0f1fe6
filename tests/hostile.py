"""Files that must be refused with one readable message: name -> how it is written, and a word of the message.

A case is data named after its one fault. `FILES` holds them all; whoever reads files walks it.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from typing import TYPE_CHECKING

from hostile_case import Hostile, binary, sparse
from hostile_csv import TEXTS
from hostile_npy import ARRAYS, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

OTHER_FORMATS = {
    "gzip": (b"\x1f\x8b\x08\0", "gzip"),
    "bzip2": (b"BZh91AY&SY", "bzip2"),
    "xz": (b"\xfd7zXZ\0", "xz"),
    "zstd": (b"\x28\xb5\x2f\xfd", "zstd"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "7z"),
    "RAR": (b"Rar!\x1a\x07", "RAR"),
    "tar": (b"a.csv".ljust(257, b"\0") + b"ustar\x0000", "tar"),
    ".npz": (b"PK\3\4" + bytes(26) + b"arr_0.npy", ".npz"),
    "torch.save": (b"PK\3\4" + bytes(26) + b"archive/data.pkl", ".pt"),
    "Excel": (b"PK\3\4" + bytes(26) + b"[Content_Types].xml", "Excel"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "Parquet": (b"PAR1\x15\x04", "Parquet"),
    "Arrow": (b"ARROW1\0\0", "Arrow"),
    "SQLite": (b"SQLite format 3\0", "SQLite"),
    "MATLAB": (b"MATLAB 5.0 MAT-file", "MATLAB"),
    "GGUF": (b"GGUF\3\0\0\0", "GGUF"),
    "safetensors": (struct.pack("<Q", 64) + b'{"a":{"dtype":"F32"}}', "safetensors"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "PNG"),
    "JPEG": (b"\xff\xd8\xff\xe0", "JPEG"),
    "PDF": (b"%PDF-1.7\n", "PDF"),
    "program": (b"\x7fELF\2\1", "program"),
    "pickle 2": (b"\x80\2}q\0.", "holds the logits"),
    "pickle 3": (b"\x80\3}q\0.", "holds the logits"),
    "pickle 4": (b"\x80\4\x95", "this pickle is damaged"),
    "pickle 5": (b"\x80\5\x95", "this pickle is damaged"),
    "npy changed as text": (b"\xc2\x93NUMPY\1\0", "binary mode"),
}

FORMATS = {f"format: {name}": binary(content, says) for name, (content, says) in OTHER_FORMATS.items()} | {
    "format: Parquet named .npy": binary(b"PAR1\x15\x04", "Parquet", ".npy"),
    "format: text named .npy": binary(b"1,2\n3,4\n", "rename it", ".npy"),
    "format: mark of npy cut off": binary(b"\x93NUMP", "not a .npy file", ".npy"),
    "format: mark of npy cut off, named .csv": binary(b"\x93NUMP", "0x93"),
    "format: real pickle": Hostile(lambda path: path.write_bytes(pickle.dumps([None])), "holds the logits", ".npy"),
    "format: a .npy file with a label column": Hostile(
        lambda path: path.write_bytes(WHOLE), "only a CSV", ".npy", column="a"
    ),
}


def a_socket(path: Path) -> None:
    """A short relative name, as the name of a socket has a limit of about 100 characters."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


PLACES = {
    "place: missing": Hostile(lambda path: None, "no such file"),
    "place: directory": Hostile(lambda path: path.mkdir(), "directory"),
    "place: link to nothing": Hostile(lambda path: path.symlink_to("nothing"), "no such file"),
    "place: link to itself": Hostile(lambda path: path.symlink_to(path), "cannot read"),
    "place: empty": binary(b"", "empty"),
    "place: empty, named .npy": binary(b"", "empty", ".npy"),
    "place: zeros without end": Hostile(lambda path: path.symlink_to("/dev/zero"), "NUL"),
    "place: noise without end": Hostile(lambda path: path.symlink_to("/dev/urandom"), "neither"),
    "place: empty device": Hostile(lambda path: path.symlink_to("/dev/null"), "empty"),
    "place: socket": Hostile(a_socket, "cannot read"),
    "place: memory of a process": Hostile(lambda path: path.symlink_to("/proc/self/mem"), "cannot read"),
    "place: sparse gigabytes": sparse(b"", 1 << 36, "NUL"),
}

FILES = {**TEXTS, **ARRAYS, **FORMATS, **PLACES}
