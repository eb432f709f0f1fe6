"""Which files a name stands for, and in which order."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import is_address, split_key
from xentcli.sources.names import check_counts, check_names, in_natural_order, local_names, name_elsewhere


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=30), st.booleans())
def test_numbers_in_names_are_in_order(numbers, padded):
    """shard-10 before shard-2 would pair logits with the labels of other rows."""
    names = [f"run-3/shard-{number:0{7 * padded}d}.npy" for number in sorted(numbers)]
    assert in_natural_order(random.sample(names, len(names))) == names


def test_natural_order_is_by_folder_and_total():
    """The order must not depend on the one in which the system lists the files."""
    names = ["٣.npy", "a/2.npy", "a/10.npy", "a1/01.npy", "a1/1.npy", "a-1/1.npy", "b.npy"]
    for _ in range(20):
        assert in_natural_order(random.sample(names, len(names))) == names


def test_a_pattern_a_manifest_and_a_folder(folder):
    """The three ways to name several files."""
    touch("s/x-2.npy", "s/x-10.npy", "s/.hidden.npy", "s/deep/x-1.npy", "elsewhere/y.npy")
    Path("s/list.txt").write_text("# a comment\n\nx-10.npy\n  x-2.npy\r\n../elsewhere/y.npy\ns3://b/z#1.npy\n/x.npy\n")
    assert local_names("s/x-*.npy").files == ("s/x-2.npy", "s/x-10.npy")
    assert local_names("s/**/x-*.npy").files == ("s/deep/x-1.npy", "s/x-2.npy", "s/x-10.npy")
    assert local_names("s/x-[0-9].npy").files == ("s/x-2.npy",)
    listed = ("s/x-10.npy", "s/x-2.npy", "s/../elsewhere/y.npy", "s3://b/z#1.npy", "/x.npy")
    assert local_names("@s/list.txt").files == listed
    Path("s/list.txt").unlink()
    assert local_names("s").files == ("s/x-2.npy", "s/x-10.npy")


@pytest.mark.parametrize("name", ["a*.npy", "@a.txt", "a[1].npy", "a%20b #c.npy", "s3:/bucket/a.npy", "a?b.npy"])
def test_a_file_that_is_there_is_meant_by_its_name(folder, name):
    """Whoever completes a name with the shell means that file, whatever signs it has."""
    touch(name)
    assert local_names(name).files == (name,)
    assert check_names(name.replace("s3:/", "s3://")) == 1
    assert not is_address(name)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("none-*.npy", "no file matches this pattern"),
        ("@none.txt", "no such file"),
        ("@empty.txt", "this manifest lists no files"),
        ("@binary.txt", "this manifest is not text"),
        ("@missing.txt", "no such file"),
        ("@folders.txt", "this is a directory"),
        ("@pipes.txt", "this is a pipe"),
        ("empty", "this directory holds no files"),
        ("", "no such file"),
        ("a\0*", "no file matches this pattern"),
    ],
)
def test_what_names_no_files_is_said_at_once(folder, name, what):
    """A slip in a pattern must not be found after an hour of reading."""
    Path("empty").mkdir()
    os.mkfifo("pipe")
    Path("empty.txt").write_text("# nothing\n")
    Path("binary.txt").write_bytes(b"\x93NUMPY\xff")
    Path("missing.txt").write_text("empty.txt\nnothing.npy\n")
    Path("folders.txt").write_text("empty\n")
    Path("pipes.txt").write_text("pipe\nempty.txt\n")
    with pytest.raises(InputError, match=what):
        check_names(name)


def test_addresses_are_left_for_later(folder):
    """No server is asked before the command line is understood."""
    Path("list.txt").write_text("s3://bucket/a.npy\n")
    addresses = ["s3://bucket/a*.npy", "@https://host/list.txt", "zip://a.npy::s3://b/c.zip", "memory://a"]
    assert [check_names(name) for name in addresses] == [None] * 4
    assert check_names("@list.txt") == 1


@pytest.mark.parametrize(
    ("name", "path", "key"),
    [
        ("a:1.npz:logits", "a:1.npz", "logits"),
        ("s:head.0", "s", "head.0"),
        ("s/x-*.npz:logits", "s/x-*.npz", "logits"),
        ("s/x-10:*.npz", "s/x-10:*.npz", None),
        ("@list.txt:logits", "@list.txt", "logits"),
        ("-:logits", "-", "logits"),
        ("none.npz:logits", "none.npz:logits", None),
        ("s3://bucket/a.npz:logits", "s3://bucket/a.npz", "logits"),
        ("@s3://bucket/list.txt:logits", "@s3://bucket/list.txt", "logits"),
        ("http://host.org:8080/a.npz:logits", "http://host.org:8080/a.npz", "logits"),
        ("http://host.org:8080/a.npz", "http://host.org:8080/a.npz", None),
        ("s://bucket/at-10:30.npy", "s://bucket/at-10:30.npy", None),
        ("zip://d/a.npy::s3://bucket/c.zip", "zip://d/a.npy::s3://bucket/c.zip", None),
    ],
)
def test_the_array_of_a_file_is_told_from_its_name(folder, name, path, key):
    """A colon is in ports, times and addresses, too: what exists decides, and a suffix where that cannot be seen."""
    touch("a:1.npz", "s/x-1.npz", "s/x-10:30.npz", "http", "list.txt")
    assert split_key(name) == (path, key)


def test_an_array_of_several_files_is_one_of_each(folder):
    """The name of the array stands behind every file, as if the user had written them all."""
    touch("s/x-2.npz", "s/x-10.npz")
    Path("list.txt").write_text("s/x-10.npz\ns/x-2.npz:other\n")
    for name in ("s:logits", "s/*.npz:logits"):
        assert local_names(name).files == ("s/x-2.npz:logits", "s/x-10.npz:logits")
        assert check_names(name) == 2
    assert local_names("@list.txt").files == ("s/x-10.npz", "s/x-2.npz:other")
    assert check_names("@list.txt") == 2


@pytest.mark.parametrize(("logits", "labels"), [(3, 3), (3, 1), (1, 1), (None, 4), (4, None)])
def test_counts_that_may_go_together(logits, labels):
    """One file of labels may be for all shards; of an address, the count is not known yet."""
    check_counts(logits, labels, "a and b")


@pytest.mark.parametrize(("logits", "labels"), [(3, 2), (1, 3), (2, 3)])
def test_counts_that_do_not_go_together(logits, labels):
    """A shard that was not written must not shift all labels after it."""
    with pytest.raises(InputError, match=f"{logits} files? of logits, {labels} of labels"):
        check_counts(logits, labels, "a and b")


@pytest.mark.parametrize(
    "name",
    [
        "a1.npy", "./a1.npy", "*.npy", "[[]1]/*", "*/**", "[1]", "../here [2]/a*.npy",
        "@list.txt", "@there", "s3:/here", "b.npz:x", "b*.npz:x",
    ],
)  # fmt: skip
def test_another_process_finds_the_same_files(name, tmp_path, monkeypatch):
    """A worker stands in another folder; were it to find others, it would compute another loss without a word."""
    here = tmp_path / "here [2]"
    here.mkdir()
    monkeypatch.chdir(here)
    touch("a1.npy", "a2.npy", "a10.npy", "b.npz", "[1]/c.npy", "[1]/d/e.npy", "@there", "s3:/here", "../here 2/a7.npy")
    Path("list.txt").write_text("a10.npy\na2.npy:x\n")
    wanted = [(Path(path).resolve(), key) for path, key in map(split_key, local_names(name).files)]
    elsewhere = name_elsewhere(name)
    monkeypatch.chdir(tmp_path)
    assert [(Path(path).resolve(), key) for path, key in map(split_key, local_names(elsewhere).files)] == wanted


@pytest.mark.parametrize("name", ["s3://bucket/a-*.npy", "@https://host/list.txt", "gs://bucket/b.npz:x"])
def test_an_address_is_the_same_everywhere(name, folder):
    """Made a path of this machine, it would be no address any more."""
    assert name_elsewhere(name) == name


@pytest.mark.parametrize("name", ["-", "-:x", "/dev/stdin", "/dev/null", "@/dev/stdin", "fifo"])
def test_what_comes_once_is_for_one_process(name, folder):
    """A worker would read its own standard input, or nothing, for ever."""
    os.mkfifo("fifo")
    with pytest.raises(UsageError, match="other processes cannot read this"):
        name_elsewhere(name)
