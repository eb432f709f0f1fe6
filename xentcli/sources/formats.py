"""Every format there is, and what each needs: the one list that reading, writing, `xent formats` and messages share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from xentcli.sources.packed import SUFFIXES as PACKED_SUFFIXES


@dataclass(frozen=True)
class Format:
    """A format: how it is recognised, what it holds, how it is read, and by which module of this package."""

    name: str
    suffixes: tuple[str, ...]
    mark: bytes  # a pattern that its first bytes match
    holds: str
    reading: str
    reader: str = ""  # the module in `readers`, where it is not called like the format
    extra: str = ""
    saved: str = "both"  # by --save: "both" in one file, "each" in its own, or "" where the numbers would change
    holds_both: bool = True  # the logits and the labels may be in one file
    apart: bool = False  # a library in C reads it, in a process of its own

    @property
    def module(self) -> str:
        return f"xentcli.sources.readers.{self.reader or self.name}"


IN_PLACE = "read in place"
ONCE = "read once, in pieces"
IN_MEMORY = "read into memory, and no code of it is run"
COLUMNS = "a column a class, or columns of lists"

ZIP = rb"PK\x03\x04.{26}"  # the header of the first file in an archive, up to its name
NPZ, PT = ZIP + rb"[^\x00]*?\.npy", ZIP + rb"[^\x00]*?/data\.pkl"
ARROW = rb"ARROW1\x00\x00|\xff\xff\xff\xff"
ONNX = rb"(\x08[\x80-\xff]{0,9}[\x00-\x7f])*\x10[\x01-\x20]"
JSON = rb"(\xef\xbb\xbf)?\s*\[\s*[\[{]"
NO_TEXT = rb"[\x00-\x08\x0e-\x1f\x7f]"
PICKLE = rb"\x80[\x02-\x05]|x[\x01\x9c\xda]|x\x5e.*" + NO_TEXT  # the latter as joblib packs it: text may begin with x^
JSON_LINES = rb"(\xef\xbb\xbf)?\s*(\{|\[\s*([-\d\[\]\"]|NaN|Infinity))"

# fmt: off
FORMATS = (
    Format("npy", (".npy",), rb"\x93NUMPY", "one array", IN_PLACE, saved="each", holds_both=False),
    Format("npz", (".npz",), NPZ, "arrays by name", f"{IN_PLACE}; unpacked once where it is compressed"),
    Format("pt", (".pt", ".pth"), PT, "a tensor, or dictionaries and lists of tensors", IN_PLACE),
    Format("safetensors", (".safetensors",), rb".{7}\x00\{", "tensors by name", IN_PLACE),
    Format("parquet", (".parquet",), rb"PAR1[\x00-\x1f]", COLUMNS, ONCE, extra="arrow", apart=True),
    Format("arrow", (".arrow", ".feather"), ARROW, COLUMNS, ONCE, extra="arrow", apart=True),
    Format("pb", (".pb",), ONNX, "one ONNX TensorProto", IN_PLACE, "tensorproto", saved="each", holds_both=False),
    Format("llama.cpp", (".kld",), rb"_logits_", "logits in 16 bits and their labels", IN_PLACE, "llamacpp", saved=""),
    Format("json", (".json",), JSON, "records, lists of numbers, or an object of columns", ONCE, saved=""),
    Format(
        "pickle", (".pkl", ".pickle", ".joblib"), PICKLE, "arrays, lists, tuples and dictionaries of them", IN_MEMORY,
        "pickled", saved="",
    ),
    Format(
        "hdf5", (".h5", ".hdf5"), rb"\x89HDF\r\n\x1a\n", "datasets by their paths", ONCE, extra="hdf5", saved="",
        apart=True,
    ),
    Format("jsonl", (".jsonl", ".ndjson"), JSON_LINES, "a list a line, or an object with logits and label", ONCE),
    Format("csv", (".csv", ".tsv", ".txt"), rb"", "a row a line, with or without a header", ONCE),
)
# fmt: on

SAVE_ONE = "save one array with numpy.save"
UNPACK = "unpack it, or read from a pipe: <(…)"
UTF8 = "save it as UTF-8"

# (where, mark, what the file is, what to do); the first that fits
OTHER_FORMATS = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch the data: git lfs pull"),
    (0, b"\xc2\x93NUMPY", "a .npy file that was changed as if it were text", "copy it again, in binary mode"),
    (30, b"[Content_Types].xml", "an Excel workbook", "export the sheet as CSV"),
    (0, b"PK\3\4", "a ZIP archive that holds neither .npy files nor tensors of torch.save", SAVE_ONE),
    (0, b"PK\5\6", "a ZIP archive without content", SAVE_ONE),
    (4, b"1AY&SY", "packed with bzip2", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"FEA1", "Feather in its first version", "write it again as Arrow: Feather V2"),
    (0, b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (0, b"MATLAB 5.0", "a MATLAB file", SAVE_ONE),
    (0, b"GGUF", "GGUF", SAVE_ONE),
    (0, b"\x89PNG", "a PNG image", ""),
    (0, b"\xff\xd8\xff", "a JPEG image", ""),
    (0, b"%PDF-", "a PDF document", ""),
    (0, b"\x7fELF", "a program", ""),
    (0, b"\xff\xfe\0\0", "text in UTF-32", UTF8),
    (0, b"<!DOCTYPE", "a web page", "download the file itself"),
    (0, b"<html", "a web page", "download the file itself"),
    (0, b"<?xml", "XML", "export it as CSV"),
)


def recognised(head: bytes) -> Format:
    """The format of a file that begins so; text that nothing else fits is a CSV."""
    return next(form for form in FORMATS if re.match(form.mark, head, re.DOTALL))


def other_format(head: bytes) -> tuple[str, str] | None:
    """What a file is that begins so, and what to do, if its format is known and not read."""
    for offset, mark, found, hint in OTHER_FORMATS:
        if head.startswith(mark, offset):
            return found, hint
    return None


def named(path: str) -> tuple[Format, str] | None:
    """The format that a file's name asks for and how it shall be packed, "" for not at all; None for other names."""
    name = PurePath(path)
    packing = PACKED_SUFFIXES.get(name.suffix, "")
    suffix = PurePath(name.stem).suffix if packing else name.suffix
    return next(((form, packing) for form in FORMATS if suffix in form.suffixes), None)
