"""Files are read in little memory whatever their size, and those that unpack to more than they seem are bounded."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

TESTS = Path(__file__).parent.parent
MIB = 1 << 20
# Most that a run may take beyond what it starts with, in MiB: one line of 32, some pieces, and the 8 of rows below.
ALLOWED = 90
CODE = """
import resource, sys
from xentcli.errors import XentError
from xentcli.sources import stored
from xentcli.sources.open import open_array
{imports}
stored.IN_MEMORY = 8 << 20
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
try:
    array = open_array(sys.argv[1])
    rows = array.shape[0]
    print(sum(float(array.read(0, row, row + 1).sum()) for row in range(0, rows, max(1, rows // 50))), end=" ")
except XentError as error:
    print(error.what, end=" ")
print(peak() - before)
"""


def told(path: Path, imports: str = "") -> tuple[str, int]:
    """What a fresh process says of the file, and the MiB that it took at most."""
    command = [sys.executable, "-c", CODE.format(imports=imports), str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TESTS)
    said, _, used = ended.stdout.strip().rpartition(" ")
    return said, int(used)


def packed_zeros(content: bytes, times: int) -> dict[str, bytes]:
    """So many times the same, packed."""
    gz, xz, zst = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with (
        gzip.GzipFile(fileobj=gz, mode="wb", compresslevel=1) as first,
        lzma.LZMAFile(xz, "wb", preset=0) as second,
        zstandard.ZstdCompressor().stream_writer(zst, closefd=False) as third,
    ):
        for _ in range(times):
            for file in (first, second, third):
                file.write(content)
    return {"gz": gz.getvalue(), "xz": xz.getvalue(), "zst": zst.getvalue()}


def test_lines_without_end_that_are_packed(tmp_path):
    """A megabyte that unpacks to gigabytes must not take the machine."""
    for suffix, raw in packed_zeros(b"1," * (MIB // 2), 80).items():
        path = tmp_path / f"bomb.csv.{suffix}"
        path.write_bytes(raw)
        said, used = told(path)
        assert said == "a line without end"
        assert used < ALLOWED, suffix


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", pytest.param("jsonl.zst", marks=pytest.mark.slow)])
def test_text_of_any_size_takes_the_same_memory(tmp_path, suffix):
    """120 MB of numbers."""
    row = ",".join(["1"] * 1000)
    row = f"[{row}]\n" if "jsonl" in suffix else f"{row}\n"
    raw = row.encode() * 500
    path = tmp_path / f"rows.{suffix}"
    pack = {"csv": lambda raw: raw, "csv.gz": gzip.compress, "jsonl.zst": zstandard.compress}[suffix]
    path.write_bytes(pack(raw) * 30)
    said, used = told(path)
    assert float(said) == 50_000
    assert used < ALLOWED


def test_an_archive_of_any_size_takes_the_same_memory(tmp_path):
    """A compressed array is unpacked to a file, and not to the memory."""
    path = tmp_path / "zeros.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (20_000, 1000)})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("logits.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(200):
            member.write(bytes(800_000))
    said, used = told(path)
    assert float(said) == 0
    assert used < ALLOWED


def test_a_table_of_any_size_takes_the_same_memory(tmp_path):
    """One row group of 160 MB, as pandas writes it, is read batch by batch."""
    path = tmp_path / "rows.parquet"
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.tile(np.arange(1000.0), 20_000)), 1000)
    pyarrow.parquet.write_table(pa.table({"logits": lists}), path, row_group_size=20_000)
    said, used = told(path, "import pyarrow.parquet, pyarrow.compute")
    assert float(said) >= 50 * 499_500
    assert used < ALLOWED
