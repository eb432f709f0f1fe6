"""Numbers in a file are read in pieces, at any place, by several threads; what goes wrong on the way is said."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xentcli.errors import InputError
from xentcli.numbers.arrays import from_values
from xentcli.sources import stored
from xentcli.sources.open import open_array
from xentcli.sources.stored import ColumnSpool, Scratch, Spool, StoredColumns, read_ahead, spooled

if TYPE_CHECKING:
    from pathlib import Path

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def saved(folder: Path, values: np.ndarray) -> Path:
    np.save(folder / "a.npy", values)
    return folder / "a.npy"


@st.composite
def pieces(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int]:
    """An array of either order, an axis of it and a part of that axis."""
    values = draw(hnp.arrays(st.sampled_from(["<f4", ">i2", "u1", "<f8"]), hnp.array_shapes(max_dims=4, max_side=6)))
    axis = draw(st.integers(0, values.ndim - 1))
    start = draw(st.integers(0, values.shape[axis]))
    stop = draw(st.integers(start, values.shape[axis]))
    return (np.asfortranarray(values) if draw(st.booleans()) else values), axis, start, stop


@same_directory
@given(piece=pieces())
def test_a_piece_is_that_of_the_whole(tmp_path, piece):
    """A piece read from the wrong place would be a plausible loss of other samples."""
    values, axis, start, stop = piece
    read = open_array(str(saved(tmp_path, values))).read(axis, start, stop)
    assert read.tobytes() == values.take(range(start, stop), axis).tobytes()
    assert read.flags.writeable
    assert read.flags.aligned


def test_threads_read_at_once(tmp_path):
    """A place in the file that threads shared would mix their pieces up."""
    values = np.arange(200_000).reshape(2000, 100)
    array = open_array(str(saved(tmp_path, values)))
    with ThreadPoolExecutor(8) as executor:
        for start, piece in executor.map(lambda start: (start, array.read(0, start, start + 10)), range(1990)):
            assert piece[0, 0] == start * 100


@pytest.mark.parametrize("change", ["shorter", "longer", "touched"])
def test_a_file_that_changes_is_refused(tmp_path, change):
    """A file that is still being written gives the loss of a mixture, which nobody would notice."""
    path = saved(tmp_path, np.zeros((1000, 100)))
    array = open_array(str(path))
    array.read(0, 0, 10)
    if change == "touched":
        os.utime(path, ns=(0, 0))
    else:
        os.truncate(path, 10_000 if change == "shorter" else 10_000_000)
    with pytest.raises(InputError, match="changed while it was read"):
        array.read(0, 0, 10)


def test_a_disk_error_is_said(tmp_path, monkeypatch):
    """A mapped file would end the process with a signal; a read says which file it was."""

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    array = open_array(str(saved(tmp_path, np.zeros((10, 10)))))
    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(InputError, match="Input/output error"):
        array.read(0, 0, 10)


def test_a_read_that_comes_in_parts_is_put_together(tmp_path, monkeypatch):
    """The system may give fewer bytes than were asked for, and does beyond 2 GB."""
    values = np.arange(1000.0)
    array, preadv = open_array(str(saved(tmp_path, values))), os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, buffers, offset: preadv(file, [buffers[0][:7]], offset))
    assert array.values.tolist() == values.tolist()


@given(counts=st.lists(st.integers(0, 7), min_size=1, max_size=9), limit=st.sampled_from([0, 40, 1 << 20]))
def test_a_spool_gives_the_rows_that_it_took(counts, limit):
    """Rows that go to the temporary file must come back in their order, with those that never went there."""
    parts = [np.random.default_rng(number).random((count, 3)) for number, count in enumerate(counts)]
    spool = Spool("a.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "IN_MEMORY", limit)
        for part in parts:
            spool.append(part)
    whole = np.concatenate(parts)
    shape, kind, read = spool.finish()
    assert (shape, kind) == (whole.shape, whole.dtype)
    assert np.array_equal(read(0, 0, len(whole)), whole)
    assert np.array_equal(read(0, len(whole) // 2, len(whole)), whole[len(whole) // 2 :])


def test_what_comes_once_can_be_read_anywhere():
    """Bytes of a pipe are put aside as they come."""
    file = spooled("-", (bytes([number]) * number for number in range(100)))
    buffer = bytearray(2)
    file.read_into(memoryview(buffer), sum(range(99)) - 1)
    assert (file.size, bytes(buffer)) == (4950, bytes([98, 99]))


def test_a_full_disk_is_said():
    """The user can name another folder, if told that this is what was missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(InputError, match="No space left on device") as caught:
            Scratch("big.csv").append(b"1,2")
    assert "TMPDIR" in str(caught.value)


def test_no_file_is_left_open(tmp_path):
    """A run over ten thousand shards must not run out of descriptors."""
    path = saved(tmp_path, np.zeros((3, 4)))
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import numpy as np
from xentcli.sources import stored
from xentcli.sources.open import open_array
stored.IN_MEMORY = 0
for _ in range(300):
    open_array({str(path)!r}).read(0, 1, 2)
    spool = stored.Spool("x")
    spool.append(np.zeros((2, 2)))
    spool.finish()[2](0, 1, 2)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout == "64\n", result.stderr
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64


def test_what_is_read_first_is_fetched_before_it_is_asked_for(tmp_path, monkeypatch):
    """On a cold disk the wait for torch and the wait for the data would else follow each other."""
    asked = []
    np.save(tmp_path / "logits.npy", np.zeros((500_000, 3), np.float32))
    monkeypatch.setattr(os, "posix_fadvise", lambda _, place, size, advice: asked.append((place, size, advice)))
    read_ahead(open_array(str(tmp_path / "logits.npy")))
    assert {advice for _, _, advice in asked} == {os.POSIX_FADV_WILLNEED}
    ends = [place + size for place, size, _ in asked]
    assert [place for place, _, _ in asked][1:] == ends[:-1]  # without a gap
    assert asked[0][0] <= 128 <= ends[0]
    assert ends[-1] >= 6_000_128
    asked.clear()
    read_ahead(from_values(np.zeros((2, 3)), "logits"))
    assert not asked


def test_a_system_that_fetches_nothing_is_no_error(tmp_path, monkeypatch):
    """It is a favour: some file systems refuse it, and some systems do not have it."""
    np.save(tmp_path / "logits.npy", np.zeros((3, 3), np.float32))
    array = open_array(str(tmp_path / "logits.npy"))

    def refused(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", refused)
    read_ahead(array)
    monkeypatch.delattr(os, "posix_fadvise")
    read_ahead(array)
    assert array.values.shape == (3, 3)


def test_files_are_opened_before_torch_is_imported(tmp_path):
    """A cut-off file is told of in the first second, and not after torch."""
    (tmp_path / "logits.npy").write_bytes(b"\x93NUMPY\x01\x00")
    code = (
        "import sys\n"
        "from xentcli.cli.main import main\n"
        f"sys.argv = ['xent', 'compute', *2 * [{str(tmp_path / 'logits.npy')!r}]]\n"
        "try: main()\n"
        "except SystemExit as ended: print(ended.code, 'torch' in sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout == "2 False\n", ended.stderr


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    limit=st.sampled_from([0, 40, 200, 1 << 20]),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_tables_come_back_by_rows_and_by_columns(monkeypatch, sizes, limit, cut):
    """Whether they are in memory, in a file or in both; also where they are read while more come."""
    monkeypatch.setattr(stored, "IN_MEMORY", limit)
    kind = np.dtype([("row", "<i8"), ("same", "?"), ("kl", "<f8"), ("top", "<u2")])
    rows = np.random.default_rng(sum(sizes)).integers(0, 256, (sum(sizes), kind.itemsize), np.uint8)
    rows[:, 8] &= 1  # of "same"
    whole, spool = rows.reshape(-1).view(kind), ColumnSpool("x.npy", "rows")
    ends = np.cumsum(sizes)
    for start, end in zip((0, *ends), ends, strict=False):
        spool.append(whole[start:end])
        tables = spool.tables()
        assert b"".join(table[:].tobytes() for table in tables) == whole[:end].tobytes()
    for name in kind.names or ():
        columns = [table.column(name) if isinstance(table, StoredColumns) else table[name] for table in tables]
        assert b"".join(column.tobytes() for column in columns) == whole[name].tobytes()
    for table in tables:
        every = table[:]
        assert table[slice(*cut)].tobytes() == every[slice(*cut)].tobytes()
