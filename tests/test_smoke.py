"""A run of each kind, in seconds: `.ci/run` repeats it with the lowest versions that pyproject.toml promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import fsspec
import numpy as np
import pytest
from process import AGREES, DIFFERS, SAMPLES, Ended, xent, xent_here
from web import Web, served

import xentcli
from xentcli import __version__
from xentcli.cli.main import xent as group
from xentcli.render.registry import TEXTS
from xentcli.sources.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = [form.suffixes[0] for form in FORMATS if form.saved == "both" and form.holds_both and form.name != "csv"]
PACKED = [".npz.gz", ".jsonl.xz", ".pt.zst"]


def truth(ended: Ended) -> str:
    """The certified digits of a report in JSON."""
    digits: str = json.loads(ended.out)["losses"]["reference"]["decimal"]
    return digits


def test_a_process_of_its_own_tells_its_version(tmp_path: Path) -> None:
    """The first command that anybody types."""
    ended = xent("--version", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert __version__ in ended.out


@pytest.mark.parametrize("command", ["", *group.commands])
def test_every_help_is_printed(command: str, tmp_path: Path) -> None:
    """Each version of click words its help anew, and needs other things for it."""
    ended = xent_here(*command.split(), "--help", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: xent {command}".rstrip())


@pytest.mark.parametrize("form", TEXTS)
def test_every_report_is_rendered(form: str, tmp_path: Path) -> None:
    """A table of rich and all the other texts; the sample's textbook loss is infinite."""
    ended = xent_here("compute", *DIFFERS, "--exit-zero", "-f", form, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out


@pytest.mark.parametrize("suffix", [*WRITTEN, *PACKED])
def test_what_is_written_is_read(suffix: str, tmp_path: Path) -> None:
    """Files of pyarrow, zstandard, torch and our own, as the lowest versions write them."""
    first = xent_here(
        "random", "--samples", "40", "--classes", "7", "--seed", "1", "--json", "--save", f"x{suffix}", cwd=tmp_path
    )
    again = xent_here("compute", f"x{suffix}", "--json", cwd=tmp_path)
    assert (first.code, again.code, again.err) == (0, 0, "")
    assert first.err.startswith(f"note: written: x{suffix} (")
    assert truth(first) == truth(again)


@pytest.mark.parametrize("name", ["digits", "masked"])
def test_text_is_read(name: str, tmp_path: Path) -> None:
    """The samples that the README's first commands read."""
    folder = SAMPLES / name
    ended = xent_here("compute", str(folder / "logits.csv"), str(folder / "labels.csv"), "-q", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


def test_a_false_claim_finds_its_cause(tmp_path: Path) -> None:
    """The sum where the mean was asked for: 11.99 of four samples."""
    ended = xent_here("compute", *AGREES, "--expect", "11.99", cwd=tmp_path)
    assert ended.code == 1
    assert "sum-instead-of-mean" in ended.out


def test_digits_are_certified(tmp_path: Path) -> None:
    """python-flint and our own integers give the same."""
    ended = xent_here("compute", *AGREES, "--reference", "exact", "--digits", "30", "--json", cwd=tmp_path)
    assert ended.code == 0
    assert len(json.loads(ended.out)["losses"]["reference"]["decimal"]) > 30


def test_shares_are_merged(tmp_path: Path) -> None:
    """Two shares, each in a process of its own, and the whole."""
    for share in (1, 2):
        assert xent_here(
            "compute", *AGREES, "--shard", f"{share}/2", "--partial", f"{share}.json", "-qq", cwd=tmp_path
        ).code in {0, 5}
    assert xent_here("merge", "1.json", "2.json", "-q", cwd=tmp_path).code == 0


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    """What they send each other is packed by Python and numpy."""
    assert xent_here("compute", *AGREES, "--jobs", "2", "-q", cwd=tmp_path).code == 0


def test_a_row_is_explained(tmp_path: Path) -> None:
    """Step by step, as a table and a curve."""
    ended = xent_here("explain", *AGREES, "--row", "1", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


def test_torch_conforms(tmp_path: Path) -> None:
    """The smallest families of the battery."""
    ended = xent_here(
        "conform", "torch.nn.functional:cross_entropy", "--only", "labels", "--only", "masked", "-q", cwd=tmp_path
    )
    assert (ended.code, ended.err) == (0, "")


def test_two_models_are_compared(tmp_path: Path) -> None:
    """In one run, and in two shares with a claim that is looked into."""
    sides = [str(SAMPLES / "digits" / f"{name}.npy") for name in ("logits", "int8")]
    labels = ("--labels", str(SAMPLES / "digits" / "labels.npy"))
    whole = xent_here("compare", *sides, *labels, "--by", "class", "--floor", "bfloat16", "--json", cwd=tmp_path)
    assert (whole.code, whole.err) == (0, "")
    for share in ("1", "2"):
        parts = ("--shard", f"{share}/2", "--partial", f"{share}.part", "-qq")
        assert xent_here("compare", *sides, *labels, *parts, cwd=tmp_path).code == 0
    assert xent_here("merge", "1.part", "2.part", "-q", cwd=tmp_path).code == 0
    assert xent_here("compare", *sides, *labels, "--expect-kl", "1.846e-05", "-q", cwd=tmp_path).code == 1


def test_metrics_stand_beside_the_loss(tmp_path: Path) -> None:
    """Every one of them, part by part."""
    digits = [str(SAMPLES / "digits" / f"{name}.npy") for name in ("logits", "labels")]
    ended = xent_here("compute", *digits, "--metrics", "--by", "class", "--bytes", "900", "--json", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "temperature" in json.loads(ended.out)["metrics"]


def test_another_loss_conforms(tmp_path: Path) -> None:
    """The smallest families of a loss that is no plain cross-entropy."""
    ended = xent_here("conform", "torch.nn.functional:nll_loss", "--loss", "nll", "-q", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


def test_python_computes() -> None:
    """The Python face, with arrays of numpy."""
    logits, labels = (np.load(path) for path in AGREES)
    assert xentcli.compute(logits, labels).losses.library.status == "within"


def test_the_web_is_read(tmp_path: Path) -> None:
    """A server on loopback, by aiohttp."""
    names = [path.rpartition("/")[2] for path in AGREES]
    with served(Web({name: (SAMPLES / "tutorial" / name).read_bytes() for name in names})) as web:
        ended = xent_here("compute", *(f"{web.address}/{name}" for name in names), "-q", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(("protocol", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_store_has_its_driver(protocol: str, package: str) -> None:
    """The drivers come with a fsspec of their own year, or do not load at all."""
    pytest.importorskip(package)
    assert fsspec.get_filesystem_class(protocol).__module__.startswith(package)
