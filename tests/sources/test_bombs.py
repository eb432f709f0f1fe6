"""Small files that ask for much: each is read in bounded memory and time, or refused by a limit that has a name."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import format_files as files
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
import zstandard

from xentcli.errors import InputError, XentError
from xentcli.sources import packed, stored
from xentcli.sources.open import open_array, open_pair

TESTS = Path(__file__).parent.parent
MIB = 1 << 20
ALLOWED = 330  # MiB that reading may take beyond what the modules do
SECONDS = 60  # that it may take on a busy machine; those without a bound take hours
CODE = """
import resource, sys
from xentcli.errors import XentError
from xentcli.sources.open import open_array
import xentcli.sources.readers.pt, xentcli.sources.readers.csv, xentcli.sources.readers.json
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
try:
    open_array(sys.argv[1], key=sys.argv[2] or None)
    print("read", end=" ")
except XentError as error:
    print(error.what, end=" ")
print(peak() - before)
"""


def told(path: Path, key: str = "") -> str:
    """What a fresh process says of the file, which took no more than is allowed."""
    command = [sys.executable, "-c", CODE, str(path), key]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TESTS, timeout=SECONDS)
    said, _, used = ended.stdout.strip().rpartition(" ")
    assert int(used) < ALLOWED, said
    assert not ended.stderr
    return said


def archive(content: bytes) -> bytes:
    """A .pt file with this pickle, and the numbers that torch saved beside its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files.pt(torch.ones(3)))) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name.endswith("data.pkl") else old.read(name))
    return made.getvalue()


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return pickle.BINUNICODE + struct.pack("<I", len(raw)) + raw


def remembered(place: int) -> bytes:
    return pickle.LONG_BINPUT + struct.pack("<I", place)


def again(place: int) -> bytes:
    return pickle.LONG_BINGET + struct.pack("<I", place)


ARRAY = pickle.dumps(np.ones(3), 2)[2:-1]
HEAD, STOP = pickle.PROTO + b"\2", pickle.STOP


def nested(depth: int, key: str) -> bytes:
    """Dictionaries in one another under one long key, which stands there once."""
    name = text(key) + remembered(900)
    opened = pickle.EMPTY_DICT + name + (pickle.EMPTY_DICT + again(900)) * (depth - 1)
    return HEAD + opened + ARRAY + pickle.SETITEM * depth + STOP


def wide(names: int, key: str) -> bytes:
    """Many arrays, which are one, in a dictionary of a long name."""
    inner = b"".join(text(str(number)) + again(901) + pickle.SETITEM for number in range(names))
    outer = pickle.EMPTY_DICT + text("x") + ARRAY + remembered(901) + pickle.SETITEM
    return HEAD + outer + text(key) + pickle.EMPTY_DICT + inner + pickle.SETITEM + STOP


def doubled(depth: int, make: bytes, use: bytes) -> bytes:
    """A tuple of the one before twice, and so on: 2^depth of them in all; and what is done with the last."""
    steps = b"".join(remembered(number) + again(number) + pickle.TUPLE2 for number in range(depth))
    return HEAD + make + steps + use + STOP


def keyed(opcode: bytes) -> bytes:
    """The last tuple as a key, which is hashed as often as it stands there."""
    return remembered(900) + pickle.EMPTY_DICT + again(900) + b"K\1" + opcode


def shared(numbers: int, times: int) -> bytes:
    """A list of numbers that is many rows."""
    row = pickle.EMPTY_LIST + pickle.MARK + b"K\1" * numbers + pickle.APPENDS + remembered(900)
    return HEAD + pickle.EMPTY_LIST + pickle.MARK + row + again(900) * (times - 1) + pickle.APPENDS + STOP


PICKLES = {
    "60 dictionaries under a key of a megabyte": nested(60, "k" * MIB),
    "20 dictionaries under a key of a megabyte": nested(20, "k" * MIB),
    "20,000 names of 100 KB": wide(20_000, "k" * 100_000),
    "tuples of tuples": doubled(100, b"K\1", b""),
    "tuples of tuples as a key": doubled(100, pickle.EMPTY_TUPLE, keyed(pickle.SETITEM)),
    "tuples of tuples as keys": doubled(
        100,
        pickle.EMPTY_TUPLE,
        remembered(900) + pickle.EMPTY_DICT + pickle.MARK + again(900) + b"K\1" + pickle.SETITEMS,
    ),
    "tuples of tuples in a set": doubled(
        100, pickle.EMPTY_TUPLE, remembered(900) + pickle.MARK + again(900) + pickle.FROZENSET
    ),
    "a shape of tuples of tuples": doubled(
        100,
        b"K\1",
        remembered(900) + b"cnumpy.core.multiarray\nscalar\n" + again(900) + again(900) + pickle.TUPLE2 + b"R",
    ),
    "bytes of tuples of tuples": doubled(
        100,
        b"K\1",
        remembered(900) + b"c_codecs\nencode\n" + again(900) + text("latin1") + pickle.TUPLE2 + pickle.REDUCE,
    ),
    "a list of 100,000 numbers 10,000 times": shared(100_000, 10_000),
    "a list in a list 100,000 times": HEAD + pickle.EMPTY_LIST * 100_000 + pickle.APPEND * 99_999 + STOP,
    "1,100,000 lists": HEAD + pickle.EMPTY_LIST + pickle.MARK + pickle.EMPTY_LIST * 1_100_000 + pickle.APPENDS + STOP,
    "bytes by their number": HEAD + b"cbuiltins\nbytearray\n" + b"\x8a\5" + b"\0\0\0\0\4" + pickle.TUPLE1 + b"R" + STOP,
    "an array of nothing": HEAD
    + b"cnumpy\nndarray\n(J\0\0\0\x70"
    + pickle.TUPLE
    + pickle.TUPLE1
    + pickle.REDUCE
    + STOP,
}


@pytest.mark.parametrize("form", ["pt", "pickle"])
@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_that_grows_when_it_is_read(tmp_path: Path, name: str, form: str) -> None:
    """A checkpoint of a megabyte took 2 GB, or all the time there is, before a word of what is wrong with it."""
    path = tmp_path / f"bomb.{form}"
    path.write_bytes(archive(PICKLES[name]) if form == "pt" else PICKLES[name])
    assert told(path) != "read"


def directory(members: int) -> bytes:
    """An archive of so many empty members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for number in range(members):
            file.writestr(f"{number:060}.npy", b"")
    return made.getvalue()


def twins() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("logits.npy", files.npy(np.full((2, 3), 1.0)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("logits.npy", files.npy(np.full((2, 3), 2.0)))
    return made.getvalue()


@pytest.mark.parametrize("make", [lambda: directory(160_000), twins])
def test_an_archive_of_too_many_members_or_of_two_of_one_name(tmp_path: Path, make) -> None:
    """Python keeps a KB for each member; and of two of one name, numpy takes the last without a word."""
    path = tmp_path / "archive.npz"
    path.write_bytes(make())
    with pytest.raises(InputError, match="damaged, or not whole"):
        open_array(str(path))


TEXTS = {
    "a line of JSON of 30 MB": ("[" + "1.5," * 7_500_000 + "1]\n", ".jsonl", "more values"),
    "a line of JSON of empty objects": ('{"a":1,"logits":[' + "{}," * 9_000_000 + "1]}\n", ".jsonl", "more values"),
    "a record of JSON of empty lists": ("[[" + "[]," * 9_000_000 + "1]]", ".json", "more values"),
    "an object of JSON of empty objects": ('{"a":[\n' + "{}," * 9_000_000 + "1]}", ".json", "more values"),
    "an object of JSON of 65 MB": ('{"a":[\n"' + "x" * 65 * MIB + '"]}', ".json", "too long to be read at once"),
    "deep lists of JSON": ("[" * MIB, ".json", "damaged"),
    "deep objects of JSON": ('{"a":' * MIB, ".jsonl", "damaged"),
    "a line of CSV of 100 MB": ("1," * 50 * MIB + "\n", ".csv", "a line without end"),
    "a header of quotes": ('""' * 15_000_000 + "\n1,2\n", ".csv", "the header cannot be read"),
    "a row of two million columns": ("1," * 2_000_000 + "1\n", ".csv", "more than 1,048,576 columns"),
    "a row of ten million quoted cells": ('"",' * 10_000_000 + "\n1,2\n", ".csv", "more than 1,048,576 columns"),
    "a header of safetensors": ("", ".safetensors", "more values"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_grows_when_it_is_read(tmp_path: Path, name: str) -> None:
    """One line of 30 MB took a gigabyte."""
    content, suffix, says = TEXTS[name]
    path = tmp_path / f"bomb{suffix}"
    header = b'{"a":[' + b"{}," * 4_000_000 + b"{}]}"
    path.write_bytes(content.encode() or len(header).to_bytes(8, "little") + header)
    assert says in told(path)


def test_a_million_columns_are_read(tmp_path: Path) -> None:
    """A vocabulary may be as large: the limit is no limit of these."""
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{number}" for number in range(1_000_000))
    path.write_text(f"{names}\n" + (",".join(["1.5"] * 1_000_000) + "\n") * 2)
    assert told(path) == "read"


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As a machine has them that is short of room."""
    monkeypatch.setattr(stored, "IN_MEMORY", MIB)
    monkeypatch.setenv("XENT_TEMPORARY_BYTES", str(4 * MIB))
    monkeypatch.setenv("XENT_UNPACKED_BYTES", str(4 * MIB))
    return monkeypatch


def zeros_of_npy() -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2000, 1000)})
    return header.getvalue() + bytes(16_000_000)


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("logits.npy", zeros_of_npy())
    return made.getvalue()


def parquet() -> bytes:
    """A million equal numbers, which are stored once."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(20_000_000)), 1000)
    return files.parquet(pa.table({"logits": lists}))


PACKED = {
    "zstd": (lambda: zstandard.compress(zeros_of_npy()), "XENT_UNPACKED_BYTES"),
    "xz": (lambda: files.PACKERS["xz"](zeros_of_npy()), "XENT_UNPACKED_BYTES"),
    "gzip": (lambda: files.PACKERS["gz"](zeros_of_npy()), "XENT_TEMPORARY_BYTES"),
    "zip": (zipped, "XENT_TEMPORARY_BYTES"),
    "rows of CSV": (lambda: zstandard.compress(b"1,2,3\n" * 400_000), "XENT_TEMPORARY_BYTES"),
    "rows of Parquet": (parquet, "XENT_TEMPORARY_BYTES"),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_unpacks_to_more_than_it_may_is_refused(tmp_path: Path, small_limits, name: str) -> None:
    """A megabyte asked for 40 GB of the disk; who trusts it raises the limit that the message names."""
    make, variable = PACKED[name]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    if variable == "XENT_TEMPORARY_BYTES":
        small_limits.setenv("XENT_UNPACKED_BYTES", str(1 << 30))
    with pytest.raises(InputError) as caught:
        open_array(str(path))
    assert variable in caught.value.details["hint"]
    assert "4,194,304 bytes" in caught.value.details["expected"]
    for each in ("XENT_TEMPORARY_BYTES", "XENT_UNPACKED_BYTES"):
        small_limits.setenv(each, str(1 << 30))
    assert open_array(str(path)).shape[1] in {3, 1000}


def test_a_file_that_is_packed_well_is_read(tmp_path: Path, small_limits) -> None:
    """As well as numbers are packed at all: the limit is of a thousand times, not of sizes."""
    small_limits.setenv("XENT_TEMPORARY_BYTES", str(1 << 30))
    rows = np.repeat(np.random.default_rng(1).standard_normal((100, 100)), 12, axis=0)
    path = tmp_path / "rows.npy.zst"
    path.write_bytes(zstandard.compress(files.npy(np.tile(rows, 12))))
    assert packed.MOST_TIMES * path.stat().st_size > 11 * MIB
    assert open_array(str(path)).shape == (1200, 1200)


def test_a_full_disk_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, the folder and the way out; not a traceback of whatever was written."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    path = tmp_path / "rows.npy.gz"
    path.write_bytes(files.PACKERS["gz"](files.npy(np.zeros((100, 10)))))
    monkeypatch.setattr(stored.os, "write", full)
    with pytest.raises(InputError, match="no temporary file can take") as caught:
        open_array(str(path))
    assert caught.value.details["found"] == "No space left on device"
    assert "TMPDIR" in caught.value.details["hint"]


def two_of_one_name() -> dict[str, bytes]:
    table = pa.Table.from_arrays(
        [pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([0, 1])], ["cat", "cat", "label"]
    )
    feather = io.BytesIO()
    pyarrow.feather.write_feather(table, feather)
    tensors = b'{"cat":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    tensors += b'"cat":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
    return {
        "csv": b"cat,cat,label\n1,2,0\n3,4,1\n",
        "tsv": b"cat\tcat\tlabel\n1\t2\t0\n3\t4\t1\n",
        "json": b'[{"cat":1,"cat":2,"label":0}]',
        "json of columns": b'{"cat":[1,2],"cat":[2,3],"label":[0,1]}',
        "jsonl": b'{"cat":1,"dog":2,"label":0}\n{"cat":1,"cat":2,"label":0}\n',
        "parquet": files.parquet(table),
        "feather": feather.getvalue(),
        "arrow stream": files.arrow_stream(table),
        "safetensors": len(tensors).to_bytes(8, "little") + tensors + bytes(8),
    }


@pytest.mark.parametrize("form", two_of_one_name())
def test_two_columns_of_one_name_are_refused(tmp_path: Path, form: str) -> None:
    """A report names classes by their columns; Arrow ended with a bug of ours, and JSON took the last in silence."""
    path = tmp_path / "twins"
    path.write_bytes(two_of_one_name()[form])
    with pytest.raises(InputError, match="two columns have one name"):
        open_array(str(path)) if form == "safetensors" else open_pair(str(path), "label")


@pytest.mark.parametrize("form", ["parquet", "feather", "arrow stream"])
def test_one_that_is_not_asked_for_may_have_the_name_of_another(tmp_path: Path, form: str) -> None:
    """Only what is taken must be told apart: labels alone are read of such a table."""
    path = tmp_path / "twins"
    path.write_bytes(two_of_one_name()[form])
    assert open_array(str(path), "labels").values.tolist() == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"[{}]",
        b"{}\n{}\n",
        b"{}",
        b"[[]]",
        b'[{"a":1,"label":0},7]',
        b'[{"logits":[1,2],"label":0},0.5]',
        b'{"logits":[1,2],"label":0}\n[1,2]\n',
    ],
)
def test_json_without_members_is_refused(tmp_path: Path, content: bytes) -> None:
    """A table without columns, or with a number among its rows, ended with a bug of ours."""
    path = tmp_path / "empty.json"
    path.write_bytes(content)
    with pytest.raises(XentError):
        open_pair(str(path))
