"""Several files are one array: a split at any places cannot be seen, and what differs is named."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xentcli
from xentcli.cli.present import FILE_PAGE
from xentcli.errors import InputError, UsageError
from xentcli.render.table import render as table
from xentcli.sources import shards
from xentcli.sources.names import Names, local_names
from xentcli.sources.open import open_array
from xentcli.sources.pairs import open_inputs
from xentcli.sources.shards import Files, join

same_folder = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split(values: np.ndarray, cuts: list[int], axis: int, name: str) -> Names:
    files = [f"{name}-{number}.npy" for number in range(len(cuts) + 1)]
    for file, part in zip(files, np.split(values, cuts, axis), strict=True):
        np.save(file, part)
    return Names(f"{name}-*.npy", tuple(files))


def joined(names: Names, axis: int = 0) -> shards.ShardedArray:
    return join(Files(names, lambda path: (open_array(path),)), 0, axis)


@st.composite
def splits(draw: st.DrawFn) -> tuple[np.ndarray, int, list[int]]:
    """An array of either order, the axis that it is cut along, and where; some shards may be empty."""
    values = draw(hnp.arrays(st.sampled_from(["<f4", ">i2", "<u2", "<f8"]), hnp.array_shapes(max_dims=4, max_side=6)))
    values = values.view("V2") if values.dtype == np.uint16 else values  # as bfloat16 is stored
    axis = draw(st.integers(0, min(1, values.ndim - 1)))
    cuts = sorted(draw(st.lists(st.integers(0, values.shape[axis]), max_size=6)))
    return (np.asfortranarray(values) if draw(st.booleans()) else values), axis, cuts


@same_folder
@given(whole=splits(), data=st.data())
def test_a_split_is_the_whole(folder, whole, data):
    """A read across the border of two shards must not lose, repeat or move a row, along whichever axis."""
    values, cut, cuts = whole
    array = joined(split(values, cuts, cut, "a"), cut)
    assert (array.shape, array.kind) == (values.shape, values.dtype.newbyteorder("="))
    axis = data.draw(st.integers(0, values.ndim - 1))
    start = data.draw(st.integers(0, values.shape[axis]))
    stop = data.draw(st.integers(start, values.shape[axis]))
    read = array.read(axis, start, stop)
    expected = values.take(range(start, stop), axis).astype(array.kind)
    assert read.shape == expected.shape
    assert read.tobytes() == expected.tobytes()


@same_folder
@given(whole=splits(), data=st.data())
def test_an_element_is_found_where_it_stands(folder, whole, data):
    """A message that names another shard sends its reader to the wrong file."""
    values, axis, cuts = whole
    array = joined(split(np.arange(values.size).reshape(values.shape), cuts, axis, "a"), axis)
    if values.size:
        index = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
        file, _, place = array.at(index).partition(", element ")
        own = tuple(map(int, place.strip("[]").split(",")))
        assert np.load(file)[own] == np.arange(values.size).reshape(values.shape)[index]


CASES = {  # shape of the logits, the class axis given, the axis that the shards are cut along
    "rows": ((12, 5), None, 0),
    "language model": ((12, 4, 5), -1, 0),
    "classes first": ((5, 12), 0, 1),
    "classes first, images": ((5, 12, 3), -3, 1),
    "images": ((12, 5, 2, 3), 1, 0),
}


@pytest.mark.parametrize(("shape", "class_axis", "cut"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", ["labels", "probabilities", "one file of labels", "text"])
def test_the_report_of_the_shards_is_that_of_the_whole(folder, shape, class_axis, cut, kind):
    """Shards are only another way to store: the axis that they are joined along follows from the class axis."""
    random = np.random.default_rng(1)
    logits = random.normal(size=shape)
    classes = (1 if class_axis is None else class_axis) % len(shape)
    samples = np.delete(shape, classes)
    labels = random.integers(0, 5, samples)
    if kind == "probabilities":
        labels = np.abs(logits) / np.abs(logits).sum(classes, keepdims=True)
    np.save("l.npy", logits)
    np.save("y.npy", labels)
    split(logits, [2, 2, 7], cut, "l")
    split(labels, [2, 2, 7], cut if kind == "probabilities" else 0, "y")
    names = "y-*.npy"
    if kind == "one file of labels":
        names = "y.npy"
    if kind == "text":
        split(logits, [2, 7], cut, "l")
        Path("l-3.npy").unlink()
        for number, part in enumerate(np.split(labels, [2, 7])):
            np.savetxt(f"y-{number}.csv", part.reshape(-1), fmt="%d")
        names = "y-*.csv"
    whole, parts = (
        dict(xentcli.compute(*pair, class_axis=class_axis).to_dict(), input=None)
        for pair in (("l.npy", "y.npy"), ("l-*.npy", names))
    )
    assert parts == whole


def test_a_column_of_labels_of_several_tables(folder):
    """A table a shard holds its labels with its logits."""
    rows = np.random.default_rng(0).integers(0, 3, (9, 4))
    for number, part in enumerate(np.split(rows, [4, 6])):
        np.savetxt(f"t-{number}.csv", part, fmt="%d", delimiter=",", header="a,b,c,label", comments="")
    logits, labels = open_inputs("t-*.csv", None, None, column="label")
    assert np.array_equal(logits.values, rows[:, :3])
    assert np.array_equal(labels.values, rows[:, 3:])
    assert labels.at((5, 0)) == "t-1.csv, line 3, column 4"


WAYS = {  # logits, labels, key
    "both": ("s", None, None),
    "both by pattern": ("s/*.npz:logits", None, None),
    "by pattern": ("s/*.npz:logits", "s/*.npz:labels", None),
    "by folder": ("s:logits", "s", None),
    "by key": ("@list.txt", "s", "logits"),
    "by line": ("@keys.txt", "s", None),
}


@pytest.mark.parametrize(("logits", "labels", "key"), WAYS.values(), ids=WAYS)
def test_files_of_several_arrays(folder, monkeypatch, logits, labels, key):
    """Whoever saves each batch as one .npz names its arrays once, and files are opened again by that name."""
    monkeypatch.setattr(shards, "OPEN_AT_ONCE", 1)
    Path("s").mkdir()
    values, target = np.arange(36.0).reshape(9, 4), np.arange(9) % 4
    for number, rows in enumerate(np.split(np.arange(9), [4, 6])):
        np.savez(f"s/{number}.npz", logits=values[rows], labels=target[rows], other=np.zeros(3))
    Path("list.txt").write_text("s/0.npz\ns/1.npz\ns/2.npz\n")
    Path("keys.txt").write_text("s/0.npz:logits\ns/1.npz:logits\ns/2.npz:logits\n")
    found = open_inputs(logits, labels, None, key=key)
    assert np.array_equal(found[0].values, values)
    assert np.array_equal(found[1].values, target)
    assert found[1].path == (labels or logits.removesuffix(":logits"))
    assert found[1].at((7,)) == "s/2.npz:labels, element [1]"


def test_several_files_that_hold_no_labels(folder):
    """The way to name them is told once, and not file by file."""
    split(np.eye(4), [2], 0, "l")
    with pytest.raises(UsageError, match="the labels are missing") as caught:
        open_inputs("l-*.npy", None, None)
    assert caught.value.details["at"] == "l-0.npy"


def test_one_file_by_a_pattern_is_the_file(folder):
    """What finds one file must not report otherwise than its name."""
    split(np.eye(3), [], 0, "l")
    split(np.arange(3), [], 0, "y")
    reports = [xentcli.compute(*pair).to_dict() for pair in (("l-0.npy", "y-0.npy"), ("l-*.npy", "y-?.npy"))]
    assert reports[0] == reports[1]


def test_formats_may_differ_where_the_numbers_do_not(folder):
    """Text has no type of its own: it takes that of the other shards, if they have its numbers."""
    np.save("a-0.npy", np.array([1, 2]))
    Path("a-1.csv").write_text("3\n4\n")
    array = joined(Names("a-*", ("a-0.npy", "a-1.csv")))
    assert (array.values.tolist(), array.dtype, array.format) == ([1, 2, 3, 4], "int64", "csv, npy")
    Path("a-1.csv").write_text("3\n0.5\n")
    with pytest.raises(InputError, match="numbers that int64 does not have") as caught:
        _ = joined(Names("a-*", ("a-0.npy", "a-1.csv"))).values
    assert caught.value.details["at"] == "a-1.csv"


@dataclasses.dataclass
class OneMoved:
    """Every loss moved by 1, and the label's was its number."""

    array: xentcli.numbers.arrays.Array

    def spread(self, start, stop):
        return self.array.read(0, start, stop)[:, 0]

    def ends(self, start, stop, labels):
        return np.stack([labels + 0.0, labels + 1.0])


def test_what_quantisation_moved_is_joined_too(folder):
    """A shard without it was not quantised: its samples did not move."""

    def opened(path: str) -> tuple[xentcli.numbers.arrays.Array]:
        array = open_array(path)
        blur = None if path == "a-1.npy" else OneMoved(array)
        return (dataclasses.replace(array, blur=blur),)

    array = join(Files(split(np.ones((9, 2)), [3, 5], 0, "a"), opened), 0, 0)
    assert array.blur is not None
    assert array.blur.spread(1, 8).tolist() == [1, 1, 0, 0, 1, 1, 1]
    lower, upper = array.blur.ends(1, 8, np.arange(7))
    assert np.isnan(lower).tolist() == [False, False, True, True, False, False, False]
    assert np.array_equal(lower[4:], upper[4:] - 1)
    assert upper[4:].tolist() == [5, 6, 7]


ODD = {
    "shape": (np.zeros((2, 4)), "the shards differ in shape"),
    "dimensions": (np.zeros((2, 3, 1)), "the shards differ in shape"),
    "type": (np.zeros((2, 3), "f4"), "the shards differ in type"),
}


@pytest.mark.parametrize(("odd", "what"), ODD.values(), ids=ODD)
def test_the_first_shard_that_differs_is_named(folder, odd, what):
    """Among ten thousand files nobody finds it by hand."""
    names = split(np.zeros((8, 3)), [2, 4, 6], 0, "a")
    np.save("a-2.npy", odd)
    with pytest.raises(InputError, match=what) as caught:
        joined(names)
    assert caught.value.details["at"] == "a-2.npy"
    assert "a-0.npy" in caught.value.details["expected"]


def test_labels_of_a_shard_must_match_its_logits(folder):
    """Shards that match only in their total would give every row after the first the label of another."""
    split(np.zeros((8, 3)), [4], 0, "l")
    split(np.zeros(8, int), [3], 0, "y")
    with pytest.raises(InputError, match="do not match") as caught:
        open_inputs("l-*.npy", "y-*.npy", None)
    assert caught.value.details["at"] == "y-0.npy"
    assert caught.value.details["expected"] == "4 labels, as l-0.npy has logits of shape (4, 3)"


@pytest.mark.parametrize("class_axis", [None, 0, -1])
def test_samples_alone_are_not_joined(folder, class_axis):
    """Files of one dimension could be samples or parts of one: that is not guessed."""
    split(np.zeros(6), [3], 0, "l")
    np.save("y.npy", 0)
    with pytest.raises(InputError, match="one sample each"):
        open_inputs("l-*.npy", "y.npy", class_axis)


def test_a_folder_with_a_file_of_another_kind(folder):
    """A note beside the shards is named, with the way to leave it out."""
    Path("s").mkdir()
    split(np.zeros((6, 2)), [3], 0, "s/l")
    Path("s/README.md").write_text("the logits of run 3\n")
    with pytest.raises(InputError, match="a pattern chooses") as caught:
        joined(local_names("s"))
    assert caught.value.details["at"].startswith("s/README.md")


@pytest.mark.parametrize("content", [np.ones((3, 2)), np.ones((4, 2))])
def test_a_shard_that_is_written_again_is_refused(folder, monkeypatch, content):
    """A shard is opened again long after its header was read."""
    array = joined(split(np.zeros((6, 2)), [3], 0, "l"))
    np.save("l-1.npy", content)
    os.utime("l-1.npy", ns=(0, 0))
    assert not array.read(0, 0, 3).any()
    with pytest.raises(InputError, match="changed while it was read") as caught:
        array.read(0, 2, 4)
    assert caught.value.details["at"] == "l-1.npy"


def test_threads_read_more_shards_than_are_open(folder, monkeypatch):
    """A file must not be closed under the thread that reads it."""
    monkeypatch.setattr(shards, "OPEN_AT_ONCE", 2)
    values = np.arange(4000).reshape(400, 10)
    array = joined(split(values, list(range(5, 400, 5)), 0, "a"))
    with ThreadPoolExecutor(8) as executor:
        for start, part in executor.map(lambda start: (start, array.read(0, start, start + 12)), range(0, 380, 7)):
            assert np.array_equal(part, values[start : start + 12])


def test_shards_beyond_the_number_of_descriptors(folder):
    """An evaluation of ten thousand shards on a system that allows few open files."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import numpy as np
from xentcli.sources.pairs import open_inputs
for number in range(500):
    np.save(f"l-{number}.npy", np.full((2, 3), float(number)))
    np.save(f"y-{number}.npy", np.full(2, number))
logits, labels = open_inputs("l-*.npy", "y-*.npy", None)
expected = np.repeat(np.arange(500), 2)
assert np.array_equal(logits.values[:, 1], expected) and np.array_equal(labels.values, expected)
print(logits.shape)
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout == "(1000, 3)\n", result.stderr


def test_reports_name_the_file_of_a_row(folder):
    """Row 450 of a thousand files is of no use to somebody who wants to look at it."""
    logits = np.zeros((500, 3))
    logits[450] = 0.0, 150.0, 0.0
    split(logits, [100, 440], 0, "l")
    split(np.zeros(500, int), [100, 440], 0, "y")
    report = xentcli.compute("l-*.npy", "y-*.npy", dtype="float32", rows=1)
    told = report.to_dict()["input"]["logits"]["shards"]
    assert told["count"] == 3
    assert told["named"][-1] == {"path": "l-2.npy", "first_row": 440, "rows": 60}
    text = " ".join("".join(table(report, FILE_PAGE)).split())
    assert "row 450, row 10 of l-2.npy" in text
    assert "l-2.npy from row 440; 3 files of logits in all" in text
