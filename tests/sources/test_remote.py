"""Files behind an address: the same numbers, read in parts, and a clear word for whatever a server may refuse."""

from __future__ import annotations

import gzip
import io
import socket

import fsspec
import numpy as np
import pyarrow.parquet
import pytest
import safetensors.numpy
from process import xent_here
from web import Web, served

import xentcli
from xentcli.errors import InputError, UsageError
from xentcli.sources import remote
from xentcli.sources.names import check_names
from xentcli.sources.open import open_array
from xentcli.sources.pairs import names_of, open_inputs

VALUES = np.arange(4000.0).reshape(200, 20)


def as_npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.fixture
def web():
    with served(Web({"a.npy": as_npy(VALUES), "labels.csv": b"1\n0\n" * 100, "list.txt": b"a.npy\na.npy\n"})) as web:
        yield web


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_part_is_that_of_the_whole(web, order):
    """What comes from a server is what was saved."""
    web.files["a.npy"] = as_npy(np.asarray(VALUES, order=order))
    array = open_array(f"{web.address}/a.npy")
    assert np.array_equal(array.read(0, 17, 130), VALUES[17:130])
    assert array.read(0, 17, 130).flags.writeable
    assert np.array_equal(array.read(1, 4, 7), VALUES[:, 4:7])


def test_a_block_of_a_large_file_moves_little(web):
    """A shard of many gigabytes must not be downloaded for one block, and its header costs less than a block."""
    web.files["large.npy"] = as_npy(np.zeros((25_000, 500), "f4"))  # 50 MB
    array = open_array(f"{web.address}/large.npy")
    assert web.given <= remote.FIRST_PIECE + 1
    array.read(0, 20_000, 22_000)  # 4 MB
    assert web.given < 4_000_000 + 10**5


def test_runs_that_lie_apart_are_fetched_together(web):
    """With the classes first, a block is a piece of each class's row: one request a class would take hours."""
    values = np.arange(4_000_000, dtype="f4").reshape(100, 40_000)
    web.files["large.npy"] = as_npy(values)
    array = open_array(f"{web.address}/large.npy")
    given, asked = web.given, web.asked
    assert np.array_equal(array.read(1, 7, 39_000), values[:, 7:39_000])
    assert web.asked - asked < 5
    assert np.array_equal(array.read(1, 7, 9), values[:, 7:9])
    assert web.given - given < values.nbytes + 10_000


def test_the_report_is_that_of_local_files(web, memory, tmp_path):
    """Where the files lie changes no number."""
    labels = np.tile([1, 0], 100)
    np.save(tmp_path / "a.npy", VALUES)
    np.save(tmp_path / "y.npy", labels)
    memory.pipe_file("/d/y-1.npy", as_npy(labels))
    local = xentcli.compute(tmp_path / "a.npy", tmp_path / "y.npy", weight=np.ones(20)).to_dict()
    memory.pipe_file("/w.npy", as_npy(np.ones(20)))
    for pair in ((f"{web.address}/a.npy", f"{web.address}/labels.csv"), (f"{web.address}/a.npy", "memory://d/*.npy")):
        report = xentcli.compute(*pair, weight="memory://w.npy").to_dict()
        assert report | {"input": 0, "options": 0} == local | {"input": 0, "options": 0}


FORMATS = {
    "npz": lambda file: np.savez(file, logits=VALUES, labels=np.zeros(200, int)),
    "safetensors": lambda file: file.write(safetensors.numpy.save({"logits": VALUES, "labels": np.zeros(200, int)})),
    "parquet": lambda file: pyarrow.parquet.write_table(
        pyarrow.table({"logits": list(VALUES), "labels": np.zeros(200, int)}), file
    ),
    "npy.gz": lambda file: file.write(gzip.compress(as_npy(VALUES))),
    "jsonl": lambda file: file.writelines(f"{row.tolist()}\n".encode() for row in VALUES),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_comes_from_a_server(web, form):
    """The numbers are the same, in as many files as one likes."""
    file = io.BytesIO()
    FORMATS[form](file)
    web.files[f"a.{form}"] = file.getvalue()
    web.files["list.txt"] = f"a.{form}\na.npy\na.{form}\n".encode()
    np.testing.assert_array_equal(open_array(f"{web.address}/a.{form}").values, VALUES)
    web.files["y.npy"] = as_npy(np.zeros(600, int))
    logits, _ = open_inputs(f"@{web.address}/list.txt", f"{web.address}/y.npy", None)
    np.testing.assert_array_equal(logits.read(0, 190, 410), np.tile(VALUES, (3, 1))[190:410])


def test_files_that_hold_both(memory):
    """Logits and labels of each shard come out of one file."""
    for number, rows in enumerate(np.split(np.arange(200), [50])):
        file = io.BytesIO()
        np.savez(file, logits=VALUES[rows], labels=rows)
        memory.pipe_file(f"/d/{number}.npz", file.getvalue())
    logits, labels = open_inputs("memory://d/*.npz", None, None)
    assert np.array_equal(logits.values, VALUES)
    assert labels.values.tolist() == list(range(200))
    logits, labels = open_inputs("memory://d/*.npz:logits", "memory://d/*.npz:labels", None)
    assert np.array_equal(logits.values, VALUES)
    assert labels.values.tolist() == list(range(200))


def test_a_block_of_a_large_archive_moves_little(web):
    """The directory of an .npz stands at its end; what lies between is not fetched to get there."""
    file = io.BytesIO()
    np.savez(file, logits=np.zeros((25_000, 500), "f4"), labels=np.arange(25_000))  # 50 MB
    web.files["large.npz"] = file.getvalue()
    array = open_array(f"{web.address}/large.npz:labels")
    assert array.read(0, 20_000, 20_002).tolist() == [20_000, 20_001]
    assert web.given < 3 * 10**5


def test_columns_are_fetched_from_first_to_last(web):
    """pyarrow reads in so many small parts that a request for each would take minutes."""
    table = pyarrow.table({f"c{number}": np.zeros(2000) for number in range(50)})
    pyarrow.parquet.write_table(table, file := io.BytesIO(), row_group_size=100)
    web.files["a.parquet"] = file.getvalue()
    assert open_array(f"{web.address}/a.parquet").shape == (2000, 50)
    assert web.asked < 20


def test_text_comes_from_a_server_without_ranges(web):
    """Text is read once from its beginning, which every server can give."""
    web.has_ranges = web.tells_size = False
    assert open_array(f"{web.address}/labels.csv").shape == (200, 1)


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_small_file_of_a_server_without_ranges_is_downloaded_once(web, tells_size):
    """`python -m http.server` is how files are shared in a hurry."""
    web.has_ranges, web.tells_size = False, tells_size
    array = open_array(f"{web.address}/a.npy")
    web.statuses["a.npy"] = 500  # whoever asks again is told of it; to count would race with the server's threads
    assert np.array_equal(array.values, VALUES)
    assert np.array_equal(array.read(0, 10, 20), VALUES[10:20])
    assert web.given <= 7 * len(web.files["a.npy"])


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_large_file_of_a_server_without_ranges_is_refused(web, tells_size, monkeypatch):
    """Each look would move the whole file, and the limit must be one that its owner can raise."""
    web.has_ranges, web.tells_size = False, tells_size
    monkeypatch.setenv("XENT_DOWNLOAD_BYTES", "1000")
    with pytest.raises(InputError, match=r"up to 1,000 bytes\n.*XENT_DOWNLOAD_BYTES=\d+") as caught:
        open_array(f"{web.address}/a.npy")
    monkeypatch.setenv(*str(caught.value).split()[-1].split("="))
    if tells_size:
        assert np.array_equal(open_array(f"{web.address}/a.npy").values, VALUES)
    monkeypatch.setenv("XENT_DOWNLOAD_BYTES", "many")
    with pytest.raises(UsageError, match="no number of bytes"):
        open_array(f"{web.address}/a.npy")


@pytest.mark.parametrize("change", ["version", "shorter", "longer"])
def test_a_file_that_changes_is_refused(web, change):
    """An upload in the middle of a run would mix two models."""
    array = open_array(f"{web.address}/a.npy")
    array.read(0, 0, 10)
    if change == "version":
        web.version += 1
    else:
        web.files["a.npy"] = as_npy(VALUES)[:-8] if change == "shorter" else as_npy(VALUES) + b"\0"
    with pytest.raises(InputError, match="changed while it was read"):
        array.read(0, 190, 200)


@pytest.mark.parametrize(
    ("status", "what"),
    [(404, "no such file"), (403, "no permission"), (401, "no permission"), (503, "the server answers with an error")],
)
def test_refusals_of_a_server_are_told_apart(web, status, what):
    """Whether to mend the name, the rights or nothing at all but to wait."""
    web.statuses["a.npy"] = status
    with pytest.raises(InputError, match=what) as caught:
        open_array(f"{web.address}/a.npy")
    assert caught.value.details["at"] == f"{web.address}/a.npy"


def test_a_server_that_fails_later(web):
    """An error in the middle of a file is no missing file."""
    array = open_array(f"{web.address}/a.npy")
    web.statuses["a.npy"] = 500
    with pytest.raises(InputError, match="the server answers with an error"):
        array.read(0, 0, 10)


def test_a_server_that_is_not_there():
    """A name of another network must not look like a missing file."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.npy"
        with pytest.raises(InputError, match="the server cannot be reached"):
            open_array(address)


def test_several_files_behind_addresses(web, memory):
    """Patterns, folders and manifests work there as here."""
    parts = np.split(VALUES, [50, 120])
    for number, part in zip((2, 10, 30), parts, strict=True):
        memory.pipe_file(f"/d/l-{number}.npy", as_npy(part))
    expected = tuple(f"memory:///d/l-{number}.npy" for number in (2, 10, 30))
    assert names_of("memory://d/l-*.npy").files == names_of("memory://d/").files == expected
    memory.pipe_file("/d/list.txt", b"l-2.npy\n" + expected[1].encode())
    assert names_of("@memory://d/list.txt").files == ("memory://d/l-2.npy", expected[1])
    memory.pipe_file("/y.npy", as_npy(np.zeros(200, int)))
    memory.rm_file("/d/list.txt")
    report = xentcli.compute("memory://d/", "memory://y.npy")
    whole = xentcli.compute(VALUES, np.zeros(200, int))
    assert report.losses == whole.losses
    assert names_of(f"@{web.address}/list.txt").files == (f"{web.address}/a.npy",) * 2


def test_a_pattern_sees_files_that_came_later(memory):
    """A list of a folder is not kept from one run to the next."""
    for number in range(1, 3):
        memory.pipe_file(f"/d/l-{number}.npy", as_npy(VALUES))
        assert len(names_of("memory://d/*.npy")) == number


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("memory://none.npy", "no such file"),
        ("memory://d/none-*.npy", "no file matches this pattern"),
        ("memory://d", "this is a directory"),
        ("memory://none/", "this directory holds no files"),
        ("https://host/a-*.npy", "a web server does not list its files"),
        ("nothing://a.npy", "the address cannot be understood"),
        ("gs://bucket/a.npy", "a package for this address is not installed here"),
    ],
)
def test_addresses_that_lead_nowhere(memory, name, what):
    """One clear error, after the command line is understood."""
    memory.pipe_file("/d/a.npy", as_npy(VALUES))
    assert check_names(name) is None
    with pytest.raises((InputError, UsageError), match=what) as caught:
        open_array(names_of(name).files[0])
    if name.startswith("gs"):
        assert caught.value.details["hint"] == "pip install gcsfs"


def test_the_command_line_takes_addresses(web, tmp_path):
    """As its users start it, with the weights beside the others."""
    web.files["w.csv"] = b"1\n" * 20
    names = [f"{web.address}/{name}" for name in ("a.npy", "labels.csv", "w.csv")]
    ended = xent_here("compute", *names[:2], "--weight", names[2], "-q", "--exit-zero", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


def test_secrets_of_addresses_are_shown_nowhere(web, tmp_path):
    """Reports end in tickets and logs of CI, where a signed address is a key to the bucket."""
    for name in ("a.npy", "labels.csv"):
        web.files[f"{name}?X-Signature=s3cret"] = web.files[name]
    host = web.address.removeprefix("http://")
    good = [f"http://ann:s3cret@{host}/{name}?X-Signature=s3cret" for name in ("a.npy", "labels.csv")]
    bad = f"http://ann:s3cret@{host}/nowhere.npy?X-Signature=s3cret"
    for form in ("table", "json", "csv", "markdown", "junit", "github"):
        ended = xent_here("compute", *good, "-f", form, "--exit-zero", "--partial", f"{form}.partial", cwd=tmp_path)
        assert ended.code == 0
        assert "s3cret" not in ended.out + ended.err + (tmp_path / f"{form}.partial").read_text()
    for names in ((good[0], bad), (good[0],), (*good, "--class-axis", "7"), (good[1], good[0])):
        ended = xent_here("compute", *names, cwd=tmp_path)
        assert ended.code == 2
        assert "s3cret" not in ended.out + ended.err
        assert f"http://{host}/" in ended.err or "--class-axis" in names
