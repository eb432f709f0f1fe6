"""Files of every format on the command line: saved, read back, through standard input, and listed."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import format_files as files
import numpy as np
import pytest
from process import end, is_one_error, start, xent_here

from xentcli.sources.extras import EXTRAS, install
from xentcli.sources.formats import FORMATS
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.saving import targets

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = ("random", "--samples", "7", "--classes", "5", "--seed", "3", "--reference", "off", "-qq")
PACKED = ("a.npz.gz", "a.csv.xz", "a.jsonl.zst", "a.npy.gz", "a.safetensors.zst")
SAVED = [f"a{form.suffixes[0]}" for form in FORMATS if form.saved] + list(PACKED)


def drawn(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the seed gives, as .npy."""
    assert xent_here(*RANDOM, "--save", "npy", cwd=folder).code == 0
    return np.load(folder / "npy" / "logits.npy"), np.load(folder / "npy" / "labels.npy")


@pytest.mark.parametrize("name", SAVED)
def test_what_is_saved_is_read_back(tmp_path, name):
    """The very same numbers in every format, or a comparison of two files would be one of two roundings."""
    logits, labels = drawn(tmp_path)
    assert xent_here(*RANDOM, "--save", f"new/{name}", cwd=tmp_path).code == 0
    paths = [tmp_path / target.path for target in targets(f"new/{name}")]
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    assert [str(target.path) for target in targets(str(tmp_path / "new" / name))] == [str(path) for path in paths]
    if len(paths) == 2:
        found = [open_array(str(path)) for path in paths]
    else:
        found = open_pair(str(paths[0]), "label" if ".csv" in name else None)
    np.testing.assert_array_equal(found[0].values, logits.astype(found[0].kind))
    np.testing.assert_array_equal(found[1].values.reshape(-1), labels)
    assert found[0].dtype in {"float32", "text"}
    column = ["--label-column", "label"] if ".csv" in name else []
    ended = xent_here("compute", *map(str, paths), *column, "--dtype", "float32", "-q", cwd=tmp_path)
    assert ended.code == 0, ended


def test_no_format_is_saved_that_would_change_the_numbers(tmp_path):
    """16 bits do not hold what was drawn; and nothing is left behind."""
    ended = xent_here(*RANDOM, "--save", "new/a.kld", cwd=tmp_path)
    assert is_one_error(ended)
    assert "not written" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_saves_nothing(tmp_path):
    """Half a file of the right name is worse than none."""
    ended = xent_here(*RANDOM, "--weight", "nothing.npy", "--save", "new/a.npz", cwd=tmp_path)
    assert ended.code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_standard_input_is_sniffed(tmp_path, form):
    """`python dump.py | xent compute - labels.npy`."""
    logits = np.random.default_rng(1).standard_normal((6, 5))
    np.save(tmp_path / "labels.npy", np.arange(6) % 5)
    content = files.csv(logits) if form == "csv" else files.BOTH[form](logits, np.arange(6) % 5)
    given = ["-"] if form in files.BOTH else ["-", "labels.npy"]
    (tmp_path / "input").write_bytes(gzip.compress(content))
    with (tmp_path / "input").open() as stdin:
        ended = end(start("compute", *given, "-q", cwd=tmp_path, stdin=stdin))
    assert (ended.code, ended.err) == (0, "")


def test_standard_input_is_one_of_the_two(tmp_path):
    """It comes only once."""
    ended = xent_here("compute", "-", "-", cwd=tmp_path)
    assert is_one_error(ended)
    assert "only once" in ended.err


def test_an_array_is_named(tmp_path):
    """By --key, or after a colon; not by both."""
    np.savez(tmp_path / "a.npz", scores=np.eye(3, dtype=np.float32), labels=np.arange(3), y=np.arange(3))
    for arguments in (["a.npz", "--key", "scores"], ["a.npz:scores"], ["a.npz:scores", "a.npz:y"]):
        assert xent_here("compute", *arguments, "-q", cwd=tmp_path).code == 0
    assert xent_here("explain", "a.npz", "--key", "scores", "--row", "1", cwd=tmp_path).code == 0
    for arguments, said in [
        (["a.npz:scores", "--key", "y"], "named twice"),
        (["a.npz", "--key", "nothing"], "'scores, labels, y'"),
        (["nothing.npz:scores"], "no such file"),
    ]:
        ended = xent_here("compute", *arguments, cwd=tmp_path)
        assert is_one_error(ended), ended
        assert said in ended.err


def test_the_list_of_formats(tmp_path, monkeypatch):
    """Whoever has a file sees whether it is read, and what to install."""
    ended = xent_here("formats", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    for form in FORMATS:
        assert all(suffix in ended.out for suffix in form.suffixes)
    assert "(installed)" in ended.out
    monkeypatch.setattr("xentcli.cli.formats.is_installed", lambda extra: False)
    missing = xent_here("formats", cwd=tmp_path).out
    assert all(f"(missing: {install(module)})" in missing for module in EXTRAS.values())
